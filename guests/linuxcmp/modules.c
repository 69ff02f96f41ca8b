/*
 * Loads modules in the order that the host has worked out.
 */
#include "modules.h"

#include "guest.h"
#include "syscalls.h"

#define FOLDER "/modules/"

static char list[4096];

static uint32_t read_list(void)
{
    const int32_t file = syscall3(SYS_OPEN, (uintptr_t)(FOLDER "order"), 0, 0);
    check(file >= 0, "cannot open " FOLDER "order: error %d", -file);
    const int32_t length = syscall3(SYS_READ, (uintptr_t)file, (uintptr_t)list, sizeof list - 1);
    check(length >= 0 && (size_t)length < sizeof list - 1, "cannot read " FOLDER "order");
    return (uint32_t)length;
}

static void load(const char *name, const char *parameters)
{
    char path[128];
    format_text(path, sizeof path, FOLDER "%s", name);
    const int32_t file = syscall3(SYS_OPEN, (uintptr_t)path, 0, 0);
    check(file >= 0, "cannot open %s: error %d", path, -file);
    const int32_t result = syscall3(SYS_FINIT_MODULE, (uintptr_t)file, (uintptr_t)parameters, 0);
    check(result >= 0 || result == -EEXIST, "the kernel does not take %s: error %d", path, -result);
}

void modules_load(void)
{
    char *const end = list + read_list();
    for (char *line = list; line < end;) {
        char *next = line;
        while (next < end && *next != '\n')
            next++;
        *next = '\0';
        char *parameters = line;
        while (*parameters && *parameters != ' ')
            parameters++;
        if (*parameters)
            *parameters++ = '\0';
        load(line, parameters);
        line = next + 1;
    }
}
