/*
 * From the Multiboot loader to guest_main(), and the way out through port 0xf4.
 * Source: Multiboot Specification 0.6.96, section 3.3 (information block).
 */
#include "guest.h"
#include "interrupts.h"
#include "port.h"

#define LOADER_MAGIC 0x2badb002
#define INFO_MEMORY (1 << 0)
#define INFO_COMMAND_LINE (1 << 2)
#define HIGH_MEMORY 0x100000u
#define DEBUG_EXIT 0xf4

struct multiboot_info {
    uint32_t flags;
    uint32_t lower_kib, upper_kib;
    uint32_t boot_device;
    const char *command_line;
};

static char command_line[512];

/* The loader may keep the text in memory that take_pages() hands out. */
static void copy_command_line(const char *text)
{
    const size_t length = strlen(text);
    check(length < sizeof command_line, "command line is longer than %u bytes",
          (uint32_t)sizeof command_line - 1);
    memcpy(command_line, text, length);
}

void guest_exit(uint8_t value)
{
    outb(DEBUG_EXIT, value);
    for (;;)
        asm volatile("cli\n\thlt");
}

/* Called by entry.S. */
_Noreturn void kernel_start(uint32_t magic, const struct multiboot_info *info);

void kernel_start(uint32_t magic, const struct multiboot_info *info)
{
    console_init();
    check(magic == LOADER_MAGIC, "not started by a Multiboot loader: EAX is 0x%08x", magic);
    check(info->flags & INFO_MEMORY, "the loader does not tell the memory size");
    memory_init(HIGH_MEMORY + info->upper_kib * 1024);
    if (info->flags & INFO_COMMAND_LINE)
        copy_command_line(info->command_line);
    interrupt_init();
    guest_main(command_line);
    guest_exit(EXIT_SUCCESS_VALUE);
}
