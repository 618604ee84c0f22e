/*
 * Password hashes, made and checked in libuv's thread pool.  New ones are
 * yescrypt; what the database holds for old ones (bcrypt above all) is
 * checked too.
 */

#ifndef PASSWORD_H
#define PASSWORD_H

#include <uv.h>

#include "../common/csc_core.h"

#define PASSWORD_HASH_MAX 384
#define PASSWORD_KINDS 8

typedef struct {
    uv_loop_t *loop;
    uint64_t max; /* jobs at once */
    uint64_t jobs;
    double usual[PASSWORD_KINDS];  /* ms that a check of each kind takes */
    char dummy[PASSWORD_HASH_MAX]; /* is checked where there is no user */
    size_t setting; /* length of what shows algorithm and cost in dummy */
} passwords_t;

typedef enum {
    PASSWORD_OK, /* it is the one; or the hash is made */
    PASSWORD_WRONG,
    PASSWORD_FAILED /* no memory or no randomness */
} password_status_e;

/* hash: of PASSWORD_OK after password_hash(), until the function returns. */
typedef void (*password_done_fn)(
    void *data, password_status_e status, const char *hash);

/* Makes the dummy hash, which takes a moment.  CSC_ERROR without crypt(3). */
int passwords_init(passwords_t *passwords, uv_loop_t *loop, uint64_t max);

/*
 * Both copy the password, wipe the copy afterwards, and call done later from
 * the loop.  CSC_ERROR, and done is not called, when too many jobs wait or
 * memory is out.  hash NULL stands for an unknown user: the answer is
 * PASSWORD_WRONG.  That answer always comes after the time of the slowest
 * kind of hash in use, so that it doesn't tell who exists.
 */
int password_verify(passwords_t *passwords, csc_str_t password,
    const char *hash, password_done_fn done, void *data);
int password_hash(passwords_t *passwords, csc_str_t password,
    password_done_fn done, void *data);

/*
 * Makes a hash right away (hash: PASSWORD_HASH_MAX bytes).  CSC_ERROR without
 * memory or randomness.
 */
int password_hash_now(csc_str_t password, char *hash);

/* 1 when a new hash would have another algorithm or cost. */
int password_outdated(const passwords_t *passwords, const char *hash);

#endif /* PASSWORD_H */
