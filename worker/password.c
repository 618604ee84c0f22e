#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "password.h"

#define PASSWORD_PREFIX "$y$" /* yescrypt */
#define PASSWORD_SALT 16      /* random bytes */

typedef struct {
    uv_work_t work;
    uv_timer_t timer;
    int kind;    /* index of the hash's prefix */
    double took; /* ms */
    passwords_t *passwords;
    password_done_fn done;
    void *data;
    password_status_e status;
    int hashing;
    int unknown;                  /* the hash is the dummy */
    char hash[PASSWORD_HASH_MAX]; /* to check against, or the new one */
    struct crypt_data crypt;
    size_t len;
    char password[CRYPT_MAX_PASSPHRASE_SIZE]; /* NUL-terminated */
} password_job_t;

/* A garbage setting could pass as the oldest DES: only these are taken. */
static const char *const password_prefixes[PASSWORD_KINDS] = { "$y$", "$2a$",
    "$2b$", "$2y$", "$gy$", "$7$", "$6$", "$5$" };

static int
password_kind(const char *hash)
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
static void
password_copy(password_job_t *job, csc_str_t password)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    size_t i;

    if (password.len < sizeof(job->password)) {
        memcpy(job->password, password.data, password.len);
        job->password[password.len] = '\0';
        return;
    }

    SHA256(password.data, password.len, digest);
    for (i = 0; i < sizeof(digest); i++) {
        snprintf(job->password + 2 * i, 3, "%02x", digest[i]);
    }
    explicit_bzero(digest, sizeof(digest));
}

static password_status_e
password_check(password_job_t *job)
{
    const char *made;
    size_t len = strlen(job->hash);
    int same;

    made = crypt_r(job->password, job->hash, &job->crypt);

    if (made == NULL || *made == '*' || strlen(made) != len) {
        return PASSWORD_WRONG;
    }

    same = CRYPTO_memcmp(made, job->hash, len) == 0;

    return same && !job->unknown ? PASSWORD_OK : PASSWORD_WRONG;
}

static password_status_e
password_make(password_job_t *job)
{
    char salt[PASSWORD_SALT], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *made;

    if (RAND_bytes((unsigned char *) salt, sizeof(salt)) != 1
        || crypt_gensalt_rn(
               PASSWORD_PREFIX, 0, salt, sizeof(salt), setting, sizeof(setting))
               == NULL)
    {
        return PASSWORD_FAILED;
    }

    made = crypt_r(job->password, setting, &job->crypt);

    if (made == NULL || *made == '*' || strlen(made) >= sizeof(job->hash)) {
        return PASSWORD_FAILED;
    }

    memcpy(job->hash, made, strlen(made) + 1);

    return PASSWORD_OK;
}

static void
password_on_work(uv_work_t *work)
{
    password_job_t *job = work->data;
    uint64_t began = uv_hrtime();

    job->status = job->hashing ? password_make(job) : password_check(job);
    job->took = (double) (uv_hrtime() - began) / 1e6;
    explicit_bzero(job->password, sizeof(job->password));
    explicit_bzero(&job->crypt, sizeof(job->crypt));
}

static void
password_free(password_job_t *job)
{
    explicit_bzero(job, sizeof(*job));
    free(job);
}

static void
password_on_timer_closed(uv_handle_t *handle)
{
    password_free(handle->data);
}

static void
password_finish(password_job_t *job)
{
    job->passwords->jobs--;
    job->done(job->data, job->status, job->hashing ? job->hash : NULL);
}

static void
password_on_timer(uv_timer_t *timer)
{
    password_finish(timer->data);
    uv_close((uv_handle_t *) timer, password_on_timer_closed);
}

/* Keeps the averages; how long this answer is still to be held back, in ms. */
static uint64_t
password_delay(password_job_t *job)
{
    double *usual = job->passwords->usual, slowest = 0;
    int i;

    if (job->hashing) {
        return 0;
    }

    usual[job->kind] = usual[job->kind] == 0
                           ? job->took
                           : 0.9 * usual[job->kind] + 0.1 * job->took;

    for (i = 0; i < PASSWORD_KINDS; i++) {
        slowest = usual[i] > slowest ? usual[i] : slowest;
    }

    return job->status == PASSWORD_WRONG && slowest > job->took
               ? (uint64_t) (slowest - job->took)
               : 0;
}

static void
password_on_done(uv_work_t *work, int status)
{
    password_job_t *job = work->data;
    uint64_t delay;

    if (status != 0) {
        job->status = PASSWORD_FAILED;
    }

    delay = password_delay(job);

    if (delay > 0 && uv_timer_init(job->passwords->loop, &job->timer) == 0) {
        job->timer.data = job;
        uv_timer_start(&job->timer, password_on_timer, delay, 0);
        return;
    }

    password_finish(job);
    password_free(job);
}

static password_job_t *
password_job(passwords_t *passwords, csc_str_t password, password_done_fn done,
    void *data)
{
    password_job_t *job;

    if (passwords->jobs >= passwords->max) {
        return NULL;
    }

    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return NULL;
    }

    job->work.data = job;
    job->passwords = passwords;
    job->done = done;
    job->data = data;
    password_copy(job, password);

    return job;
}

static int
password_queue(password_job_t *job)
{
    if (uv_queue_work(job->passwords->loop, &job->work, password_on_work,
            password_on_done)
        != 0)
    {
        password_free(job);
        return CSC_ERROR;
    }

    job->passwords->jobs++;

    return CSC_OK;
}

int
password_verify(passwords_t *passwords, csc_str_t password, const char *hash,
    password_done_fn done, void *data)
{
    password_job_t *job = password_job(passwords, password, done, data);

    if (job == NULL) {
        return CSC_ERROR;
    }

    job->unknown = hash == NULL || strlen(hash) >= sizeof(job->hash)
                   || password_kind(hash) < 0;
    if (job->unknown) {
        hash = passwords->dummy;
    }
    job->kind = password_kind(hash);
    memcpy(job->hash, hash, strlen(hash) + 1);

    return password_queue(job);
}

int
password_hash(passwords_t *passwords, csc_str_t password, password_done_fn done,
    void *data)
{
    password_job_t *job = password_job(passwords, password, done, data);

    if (job == NULL) {
        return CSC_ERROR;
    }

    job->hashing = 1;

    return password_queue(job);
}

int
password_outdated(const passwords_t *passwords, const char *hash)
{
    return strncmp(hash, passwords->dummy, passwords->setting) != 0;
}

int
password_hash_now(csc_str_t password, char *hash)
{
    password_job_t *job = calloc(1, sizeof(*job));
    int rc = CSC_ERROR;

    if (job == NULL) {
        return CSC_ERROR;
    }

    password_copy(job, password);
    if (password_make(job) == PASSWORD_OK) {
        memcpy(hash, job->hash, sizeof(job->hash));
        rc = CSC_OK;
    }
    password_free(job);

    return rc;
}

int
passwords_init(passwords_t *passwords, uv_loop_t *loop, uint64_t max)
{
    static const csc_str_t nobody = CSC_STR("nobody has this one");
    const char *end;

    memset(passwords, 0, sizeof(*passwords));
    passwords->loop = loop;
    passwords->max = max;

    if (password_hash_now(nobody, passwords->dummy) != CSC_OK) {
        return CSC_ERROR;
    }

    /* "$y$j9T$", then the salt */
    end = strchr(passwords->dummy + strlen(PASSWORD_PREFIX), '$');
    passwords->setting = end != NULL ? (size_t) (end + 1 - passwords->dummy)
                                     : 0;

    return CSC_OK;
}
