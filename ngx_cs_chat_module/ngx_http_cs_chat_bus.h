/*
 * The module's side of the bus: requests to the chat workers with their
 * replies and deadlines, events for the hub, commands to Redis.  One per
 * NGINX process.  The protocol is described in docs/bus.md.
 */

#ifndef NGX_HTTP_CS_CHAT_BUS_H
#define NGX_HTTP_CS_CHAT_BUS_H

#include "ngx_http_cs_chat_module.h"
#include "ngx_http_cs_chat_redis.h"

#include "csc_bus.h"


typedef struct ngx_http_cs_chat_call_s ngx_http_cs_chat_call_t;

/*
 * The end of a request: a reply (error is CSC_E_NONE), or NULL and why there
 * is none.  Called exactly once, unless the call was cancelled before, and
 * never from within ngx_http_cs_chat_bus_request().  The reply's views are
 * valid until the function returns.
 */
typedef void (*ngx_http_cs_chat_reply_pt)(
    void *data, csc_bus_message_t *reply, csc_error_e error);

/* The end of a command to Redis, under the same rules. */
typedef void (*ngx_http_cs_chat_command_pt)(
    void *data, redisReply *reply, csc_error_e error);


/* Starts and ends the bus of this process. */
ngx_int_t ngx_http_cs_chat_bus_init(
    ngx_http_cs_chat_main_conf_t *conf, ngx_log_t *log);
void ngx_http_cs_chat_bus_exit(void);

/*
 * 1 when requests can go out: subscribed, and the revoked tokens are known.
 * Without that no token may be trusted.
 */
ngx_uint_t ngx_http_cs_chat_bus_ready(void);

/*
 * 1 while the process has only just started and its first attempt to connect
 * is under way: requests are held until it ends.
 */
ngx_uint_t ngx_http_cs_chat_bus_starting(void);

/*
 * Runs handler(data) once, as soon as the bus is no longer starting.  The
 * returned call can be cancelled; NULL when too many wait, or out of memory.
 */
ngx_http_cs_chat_call_t *ngx_http_cs_chat_bus_wait(
    ngx_http_cs_chat_command_pt handler, void *data);

/*
 * Sends a request to the shard of an id (empty: to any) and awaits the reply
 * for timeout ms.  kind, id, from and ttl of the message are set here; the
 * rest is the caller's and not needed after the call.
 *
 * The returned call can be cancelled until the handler is called; NULL when
 * out of memory or when the message can't be encoded.  While the bus is not
 * ready, or when too much waits, the call ends at the next turn of the loop by
 * CSC_E_BACKEND_UNAVAILABLE.
 */
ngx_http_cs_chat_call_t *ngx_http_cs_chat_bus_request(
    csc_bus_message_t *message, csc_str_t shard_by, ngx_msec_t timeout,
    ngx_http_cs_chat_reply_pt handler, void *data);

/*
 * Sends a request that has no reply; dropped while the bus is not ready, or
 * when too much waits for Redis.  Redis' answer, how many heard it, goes to
 * published where that is not NULL; NULL for an answer where there is none.
 */
void ngx_http_cs_chat_bus_tell(csc_bus_message_t *message, unsigned shard,
    redisCallbackFn *published, void *data);

/*
 * Sends a command to Redis and awaits its reply for timeout ms; as above.
 * An error reply of Redis is logged and comes as CSC_E_BACKEND_UNAVAILABLE.
 */
ngx_http_cs_chat_call_t *ngx_http_cs_chat_bus_command(int argc,
    const char **argv, const size_t *lens, ngx_msec_t timeout,
    ngx_http_cs_chat_command_pt handler, void *data);

/*
 * Remembers in Redis and tells all processes that a token is revoked; the
 * handler hears when that is done.
 */
ngx_http_cs_chat_call_t *ngx_http_cs_chat_bus_revoke(u_char *key,
    time_t expires, ngx_msec_t timeout, ngx_http_cs_chat_command_pt handler,
    void *data);

/*
 * A revocation may not have come to Redis: what this NGINX knows of is told
 * again with a later sign of life.
 */
void ngx_http_cs_chat_bus_revoke_again(void);

/* The handler will not be called; NULL is allowed. */
void ngx_http_cs_chat_bus_cancel(ngx_http_cs_chat_call_t *call);

/*
 * Writes the id for a new message, a UUID of version 7, to out (36 bytes).
 * NGX_ERROR when there are no random numbers.
 */
ngx_int_t ngx_http_cs_chat_bus_message_id(u_char *out);

/* Key of a ticket in Redis, NUL-terminated, to out; 0 when it doesn't fit. */
size_t ngx_http_cs_chat_bus_ticket_key(ngx_str_t *hash, char *out, size_t size);

/* The shared zone of this process' configuration. */
ngx_shm_zone_t *ngx_http_cs_chat_bus_zone(void);


#endif /* NGX_HTTP_CS_CHAT_BUS_H */
