/*
 * Password hashes, made and checked by other processes (password_pool), so that
 * neither the loop nor messages wait for them.
 */

#ifndef PASSWORD_H
#define PASSWORD_H

#include "password_pool.h"

typedef struct {
    password_pool_t pool;
    uint64_t max; /* jobs at once */
    uint64_t jobs;
    double usual[PASSWORD_KINDS];  /* ms that a check of each kind takes */
    char dummy[PASSWORD_HASH_MAX]; /* is checked where there is no user */
    size_t setting; /* length of what shows algorithm and cost in dummy */
} passwords_t;

/* hash: of PASSWORD_OK after password_hash(), until the function returns. */
typedef void (*password_done_fn)(
    void *data, password_status_e status, const char *hash);

/*
 * Makes the dummy hash, which takes a moment.  processes: see
 * password_pool_init().  CSC_ERROR without crypt(3) or memory.
 */
int passwords_init(
    passwords_t *passwords, uv_loop_t *loop, uint64_t max, uint64_t processes);

/* When no job is left; and after the loop has ended. */
void passwords_stop(passwords_t *passwords);
void passwords_free(passwords_t *passwords);

/*
 * Both copy the password, wipe the copy afterwards, and call done later from
 * the loop.  CSC_ERROR, and done is not called, when too many jobs wait, memory
 * is out or no process can be started.  hash NULL stands for an unknown user: the answer is
 * PASSWORD_WRONG.  That answer always comes after the time of the slowest
 * kind of hash in use, so that it doesn't tell who exists.
 */
int password_verify(passwords_t *passwords, csc_str_t password,
    const char *hash, password_done_fn done, void *data);
int password_hash(passwords_t *passwords, csc_str_t password,
    password_done_fn done, void *data);

/* 1 when a new hash would have another algorithm or cost. */
int password_outdated(const passwords_t *passwords, const char *hash);

#endif /* PASSWORD_H */
