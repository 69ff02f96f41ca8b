/*
 * hello: the smallest guest there is, a boot sector.
 *
 * Proves that a 512-byte image starts at 0000:7c00 in real mode with the drive number in DL, that
 * INT 10h prints and INT 13h AH=42h reads a sector, and that port 0xf4 ends the machine: value
 * 0x10 (exit status 33) when all is well, 0x11 (35) when the disk cannot be read. Without a disk it
 * says so and is content. Where there is no screen, the firmware's teletype is the serial port.
 * Source: Phoenix EDD-3 (disk address packet); Ralf Brown's Interrupt List.
 */

#define DEBUG_EXIT 0xf4
#define SECTOR 0x7e00

        .code16
        .globl  _start
        .text
_start: ljmp    $0, $1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        sti
        cld
        movw    $greeting, %si
        call    print

        movb    $0x41, %ah              /* are there disk extensions, that is: is there a disk? */
        movw    $0x55aa, %bx
        int     $0x13
        movw    $no_disk, %si
        jc      succeed
        cmpw    $0xaa55, %bx
        jne     succeed

        movb    $0x42, %ah
        movw    $packet, %si
        int     $0x13
        jc      fail

        xorw    %dx, %dx                /* DX = sum of the sector's words */
        movw    $SECTOR, %si
        movw    $256, %cx
2:      lodsw
        addw    %ax, %dx
        loop    2b
        movw    $sum_text, %si
        call    print
        call    print_hex
        movw    $newline, %si

succeed:
        call    print
        movb    $0x10, %al
        jmp     end
fail:   movw    $failure, %si
        call    print
        movb    $0x11, %al
end:    outb    %al, $DEBUG_EXIT
3:      cli
        hlt
        jmp     3b

/* Prints the text at SI up to its NUL. */
print:  lodsb
        testb   %al, %al
        jz      1f
        call    put
        jmp     print
1:      ret

/* Prints DX as four hex digits. */
print_hex:
        movw    $4, %cx
1:      rolw    $4, %dx
        movb    %dl, %al
        andb    $0x0f, %al
        addb    $'0', %al
        cmpb    $'9', %al
        jbe     2f
        addb    $'a' - '9' - 1, %al
2:      call    put
        loop    1b
        ret

/* Writes AL to the screen; a newline becomes CR LF. */
put:    pushaw
        xorw    %bx, %bx
        cmpb    $'\n', %al
        jne     1f
        movw    $0x0e0d, %ax
        int     $0x10
        movb    $'\n', %al
1:      movb    $0x0e, %ah
        int     $0x10
        popaw
        ret

greeting:       .asciz  "Hello from a boot sector\n"
no_disk:        .asciz  "No disk to read\n"
sum_text:       .asciz  "Sector 0 read, sum of its words "
failure:        .asciz  "Sector 0 cannot be read\n"
newline:        .asciz  "\n"

        .balign 4
packet: .byte   16, 0
        .word   1                       /* sectors */
        .word   SECTOR, 0               /* offset, segment */
        .quad   0                       /* first sector */

        .org    510
        .word   0xaa55

        .section .note.GNU-stack, "", @progbits
