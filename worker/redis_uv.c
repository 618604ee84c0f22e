#include <stdlib.h>

#include "redis_uv.h"

#define REDIS_UV_LOOK 10 /* ms until answers are read that can wait */

typedef struct {
    uv_poll_t poll;
    uv_prepare_t flush;         /* runs before the loop waits */
    uv_timer_t look;            /* reads answers that could wait */
    redisAsyncContext *context; /* NULL: it is gone */
    redis_uv_flush_fn fn;
    int events;
    int handles;          /* that are not closed yet */
    unsigned patient : 1; /* no answer is wanted at once */
    unsigned filling : 1; /* fn runs, and what it queues is written next */
} redis_uv_t;

/*
 * One is being written: what another queues meanwhile is written when its
 * socket says so, for a prepare handle that is started while such handles run
 * waits for the next turn.
 */
static int redis_uv_writing;

static void redis_uv_set(redis_uv_t *uv, int events);

static void
redis_uv_write(redis_uv_t *uv)
{
    uv->filling = 1;
    uv->fn(uv->context);
    uv->filling = 0;

    redis_uv_writing = 1;
    redisAsyncHandleWrite(uv->context);
    redis_uv_writing = 0;
}

static void
redis_uv_on_event(uv_poll_t *poll, int status, int events)
{
    redis_uv_t *uv = poll->data;

    /* reading or writing will find out what the matter is */
    if (status < 0) {
        events = uv->events;
    }

    if (uv->context != NULL && (events & UV_READABLE)) {
        redisAsyncHandleRead(uv->context);
    }

    if (uv->context != NULL && (events & UV_WRITABLE)) {
        redis_uv_write(uv);
    }

    /* after an error libuv has stopped looking */
    if (status < 0 && uv->context != NULL && uv->events != 0) {
        uv_poll_start(poll, uv->events, redis_uv_on_event);
    }
}

/* All that was queued in a turn of the loop, in one call. */
static void
redis_uv_on_flush(uv_prepare_t *flush)
{
    redis_uv_t *uv = flush->data;

    uv_prepare_stop(flush);
    redis_uv_write(uv);
}

/* While nothing is awaited the socket is watched again: it may be closed. */
static void
redis_uv_on_look(uv_timer_t *look)
{
    redis_uv_t *uv = look->data;

    redisAsyncHandleRead(uv->context);

    if (uv->context != NULL && uv->context->replies.head == NULL) {
        uv->patient = 0;
        uv_timer_stop(look);
        redis_uv_set(uv, uv->events | UV_READABLE);
    }
}

static void
redis_uv_set(redis_uv_t *uv, int events)
{
    if (events == uv->events) {
        return;
    }

    uv->events = events;

    if (events != 0) {
        uv_poll_start(&uv->poll, events, redis_uv_on_event);
    } else {
        uv_poll_stop(&uv->poll);
    }
}

static void
redis_uv_add_read(void *data)
{
    redis_uv_t *uv = data;

    if (!uv->patient) {
        uv_timer_stop(&uv->look);
        redis_uv_set(uv, uv->events | UV_READABLE);
        return;
    }

    redis_uv_set(uv, uv->events & ~UV_READABLE);

    if (!uv_is_active((uv_handle_t *) &uv->look)) {
        uv_timer_start(&uv->look, redis_uv_on_look, REDIS_UV_LOOK, 0);
    }
}

static void
redis_uv_del_read(void *data)
{
    redis_uv_t *uv = data;

    redis_uv_set(uv, uv->events & ~UV_READABLE);
}

/*
 * Mostly the socket takes what it is given: it is watched only when it is full
 * or not connected yet.
 */
void
redis_uv_wake(redisAsyncContext *context)
{
    redis_uv_t *uv = context->ev.data;

    if (redis_uv_writing || !(context->c.flags & REDIS_CONNECTED)) {
        redis_uv_set(uv, uv->events | UV_WRITABLE);

    } else if ((uv->events & UV_WRITABLE) == 0) {
        uv_prepare_start(&uv->flush, redis_uv_on_flush);
    }
}

/* A command was queued, or the socket did not take all. */
static void
redis_uv_add_write(void *data)
{
    redis_uv_t *uv = data;

    uv->patient = 0;

    if (!uv->filling) {
        redis_uv_wake(uv->context);
    }
}

static void
redis_uv_del_write(void *data)
{
    redis_uv_t *uv = data;

    redis_uv_set(uv, uv->events & ~UV_WRITABLE);
}

int
redis_uv_publish(redisAsyncContext *context, redisCallbackFn *fn, void *data,
    const char **argv, const size_t *lens)
{
    redis_uv_t *uv = context->ev.data;
    unsigned patient = uv->patient || context->replies.head == NULL;
    int rc = redisAsyncCommandArgv(context, fn, data, 3, argv, lens);

    /* any other command ends patience when it is queued */
    uv->patient = patient;

    return rc;
}

static void
redis_uv_on_closed(uv_handle_t *handle)
{
    redis_uv_t *uv = handle->data;

    if (--uv->handles == 0) {
        free(uv);
    }
}

static void
redis_uv_close(redis_uv_t *uv)
{
    uv_close((uv_handle_t *) &uv->poll, redis_uv_on_closed);
    uv_close((uv_handle_t *) &uv->flush, redis_uv_on_closed);
    uv_close((uv_handle_t *) &uv->look, redis_uv_on_closed);
}

/* hiredis closes the descriptor right after this. */
static void
redis_uv_cleanup(void *data)
{
    redis_uv_t *uv = data;

    uv->context = NULL;
    redis_uv_close(uv);
}

int
redis_uv_attach(
    redisAsyncContext *context, uv_loop_t *loop, redis_uv_flush_fn fn)
{
    redis_uv_t *uv = calloc(1, sizeof(*uv));

    if (uv == NULL || uv_poll_init(loop, &uv->poll, context->c.fd) != 0) {
        free(uv);
        return REDIS_ERR;
    }

    /* these two can't fail */
    uv_prepare_init(loop, &uv->flush);
    uv_timer_init(loop, &uv->look);

    uv->poll.data = uv;
    uv->flush.data = uv;
    uv->look.data = uv;
    uv->handles = 3;
    uv->context = context;
    uv->fn = fn;
    context->ev.data = uv;
    context->ev.addRead = redis_uv_add_read;
    context->ev.delRead = redis_uv_del_read;
    context->ev.addWrite = redis_uv_add_write;
    context->ev.delWrite = redis_uv_del_write;
    context->ev.cleanup = redis_uv_cleanup;

    return REDIS_OK;
}
