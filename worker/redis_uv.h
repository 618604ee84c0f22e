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

/* REDIS_ERR when out of memory; the context is as it was then. */
int redis_uv_attach(redisAsyncContext *context, uv_loop_t *loop);

#endif /* REDIS_UV_H */
