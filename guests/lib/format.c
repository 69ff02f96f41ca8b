/*
 * Text from numbers and back: the small part of printf that the kernels use.
 */
#include "guest.h"

/* Divides in place; returns the remainder. Two DIVs, as libgcc is not linked. */
static uint32_t divide(uint64_t *value, uint32_t divisor)
{
    uint32_t high = (uint32_t)(*value >> 32), low = (uint32_t)*value;
    uint32_t remainder = high % divisor;
    high /= divisor;
    asm("divl %2" : "+a"(low), "+d"(remainder) : "r"(divisor));
    *value = (uint64_t)high << 32 | low;
    return remainder;
}

static void put_number(void (*put)(char), uint64_t value, uint32_t base, int width, char padding)
{
    char digits[20];
    int length = 0;
    do
        digits[length++] = "0123456789abcdef"[divide(&value, base)];
    while (value);
    for (int i = length; i < width; i++)
        put(padding);
    while (length)
        put(digits[--length]);
}

void format_to(void (*put)(char), const char *format, va_list arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        format++;
        const char padding = *format == '0' ? '0' : ' ';
        int width = 0;
        for (; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + *format - '0';
        bool wide = false;
        for (; *format == 'l'; format++)
            wide = true;
        switch (*format) {
        case 's':
            for (const char *text = va_arg(arguments, const char *); *text; text++)
                put(*text);
            break;
        case 'c':
            put((char)va_arg(arguments, int));
            break;
        case 'd': {
            const int value = va_arg(arguments, int);
            if (value < 0)
                put('-');
            put_number(put, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, 10, width, padding);
            break;
        }
        default:
            put_number(put, wide ? va_arg(arguments, uint64_t) : va_arg(arguments, uint32_t),
                       *format == 'x' ? 16 : 10, width, padding);
        }
    }
}

static char *text_next, *text_end;

static void put_text(char c)
{
    check(text_next < text_end, "text does not fit its buffer");
    *text_next++ = c;
}

void format_text(char *into, size_t size, const char *format, ...)
{
    text_next = into;
    text_end = into + size;
    va_list arguments;
    va_start(arguments, format);
    format_to(put_text, format, arguments);
    va_end(arguments);
    put_text('\0');
}

bool parse_decimal(const char *text, uint32_t *value)
{
    uint64_t sum = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        sum = sum * 10 + (uint32_t)(*text - '0');
        if (sum > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)sum;
    return true;
}
