/*
 * The chats that messages are sent in, each with its customer and its agent.
 */

#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include <stddef.h>

typedef struct {
    size_t n;
    char **tokens; /* 2i: pair i's customer's, 2i + 1: its agent's; then NULL */
    char **chats;
} pairs_t;

/* Reads the file; ends the program when a line is not as it should be. */
void pairs_read(pairs_t *pairs, const char *file);

#endif /* BENCH_PAIRS_H */
