#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "password_hash.h"

#define PASSWORD_PREFIX "$y$" /* yescrypt */
#define PASSWORD_SALT 16      /* random bytes */

/* A garbage setting could pass as the oldest DES: only these are taken. */
static const char *const password_prefixes[PASSWORD_KINDS] = { "$y$", "$2a$",
    "$2b$", "$2y$", "$gy$", "$7$", "$6$", "$5$" };

int
password_hash_kind(const char *hash)
{
    int i;

    for (i = 0; i < PASSWORD_KINDS; i++) {
        if (strncmp(hash, password_prefixes[i], strlen(password_prefixes[i]))
            == 0) {
            return i;
        }
    }

    return -1;
}

/*
 * crypt(3) takes up to 511 bytes, and 128 code points can be 512: what is
 * longer goes in as its digest.
 */
void
password_hash_text(csc_str_t password, char *text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    size_t i;

    if (password.len < PASSWORD_TEXT_MAX) {
        memcpy(text, password.data, password.len);
        text[password.len] = '\0';
        return;
    }

    SHA256(password.data, password.len, digest);
    for (i = 0; i < sizeof(digest); i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    explicit_bzero(digest, sizeof(digest));
}

/* Wipes what crypt_r() left. */
static void
password_hash_wipe(struct crypt_data *crypt)
{
    explicit_bzero(crypt, sizeof(*crypt));
    free(crypt);
}

password_status_e
password_hash_check(const char *text, const char *hash)
{
    struct crypt_data *crypt = calloc(1, sizeof(*crypt));
    const char *made;
    size_t len = strlen(hash);
    int same;

    if (crypt == NULL) {
        return PASSWORD_FAILED;
    }

    made = crypt_r(text, hash, crypt);
    same = made != NULL && *made != '*' && strlen(made) == len
           && CRYPTO_memcmp(made, hash, len) == 0;
    password_hash_wipe(crypt);

    return same ? PASSWORD_OK : PASSWORD_WRONG;
}

password_status_e
password_hash_make(const char *text, char *hash)
{
    struct crypt_data *crypt = calloc(1, sizeof(*crypt));
    char salt[PASSWORD_SALT], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    password_status_e status = PASSWORD_FAILED;
    const char *made;

    if (crypt == NULL) {
        return PASSWORD_FAILED;
    }

    if (RAND_bytes((unsigned char *) salt, sizeof(salt)) == 1
        && crypt_gensalt_rn(
               PASSWORD_PREFIX, 0, salt, sizeof(salt), setting, sizeof(setting))
               != NULL)
    {
        made = crypt_r(text, setting, crypt);

        if (made != NULL && *made != '*' && strlen(made) < PASSWORD_HASH_MAX) {
            memcpy(hash, made, strlen(made) + 1);
            status = PASSWORD_OK;
        }
    }

    password_hash_wipe(crypt);

    return status;
}

/* "$y$j9T$", then the salt */
size_t
password_hash_setting(const char *hash)
{
    const char *end = strchr(hash + strlen(PASSWORD_PREFIX), '$');

    return end != NULL ? (size_t) (end + 1 - hash) : 0;
}

int
password_hash_now(csc_str_t password, char *hash)
{
    char text[PASSWORD_TEXT_MAX];
    password_status_e status;

    password_hash_text(password, text);
    status = password_hash_make(text, hash);
    explicit_bzero(text, sizeof(text));

    return status == PASSWORD_OK ? CSC_OK : CSC_ERROR;
}
