#include <stdlib.h>
#include <string.h>

#include "password.h"

typedef struct {
    password_task_t task; /* first, so that the one is found from the other */
    uv_timer_t timer;
    passwords_t *passwords;
    password_done_fn done;
    void *data;
    int kind;    /* index of the hash's prefix */
    int making;  /* a hash, not checking one */
    int unknown; /* the hash is the dummy */
    password_status_e status;
    char hash[PASSWORD_HASH_MAX]; /* that was made */
} password_job_t;

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
    job->done(job->data, job->status, job->making ? job->hash : NULL);
}

static void
password_on_timer(uv_timer_t *timer)
{
    password_finish(timer->data);
    uv_close((uv_handle_t *) timer, password_on_timer_closed);
}

/*
 * Keeps the averages; how long the answer is still to be held back that took so
 * many ms, in ms.
 */
static uint64_t
password_delay(const password_job_t *job, double took)
{
    double *usual = job->passwords->usual, slowest = 0;
    int i;

    if (job->making || job->status == PASSWORD_FAILED) {
        return 0;
    }

    usual[job->kind] =
        usual[job->kind] == 0 ? took : 0.9 * usual[job->kind] + 0.1 * took;

    for (i = 0; i < PASSWORD_KINDS; i++) {
        slowest = usual[i] > slowest ? usual[i] : slowest;
    }

    return job->status == PASSWORD_WRONG && slowest > took
               ? (uint64_t) (slowest - took)
               : 0;
}

static void
password_on_answer(password_task_t *task, const password_answer_t *answer)
{
    password_job_t *job = (password_job_t *) task;
    uint64_t delay;

    memcpy(job->hash, answer->hash, sizeof(job->hash));
    job->status = answer->status == PASSWORD_OK && job->unknown
                      ? PASSWORD_WRONG
                      : answer->status;
    delay = password_delay(job, answer->took);

    if (delay > 0 && uv_timer_init(job->passwords->pool.loop, &job->timer) == 0)
    {
        job->timer.data = job;
        uv_timer_start(&job->timer, password_on_timer, delay, 0);
        return;
    }

    password_finish(job);
    password_free(job);
}

/* The job for a password, not yet queued; NULL: too many or no memory. */
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

    job->task.done = password_on_answer;
    job->passwords = passwords;
    job->done = done;
    job->data = data;
    password_hash_text(password, job->task.question.text);

    return job;
}

static int
password_queue(password_job_t *job)
{
    if (password_pool_submit(&job->passwords->pool, &job->task) != CSC_OK) {
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

    job->unknown = hash == NULL || strlen(hash) >= PASSWORD_HASH_MAX
                   || password_hash_kind(hash) < 0;
    if (job->unknown) {
        hash = passwords->dummy;
    }
    job->kind = password_hash_kind(hash);
    memcpy(job->task.question.hash, hash, strlen(hash) + 1);

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

    job->making = job->task.question.making = 1;

    return password_queue(job);
}

int
password_outdated(const passwords_t *passwords, const char *hash)
{
    return strncmp(hash, passwords->dummy, passwords->setting) != 0;
}

int
passwords_init(
    passwords_t *passwords, uv_loop_t *loop, uint64_t max, uint64_t processes)
{
    static const csc_str_t nobody = CSC_STR("nobody has this one");

    memset(passwords, 0, sizeof(*passwords));
    passwords->max = max;

    if (password_hash_now(nobody, passwords->dummy) != CSC_OK) {
        return CSC_ERROR;
    }

    passwords->setting = password_hash_setting(passwords->dummy);

    return password_pool_init(&passwords->pool, loop, processes);
}

void
passwords_stop(passwords_t *passwords)
{
    password_pool_stop(&passwords->pool);
}

void
passwords_free(passwords_t *passwords)
{
    password_pool_free(&passwords->pool);
}
