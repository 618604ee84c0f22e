/*
 * Password hashes by crypt(3).  New ones are yescrypt; what the database holds
 * for old ones (bcrypt above all) is checked too.  Each takes a while: the
 * loop's thread leaves them to password_pool.
 */

#ifndef PASSWORD_HASH_H
#define PASSWORD_HASH_H

#include "../common/csc_core.h"

#define PASSWORD_HASH_MAX 384
#define PASSWORD_TEXT_MAX 512
#define PASSWORD_KINDS 8

typedef enum {
    PASSWORD_OK, /* it is the one; or the hash is made */
    PASSWORD_WRONG,
    PASSWORD_FAILED /* no memory, no randomness or no process for it */
} password_status_e;

/* 0 to PASSWORD_KINDS - 1; -1 for what is no hash that is taken. */
int password_hash_kind(const char *hash);

/*
 * The NUL-terminated text that is hashed for a password (PASSWORD_TEXT_MAX
 * bytes).
 */
void password_hash_text(csc_str_t password, char *text);

/* PASSWORD_OK or PASSWORD_WRONG; PASSWORD_FAILED without memory. */
password_status_e password_hash_check(const char *text, const char *hash);

/* Makes a hash (PASSWORD_HASH_MAX bytes): PASSWORD_OK or PASSWORD_FAILED. */
password_status_e password_hash_make(const char *text, char *hash);

/* The length of what shows algorithm and cost in a hash that is made now. */
size_t password_hash_setting(const char *hash);

/*
 * Makes a hash right away (hash: PASSWORD_HASH_MAX bytes).  CSC_ERROR without
 * memory or randomness.
 */
int password_hash_now(csc_str_t password, char *hash);

#endif /* PASSWORD_HASH_H */
