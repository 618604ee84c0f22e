/*
 * A process that hashes passwords, one after the other, for the worker that
 * started it.  It is not a thread of the worker's, since hashing a password
 * takes all the processor and 16 MB that come and go: a thread would keep the
 * worker's own from its memory, and no priority can set a thread back behind
 * the other programs of the machine where the system shares its processors out
 * by sessions (autogroups).
 *
 * Both ends are the same program on one machine, so that what goes over the
 * socket between them is plain memory.
 */

#ifndef PASSWORD_PROCESS_H
#define PASSWORD_PROCESS_H

#include <stdint.h>

#include "password_hash.h"

/* The worker's argument that makes it such a process; of no use by hand. */
#define PASSWORD_PROCESS_MODE "--hash-passwords"

typedef struct {
    int making;                   /* a hash, not checking one */
    char hash[PASSWORD_HASH_MAX]; /* to check against */
    char text[PASSWORD_TEXT_MAX]; /* of the password */
} password_question_t;

typedef struct {
    password_status_e status;
    double took;                  /* ms */
    char hash[PASSWORD_HASH_MAX]; /* that was made */
} password_answer_t;

/*
 * Answers questions that come on standard input, on the same socket, until it
 * ends: the exit status.
 */
int password_process_run(void);

#endif /* PASSWORD_PROCESS_H */
