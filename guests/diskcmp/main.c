/*
 * diskcmp: the same requests on each way to the disk, for comparison.
 *
 * Proves that all five paths move the same data, and gives the host what it needs to tell what each
 * of them costs: marks at port 0x80 around every phase and request (marks.h). First IDE by READ and
 * WRITE SECTORS, by READ and WRITE MULTIPLE and by DMA, each with libata's order of accesses; then
 * the IDE disk is unplugged and blkfront goes on, without and with persistent grants.
 *
 * Command line, in any order, with the defaults:
 *   path=all     or a list of ide-pio,ide-pio-multiple,ide-dma,pv,pv-persistent
 *   op=read      or write, randread, randwrite; writes are read back after their phase
 *   bs=4096      bytes of a request: a multiple of 512 up to 128k; k, K and M are understood
 *   count=256    requests on each path
 *   depth=1      requests at a time, 1-32; IDE queues them in the driver
 *   seed=1       of random positions and of the data written
 *   start=0      first sector that may be touched
 *   sum=1        0: checksums of nothing, for the host hashes the data at its marks
 *
 * Prints one line a path: name, requests, bytes, checksum. Checksums that differ are a failure.
 */
#include "guest.h"
#include "options.h"
#include "paths.h"
#include "workload.h"

static uint32_t run_path(uint32_t index, const struct options *options)
{
    const struct path *const path = &path_table[index];
    path_enter(index);
    if (options->is_write)
        workload_prepare(path);
    const uint32_t checksum = workload_run(path);
    if (options->is_write)
        workload_verify(path);
    path_leave(index);
    print("%s %u %llu %08x\n", path->name, options->count,
          (uint64_t)options->count * options->block_bytes, checksum);
    return checksum;
}

void guest_main(const char *command_line)
{
    struct options options;
    options_parse(command_line, &options);
    workload_init(&options, paths_init());

    uint32_t first = 0, ran = 0;
    for (uint32_t index = 0; index < PATH_COUNT; index++) {
        if (!(options.paths >> index & 1))
            continue;
        const uint32_t checksum = run_path(index, &options);
        if (ran++ == 0)
            first = checksum;
        check(checksum == first, "%s has moved other data", path_table[index].name);
    }
    print("diskcmp: ok\n");
}
