/*
 * linuxcmp: the workload of diskcmp as a process of Linux, the only one: /init.
 *
 * Proves what a request costs under a stock kernel and its drivers. Loads the modules that lie
 * beside it, waits for the disk, makes the same requests as diskcmp for the same options, and sets
 * the same marks: between a request's two marks lies one pread() or pwrite() with O_DIRECT, or its
 * way through asynchronous I/O where there are several at a time.
 *
 * Command line, behind "--" on the kernel's: as diskcmp's, with exactly one path.
 */
#include "disk.h"
#include "guest.h"
#include "modules.h"
#include "options.h"
#include "paths.h"
#include "syscalls.h"
#include "workload.h"

#define ATA_DISK "/dev/sda"
#define PV_DISK "/dev/xvda"

static const struct path *only_path(const struct options *options)
{
    const uint32_t index = (uint32_t)__builtin_ctz(options->paths);
    check(options->paths == 1u << index, "option path: want one of the paths");
    return &path_table[index];
}

void guest_main(const char *command_line)
{
    struct options options;
    options_parse(command_line, &options);
    const struct path *const path = only_path(&options);

    const int32_t mounted =
        syscall5(SYS_MOUNT, (uintptr_t) "dev", (uintptr_t) "/dev", (uintptr_t) "devtmpfs", 0, 0);
    check(mounted >= 0, "cannot mount /dev: error %d", -mounted);
    modules_load();
    const uint64_t sectors = disk_open(path->is_paravirtual ? PV_DISK : ATA_DISK, options.depth);
    workload_init(&options, sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)sectors);
    if (options.is_write)
        workload_prepare(path);
    workload_run(path);
    if (options.is_write)
        workload_verify(path);
}
