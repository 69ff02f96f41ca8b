/*
 * Console on COM1: a 16550A at 0x3f8, 115200 8n1, polled.
 */
#include "guest.h"
#include "port.h"

#define COM1 0x3f8
#define COM_DATA (COM1 + 0)
#define COM_INTERRUPTS (COM1 + 1)
#define COM_FIFO (COM1 + 2)
#define COM_LINE_CONTROL (COM1 + 3)
#define COM_MODEM_CONTROL (COM1 + 4)
#define COM_LINE_STATUS (COM1 + 5)
#define LINE_STATUS_THRE 0x20

void console_init(void)
{
    outb(COM_INTERRUPTS, 0);
    outb(COM_LINE_CONTROL, 0x80); /* divisor latch */
    outb(COM_DATA, 1);
    outb(COM_INTERRUPTS, 0);
    outb(COM_LINE_CONTROL, 0x03); /* 8n1 */
    outb(COM_FIFO, 0x07);
    outb(COM_MODEM_CONTROL, 0x03);
}

static void put_character(char c)
{
    while (!(inb(COM_LINE_STATUS) & LINE_STATUS_THRE))
        ;
    outb(COM_DATA, (uint8_t)c);
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_to(put_character, format, arguments);
    va_end(arguments);
}

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print("FAIL: ");
    format_to(put_character, format, arguments);
    print("\n");
    va_end(arguments);
    guest_exit(EXIT_FAILURE_VALUE);
}
