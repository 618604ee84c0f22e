/*
 * CPU time and memory of the server's processes, from /proc.  A process counts
 * with its children: nginx with its workers, postgres with its sessions.
 */

#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#define MAX_WATCHES 8

typedef struct {
    const char *kind;
    pid_t pid;
    uint64_t cpu_us; /* at the start, then what was used since */
} watch_t;

typedef struct {
    watch_t of[MAX_WATCHES];
    unsigned n;
    uint64_t own_us; /* this program */
    uint64_t elapsed_us;
} watches_t;

/* Adds "KIND=PID"; ends the program when it is not of this form. */
void watches_add(watches_t *watches, char *text);

/* Takes the start, then the differences. */
void watches_start(watches_t *watches);
void watches_stop(watches_t *watches);

/*
 * Proportional set size in bytes of the kind that was added first; 0 when
 * there is none or it may not be looked into.
 */
uint64_t watches_pss(const watches_t *watches);

#endif /* BENCH_PROCESS_H */
