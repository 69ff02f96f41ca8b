/*
 * Command line of diskcmp: name=value words, separated by blanks.
 */
#include "options.h"

#include "guest.h"
#include "paths.h"

#define WORD_MAX 128

static void set_paths(struct options *options, const char *value)
{
    if (strcmp(value, "all") == 0) {
        options->paths = (1 << PATH_COUNT) - 1;
        return;
    }
    options->paths = 0;
    char name[WORD_MAX];
    while (*value) {
        size_t length = 0;
        while (value[length] && value[length] != ',')
            length++;
        memcpy(name, value, length);
        name[length] = '\0';
        options->paths |= 1u << path_index(name);
        value += value[length] ? length + 1 : length;
    }
    check(options->paths, "option path: no path is named");
}

static void set_operation(struct options *options, const char *value)
{
    options->is_random = memcmp(value, "rand", 4) == 0;
    const char *const kind = options->is_random ? value + 4 : value;
    options->is_write = strcmp(kind, "write") == 0;
    check(options->is_write || strcmp(kind, "read") == 0,
          "option op=%s: want read, write, randread or randwrite", value);
}

static uint32_t number(const char *name, const char *value, uint32_t least, uint32_t most)
{
    uint32_t result;
    check(parse_decimal(value, &result) && result >= least && result <= most,
          "option %s=%s: want a number from %u to %u", name, value, least, most);
    return result;
}

static void set_block_bytes(struct options *options, const char *value)
{
    char digits[WORD_MAX];
    const size_t length = strlen(value);
    memcpy(digits, value, length + 1);
    uint32_t unit = 1;
    if (length > 0) {
        const char suffix = value[length - 1];
        unit = suffix == 'k' || suffix == 'K' ? 1024 : suffix == 'M' ? 1024 * 1024 : 1;
    }
    if (unit > 1)
        digits[length - 1] = '\0';
    uint32_t count;
    const bool valid = parse_decimal(digits, &count) && count <= MAX_BLOCK_BYTES / unit;
    check(valid && count > 0 && count * unit % SECTOR_SIZE == 0,
          "option bs=%s: want a multiple of 512 up to 128k", value);
    options->block_bytes = count * unit;
}

static void set_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "path") == 0)
        set_paths(options, value);
    else if (strcmp(name, "op") == 0)
        set_operation(options, value);
    else if (strcmp(name, "bs") == 0)
        set_block_bytes(options, value);
    else if (strcmp(name, "count") == 0)
        options->count = number(name, value, 1, UINT32_MAX);
    else if (strcmp(name, "depth") == 0)
        options->depth = number(name, value, 1, MAX_DEPTH);
    else if (strcmp(name, "seed") == 0)
        options->seed = number(name, value, 0, UINT32_MAX);
    else if (strcmp(name, "start") == 0)
        options->start = number(name, value, 0, UINT32_MAX);
    else if (strcmp(name, "sum") == 0)
        options->is_summed = number(name, value, 0, 1);
    else
        fail("option %s is unknown: want path, op, bs, count, depth, seed, start or sum", name);
}

/* Takes the next word off the command line; false at its end. */
static bool next_word(const char **text, char word[WORD_MAX])
{
    while (**text == ' ')
        ++*text;
    size_t length = 0;
    for (; **text && **text != ' '; ++*text) {
        check(length < WORD_MAX - 1, "an option is longer than %u characters", WORD_MAX - 1);
        word[length++] = **text;
    }
    word[length] = '\0';
    return length > 0;
}

void options_parse(const char *command_line, struct options *options)
{
    *options = (struct options){.block_bytes = 4096, .count = 256, .depth = 1, .seed = 1,
                                 .is_summed = true};
    set_paths(options, "all");
    char word[WORD_MAX];
    for (bool first = true; next_word(&command_line, word); first = false) {
        char *value = word;
        while (*value && *value != '=')
            value++;
        if (*value) {
            *value = '\0';
            set_option(options, word, value + 1);
        } else {
            /* By Multiboot convention the first word is the kernel's own name. */
            check(first, "option %s has no value", word);
        }
    }
}
