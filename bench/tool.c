#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool.h"


uint64_t
tool_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * NS_PER_SECOND + (uint64_t) now.tv_nsec;
}


void *
tool_alloc(size_t n, size_t size)
{
    void *memory;

    memory = calloc(n ? n : 1, size);
    if (memory == NULL) {
        tool_fail("out of memory");
    }

    return memory;
}


void
tool_fail(const char *format, ...)
{
    va_list arguments;

    fputs("load: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);

    exit(1);
}


char **
tool_lines(const char *file, size_t *n)
{
    char **lines, *line;
    size_t room, size;
    FILE *in;

    in = fopen(file, "r");
    if (in == NULL) {
        tool_fail("%s: %s", file, strerror(errno));
    }

    lines = NULL;
    *n = 0;
    room = 0;

    for (;;) {
        if (*n + 1 >= room) {
            room = room ? room * 2 : 64;
            lines = realloc(lines, room * sizeof(char *));
            if (lines == NULL) {
                tool_fail("out of memory");
            }
        }

        line = NULL;
        size = 0;
        if (getline(&line, &size, in) <= 0) {
            free(line);
            break;
        }

        line[strcspn(line, "\r\n")] = '\0';
        lines[(*n)++] = line;
    }

    fclose(in);
    if (*n == 0) {
        tool_fail("%s has no lines", file);
    }

    lines[*n] = NULL;
    return lines;
}


size_t
tool_count(char **array)
{
    size_t n = 0;

    while (array[n] != NULL) {
        n++;
    }

    return n;
}


static int
digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}


int
tool_number(csc_str_t text, const char *key, unsigned base, uint64_t *value)
{
    const unsigned char *at, *end;
    unsigned digits;

    at = memmem(text.data, text.len, key, strlen(key));
    if (at == NULL) {
        return CSC_ERROR;
    }

    at += strlen(key);
    end = text.data + text.len;
    *value = 0;

    for (digits = 0; at < end && digits < 15; digits++, at++) {
        if ((unsigned) digit(*at) >= base) {
            break;
        }
        *value = *value * base + (unsigned) digit(*at);
    }

    return digits ? CSC_OK : CSC_ERROR;
}
