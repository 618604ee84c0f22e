/*
 * What every part of the load generator uses: the clock, memory, and the end
 * of a program that cannot go on.
 */

#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stddef.h>
#include <stdint.h>

#include "csc_core.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* Nanoseconds of the monotonic clock. */
uint64_t tool_now(void);

/* Zeroed memory of n * size bytes; ends the program when there is none. */
void *tool_alloc(size_t n, size_t size);

/* Prints "load: ..." to standard error and ends the program with 1. */
void tool_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/*
 * The lines of a text file, NUL-terminated, as an array that ends with NULL;
 * both are never freed.  Ends the program when the file cannot be read or is
 * empty.
 */
char **tool_lines(const char *file, size_t *n);

/* How many there are before the NULL that ends an array. */
size_t tool_count(char **array);

/*
 * The unsigned number behind the first key (such as "\"seq\":") in a text;
 * CSC_ERROR when there is none.
 */
int tool_number(
    csc_str_t text, const char *key, unsigned base, uint64_t *value);

#endif /* BENCH_TOOL_H */
