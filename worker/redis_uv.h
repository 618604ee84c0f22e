/*
 * hiredis on libuv.  The adapter that comes with hiredis passes over what
 * libuv reports as an error of the socket (a refused connection, a reset), so
 * that nobody would ever hear of it.
 */

#ifndef REDIS_UV_H
#define REDIS_UV_H

#include <uv.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>

/* Called before what is queued is written: it may queue more. */
typedef void (*redis_uv_flush_fn)(redisAsyncContext *context);

/* REDIS_ERR when out of memory; the context is as it was then. */
int redis_uv_attach(
    redisAsyncContext *context, uv_loop_t *loop, redis_uv_flush_fn fn);

/* Has what is queued written, and fn called, before the loop waits again. */
void redis_uv_wake(redisAsyncContext *context);

/*
 * Sends PUBLISH with a channel and a message.  As with hiredis, but the answer
 * may be read some ms later than it comes, together with others, unless that
 * to another command is awaited.
 */
int redis_uv_publish(redisAsyncContext *context, redisCallbackFn *fn,
    void *data, const char **argv, const size_t *lens);

#endif /* REDIS_UV_H */
