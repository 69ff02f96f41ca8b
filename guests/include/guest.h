/*
 * What every kernel here is built on: a console on COM1, an end through port 0xf4, memory to take.
 *
 * A kernel defines guest_main(); to return from it is success. The exit values are those of QEMU's
 * isa-debug-exit: status (v << 1) | 1, so 33 is success and 35 a failure that a line explains.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096u
#define SECTOR_SIZE 512u

#define EXIT_SUCCESS_VALUE 0x10
#define EXIT_FAILURE_VALUE 0x11

/* Runs the kernel. `command_line` is a private copy of the Multiboot command line. */
void guest_main(const char *command_line);

/* Ends the machine with isa-debug-exit value `value`. */
_Noreturn void guest_exit(uint8_t value);

/* Prints "FAIL: ", the message and a newline, then ends with EXIT_FAILURE_VALUE. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails with the message unless `condition` holds. */
#define check(condition, ...)    \
    do {                         \
        if (!(condition))        \
            fail(__VA_ARGS__);   \
    } while (0)

/* ---- console.c ---- */

void console_init(void);

/* Writes to COM1. Knows %s %c %u %x %d %llu, a width and zero padding. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- format.c ---- */

/* Formats into `into`; fails if the text and its NUL do not fit into `size` bytes. */
void format_text(char *into, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Formats one character after the other into `put`. */
void format_to(void (*put)(char), const char *format, va_list arguments);

/* Reads a decimal number that is the whole text; false if it is none or exceeds 32 bits. */
bool parse_decimal(const char *text, uint32_t *value);

/* ---- memory.c ---- */

/* Tells the allocator where usable memory ends. */
void memory_init(uint32_t end);

/* Takes `count` zeroed, physically contiguous pages; there is no way to give them back. */
void *take_pages(uint32_t count);

/* ---- string.c ---- */

void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);

#endif
