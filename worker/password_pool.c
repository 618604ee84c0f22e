#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "password_pool.h"

struct password_slot_s {
    uv_process_t process;
    uv_pipe_t pipe;
    password_pool_t *pool;
    password_task_t *task; /* that the process has */
    password_answer_t answer;
    size_t got;       /* bytes of the answer */
    unsigned handles; /* of the two above that are not closed */
    unsigned alive : 1;
};

static void password_pool_next(password_pool_t *pool);

/* --- a process --- */

/* Whatever happened, who asked hears of it. */
static void
password_slot_done(password_slot_t *slot, const password_answer_t *answer)
{
    password_task_t *task = slot->task;

    slot->task = NULL;
    slot->got = 0;
    task->done(task, answer);
}

static void
password_slot_on_closed(uv_handle_t *handle)
{
    password_slot_t *slot = handle->data;

    if (--slot->handles == 0 && !slot->pool->stopped) {
        password_pool_next(slot->pool);
    }
}

static void
password_slot_close(password_slot_t *slot)
{
    slot->alive = 0;
    uv_close((uv_handle_t *) &slot->process, password_slot_on_closed);
    uv_close((uv_handle_t *) &slot->pipe, password_slot_on_closed);
}

static void
password_slot_on_exit(uv_process_t *process, int64_t status, int number)
{
    static const password_answer_t failed = { .status = PASSWORD_FAILED };
    password_slot_t *slot = process->data;

    log_warn("a process that hashes passwords ended",
        LOG_NUMBER("status", status), LOG_NUMBER("signal", number));
    password_slot_close(slot);

    if (slot->task != NULL) {
        password_slot_done(slot, &failed);
    }
}

static void
password_slot_on_room(uv_handle_t *handle, size_t size, uv_buf_t *room)
{
    password_slot_t *slot = handle->data;

    (void) size;
    room->base = (char *) &slot->answer + slot->got;
    room->len = sizeof(slot->answer) - slot->got;
}

static void
password_slot_on_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *room)
{
    password_slot_t *slot = pipe->data;

    (void) room;

    if (n < 0) {
        /* its end follows */
        slot->alive = 0;
        return;
    }

    slot->got += (size_t) n;

    if (slot->got == sizeof(slot->answer) && slot->task != NULL) {
        password_slot_done(slot, &slot->answer);
        explicit_bzero(&slot->answer, sizeof(slot->answer));
        password_pool_next(slot->pool);
    }
}

/*
 * This program itself, by its name where it still lies there: under valgrind
 * /proc/self/exe is not it.
 */
static const char *
password_slot_program(char *path, size_t size)
{
    return uv_exepath(path, &size) == 0 && access(path, X_OK) == 0
               ? path
               : "/proc/self/exe";
}

/* Without the worker's environment, in which there are passwords of others. */
static int
password_slot_start(password_slot_t *slot)
{
    static char name[] = "cs-chat-worker", mode[] = PASSWORD_PROCESS_MODE;
    char *arguments[] = { name, mode, NULL }, *nothing[] = { NULL };
    uv_stdio_container_t stdio[3];
    uv_process_options_t options;
    char self[PATH_MAX];
    int rc;

    memset(&options, 0, sizeof(options));
    memset(stdio, 0, sizeof(stdio));
    stdio[0].flags =
        (uv_stdio_flags) (UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE);
    stdio[0].data.stream = (uv_stream_t *) &slot->pipe;
    stdio[1].flags = UV_IGNORE;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = 2;

    options.file = password_slot_program(self, sizeof(self));
    options.args = arguments;
    options.env = nothing;
    options.stdio_count = 3;
    options.stdio = stdio;
    options.exit_cb = password_slot_on_exit;
    options.flags = UV_PROCESS_DETACHED; /* a session of its own */

    slot->pipe.data = slot->process.data = slot;
    uv_pipe_init(slot->pool->loop, &slot->pipe, 0);
    rc = uv_spawn(slot->pool->loop, &slot->process, &options);
    slot->handles = 2;

    if (rc != 0
        || uv_read_start((uv_stream_t *) &slot->pipe, password_slot_on_room,
               password_slot_on_read)
               != 0)
    {
        log_error("no process that hashes passwords can be started",
            LOG_TEXT("error", uv_strerror(rc)));
        password_slot_close(slot);
        return CSC_ERROR;
    }

    /* they are no reason for the loop to go on */
    uv_unref((uv_handle_t *) &slot->process);
    uv_unref((uv_handle_t *) &slot->pipe);
    slot->alive = 1;

    return CSC_OK;
}

static void
password_slot_give(password_slot_t *slot, password_task_t *task)
{
    uv_buf_t question = uv_buf_init(
        (char *) &task->question, sizeof(task->question));

    slot->task = task;

    /* an idle process has read all that it got before: there is room */
    if (uv_try_write((uv_stream_t *) &slot->pipe, &question, 1)
        != (int) sizeof(task->question))
    {
        slot->alive = 0;
        uv_process_kill(&slot->process, SIGKILL);
    }

    explicit_bzero(&task->question, sizeof(task->question));
}

/* --- all of them --- */

/* One that is free to hash, started if need be; NULL: none. */
static password_slot_t *
password_pool_idle(password_pool_t *pool)
{
    password_slot_t *slot, *empty = NULL;
    size_t i;

    for (i = 0; i < pool->max; i++) {
        slot = &pool->slots[i];

        if (slot->alive && slot->task == NULL) {
            return slot;
        }
        if (slot->handles == 0) {
            empty = slot;
        }
    }

    return empty != NULL && password_slot_start(empty) == CSC_OK ? empty : NULL;
}

/* Whether there is a process, which will go on with what waits. */
static int
password_pool_runs(const password_pool_t *pool)
{
    size_t i;

    for (i = 0; i < pool->max; i++) {
        if (pool->slots[i].alive || pool->slots[i].task != NULL) {
            return 1;
        }
    }

    return 0;
}

static password_task_t *
password_pool_take(password_pool_t *pool)
{
    password_task_t *task = pool->first;

    pool->first = task->next;
    if (pool->first == NULL) {
        pool->last = &pool->first;
    }

    return task;
}

/* Tasks for idle processes; without any process they fail. */
static void
password_pool_next(password_pool_t *pool)
{
    static const password_answer_t failed = { .status = PASSWORD_FAILED };
    password_slot_t *slot;
    password_task_t *task;

    while (pool->first != NULL) {
        slot = password_pool_idle(pool);
        if (slot != NULL) {
            password_slot_give(slot, password_pool_take(pool));
            continue;
        }

        if (password_pool_runs(pool)) {
            return;
        }

        task = password_pool_take(pool);
        task->done(task, &failed);
    }
}

int
password_pool_init(password_pool_t *pool, uv_loop_t *loop, size_t max)
{
    size_t i;

    memset(pool, 0, sizeof(*pool));
    pool->loop = loop;
    pool->max = max ? max : uv_available_parallelism();
    pool->last = &pool->first;
    pool->slots = calloc(pool->max, sizeof(*pool->slots));

    if (pool->slots == NULL) {
        return CSC_ERROR;
    }

    for (i = 0; i < pool->max; i++) {
        pool->slots[i].pool = pool;
    }

    return CSC_OK;
}

int
password_pool_submit(password_pool_t *pool, password_task_t *task)
{
    password_slot_t *slot;

    task->next = NULL;

    slot = pool->first == NULL ? password_pool_idle(pool) : NULL;
    if (slot != NULL) {
        password_slot_give(slot, task);
        return CSC_OK;
    }

    if (!password_pool_runs(pool)) {
        return CSC_ERROR;
    }

    *pool->last = task;
    pool->last = &task->next;

    return CSC_OK;
}

void
password_pool_stop(password_pool_t *pool)
{
    size_t i;

    pool->stopped = 1;

    for (i = 0; i < pool->max; i++) {
        if (pool->slots[i].handles == 2
            && !uv_is_closing((uv_handle_t *) &pool->slots[i].process))
        {
            password_slot_close(&pool->slots[i]);
        }
    }
}

void
password_pool_free(password_pool_t *pool)
{
    free(pool->slots);
}
