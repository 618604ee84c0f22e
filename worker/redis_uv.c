#include <stdlib.h>

#include "redis_uv.h"

typedef struct {
    uv_poll_t poll;
    redisAsyncContext *context; /* NULL: it is gone */
    int events;
} redis_uv_t;

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
        redisAsyncHandleWrite(uv->context);
    }

    /* after an error libuv has stopped looking */
    if (status < 0 && uv->context != NULL && uv->events != 0) {
        uv_poll_start(poll, uv->events, redis_uv_on_event);
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

    redis_uv_set(uv, uv->events | UV_READABLE);
}

static void
redis_uv_del_read(void *data)
{
    redis_uv_t *uv = data;

    redis_uv_set(uv, uv->events & ~UV_READABLE);
}

static void
redis_uv_add_write(void *data)
{
    redis_uv_t *uv = data;

    redis_uv_set(uv, uv->events | UV_WRITABLE);
}

static void
redis_uv_del_write(void *data)
{
    redis_uv_t *uv = data;

    redis_uv_set(uv, uv->events & ~UV_WRITABLE);
}

static void
redis_uv_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* hiredis closes the descriptor right after this. */
static void
redis_uv_cleanup(void *data)
{
    redis_uv_t *uv = data;

    uv->context = NULL;
    uv_close((uv_handle_t *) &uv->poll, redis_uv_on_closed);
}

int
redis_uv_attach(redisAsyncContext *context, uv_loop_t *loop)
{
    redis_uv_t *uv = calloc(1, sizeof(*uv));

    if (uv == NULL || uv_poll_init(loop, &uv->poll, context->c.fd) != 0) {
        free(uv);
        return REDIS_ERR;
    }

    uv->poll.data = uv;
    uv->context = context;
    context->ev.data = uv;
    context->ev.addRead = redis_uv_add_read;
    context->ev.delRead = redis_uv_del_read;
    context->ev.addWrite = redis_uv_add_write;
    context->ev.delWrite = redis_uv_del_write;
    context->ev.cleanup = redis_uv_cleanup;

    return REDIS_OK;
}
