/*
 * The memory functions that gcc may call on its own, as string instructions.
 */
#include "guest.h"

void *memcpy(void *to, const void *from, size_t length)
{
    void *destination = to;
    size_t dwords = length / 4, bytes = length % 4;
    asm volatile("rep movsl" : "+D"(destination), "+S"(from), "+c"(dwords) : : "memory");
    asm volatile("rep movsb" : "+D"(destination), "+S"(from), "+c"(bytes) : : "memory");
    return to;
}

void *memset(void *to, int value, size_t length)
{
    void *destination = to;
    size_t dwords = length / 4, bytes = length % 4;
    const uint32_t pattern = (uint8_t)value * 0x01010101u;
    asm volatile("rep stosl" : "+D"(destination), "+c"(dwords) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(destination), "+c"(bytes) : "a"(pattern) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const uint8_t *x = a, *y = b;
    for (; length >= 4 && *(const uint32_t *)x == *(const uint32_t *)y; length -= 4)
        x += 4, y += 4;
    for (; length; length--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}
