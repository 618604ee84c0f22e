#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hiredis/sds.h>

#include "backoff.h"
#include "log.h"
#include "redis_link.h"
#include "redis_role.h"
#include "redis_uv.h"

#define REDIS_STEADY 5000 /* ms after which a link counts as sound */

static void redis_link_connect(redis_link_t *link);

static void redis_link_retry(redis_link_t *link, const char *reason);

/* The same fault is logged once, not at every attempt. */
static void
redis_link_fault(redis_link_t *link, const char *message, const char *reason)
{
    char fault[sizeof(link->fault)];

    snprintf(fault, sizeof(fault), "%s", reason);

    if (strcmp(fault, link->fault) != 0) {
        memcpy(link->fault, fault, sizeof(fault));
        log_error(message, LOG_TEXT("link", link->name),
            LOG_TEXT("address", link->address->text),
            LOG_TEXT("reason", reason));
    }
}

static void
redis_link_on_timer(uv_timer_t *timer)
{
    redis_link_t *link = timer->data;

    if (link->context == NULL) {
        redis_link_connect(link);
        return;
    }

    /* the time to connect and authenticate is over */
    redis_link_restart(link, "connecting took too long");
}

static void
redis_link_on_ready(redisAsyncContext *context, void *reply, void *data)
{
    redis_link_t *link = data;
    redisReply *answer = reply;

    if (answer == NULL || link->context != context || link->stopped) {
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        link->refused = 1;
        redis_link_fault(link, "Redis refuses", answer->str);
        redisAsyncDisconnect(context);
        return;
    }

    uv_timer_stop(&link->timer);
    link->ready = 1;
    link->ready_since = uv_now(link->loop);
    *link->fault = '\0';
    log_info("Redis connected", LOG_TEXT("link", link->name),
        LOG_TEXT("address", link->address->text),
        LOG_TEXT("at", *link->ip != '\0' ? link->ip : link->address->path));
    link->handlers.ready(link->handlers.data);
}

/* HELLO is allowed to every user, whatever his rights. */
static void
redis_link_on_role(redisAsyncContext *context, void *reply, void *data)
{
    redis_link_t *link = data;

    if (link->context == context && redis_role_replica(reply)) {
        redis_link_restart(link, REDIS_IS_REPLICA);
    }
}

void
redis_link_ask_role(redis_link_t *link)
{
    const char *argv[1] = { "HELLO" };

    redisAsyncCommandArgv(
        link->context, redis_link_on_role, link, 1, argv, NULL);
}

static void
redis_link_on_auth(redisAsyncContext *context, void *reply, void *data)
{
    redisReply *answer = reply;

    /* success is told by the PING behind it */
    if (answer != NULL && answer->type == REDIS_REPLY_ERROR) {
        redis_link_on_ready(context, reply, data);
    }
}

static void
redis_link_greet(redis_link_t *link)
{
    const redis_address_t *address = link->address;
    const char *argv[3] = { "AUTH", address->user, address->password };
    const char *hello[4] = { "HELLO", "2", "SETNAME", NULL };
    char name[64];
    int rc = REDIS_OK;

    if (*address->password != '\0') {
        if (*address->user == '\0') {
            argv[1] = address->password;
        }
        rc = redisAsyncCommandArgv(link->context, redis_link_on_auth, link,
            *address->user != '\0' ? 3 : 2, argv, NULL);
    }

    argv[0] = "PING";
    if (rc == REDIS_OK) {
        snprintf(name, sizeof(name), "cs-chat-worker-%s", link->name);
        hello[3] = name;
        redisAsyncCommandArgv(
            link->context, redis_link_on_role, link, 4, hello, NULL);
        redisAsyncCommandArgv(
            link->context, redis_link_on_ready, link, 1, argv, NULL);
    }
}

/*
 * hiredis calls this outside of its guard against freeing, so nothing is
 * freed here; after a failure it frees the context by itself.
 */
static void
redis_link_on_connect(const redisAsyncContext *context, int status)
{
    redis_link_t *link = context->data;

    if (link == NULL || link->context != context) {
        return;
    }

    if (status != REDIS_OK) {
        link->context = NULL;
        redis_link_retry(link, context->errstr);
    }
}

static void
redis_link_on_disconnect(const redisAsyncContext *context, int status)
{
    redis_link_t *link = context->data;

    if (link == NULL || link->context != context) {
        return;
    }

    link->context = NULL;
    redis_link_retry(
        link, status == REDIS_OK ? "disconnected" : context->errstr);
}

static void
redis_link_retry(redis_link_t *link, const char *reason)
{
    int was_ready = link->ready;

    link->ready = 0;

    if (!was_ready) {
        redis_where_failed(link->where, link->ip);
    }

    /* one that fails as soon as it is used is no success */
    if (was_ready && uv_now(link->loop) - link->ready_since > REDIS_STEADY) {
        link->delay = 0;
    }

    if (!link->stopped) {
        if (!link->refused) {
            redis_link_fault(
                link, "Redis can't be reached, trying again", reason);
        }
        uv_timer_start(
            &link->timer, redis_link_on_timer, backoff_next(&link->delay), 0);
    }

    if (was_ready) {
        link->handlers.gone(link->handlers.data);
    }
}

static void
redis_link_on_flush(redisAsyncContext *context)
{
    redis_link_t *link = context->data;

    if (link != NULL && link->ready && link->handlers.flush != NULL) {
        link->handlers.flush(link->handlers.data);
    }
}

static void
redis_link_attach(redis_link_t *link)
{
    const redis_address_t *address = link->address;
    redisAsyncContext *context;

    if (*address->path == '\0') {
        redis_where_next(link->where, link->ip);
    }

    context = *address->path != '\0'
                  ? redisAsyncConnectUnix(address->path)
                  : redisAsyncConnect(link->ip, address->port);

    if (context == NULL) {
        redis_link_retry(link, "out of memory");
        return;
    }

    if (context->err
        || redis_uv_attach(context, link->loop, redis_link_on_flush)
               != REDIS_OK)
    {
        redis_link_retry(
            link, context->err ? context->errstr : "out of memory");
        redisAsyncFree(context);
        return;
    }

    context->data = link;
    link->context = context;
    redisAsyncSetConnectCallback(context, redis_link_on_connect);
    redisAsyncSetDisconnectCallback(context, redis_link_on_disconnect);
    if (*address->path == '\0') {
        redisEnableKeepAlive(&context->c);
    }

    uv_timer_start(&link->timer, redis_link_on_timer, link->connect_timeout, 0);
    redis_link_greet(link);
}

static void
redis_link_on_resolved(
    uv_getaddrinfo_t *resolver, int status, struct addrinfo *result)
{
    redis_link_t *link = resolver->data;

    link->resolving = 0;

    if (status == 0) {
        redis_where_set(link->where, result);
        uv_freeaddrinfo(result);
    }

    if (link->stopped) {
        return;
    }

    /* where the name can't be resolved, its last addresses may do */
    if (link->where->n == 0) {
        redis_link_retry(link, uv_strerror(status));
        return;
    }

    redis_link_attach(link);
}

/* hiredis would resolve a name while the whole loop waits. */
static void
redis_link_connect(redis_link_t *link)
{
    struct addrinfo hints;
    unsigned char binary[sizeof(struct in6_addr)];
    const redis_address_t *address = link->address;
    int rc;

    link->refused = 0;

    if (*address->path != '\0'
        || uv_inet_pton(AF_INET, address->host, binary) == 0
        || uv_inet_pton(AF_INET6, address->host, binary) == 0)
    {
        redis_where_numeric(link->where, address->host);
        redis_link_attach(link);
        return;
    }

    if (link->resolving) {
        return;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    link->resolver.data = link;
    rc = uv_getaddrinfo(link->loop, &link->resolver, redis_link_on_resolved,
        address->host, NULL, &hints);

    if (rc != 0) {
        redis_link_retry(link, uv_strerror(rc));
        return;
    }

    link->resolving = 1;
}

int
redis_link_init(redis_link_t *link, uv_loop_t *loop,
    const redis_address_t *address, redis_where_t *where, const char *name,
    uint64_t connect_timeout, const redis_handlers_t *handlers)
{
    memset(link, 0, sizeof(*link));

    link->loop = loop;
    link->address = address;
    link->where = where;
    link->name = name;
    link->connect_timeout = connect_timeout;
    link->handlers = *handlers;
    link->timer.data = link;

    return uv_timer_init(loop, &link->timer) == 0 ? CSC_OK : CSC_ERROR;
}

void
redis_link_start(redis_link_t *link)
{
    redis_link_connect(link);
}

int
redis_link_command(redis_link_t *link, redisCallbackFn *fn, void *data,
    int argc, const char **argv, const size_t *lens)
{
    if (!link->ready || link->context == NULL) {
        return CSC_ERROR;
    }

    return redisAsyncCommandArgv(link->context, fn, data, argc, argv, lens)
                   == REDIS_OK
               ? CSC_OK
               : CSC_ERROR;
}

int
redis_link_publish(redis_link_t *link, redisCallbackFn *fn, void *data,
    const char *channel, csc_str_t message)
{
    const char *argv[3] = { "PUBLISH", channel, (const char *) message.data };
    size_t lens[3] = { sizeof("PUBLISH") - 1, strlen(channel), message.len };

    if (!link->ready || link->context == NULL) {
        return CSC_ERROR;
    }

    return redis_uv_publish(link->context, fn, data, argv, lens) == REDIS_OK
               ? CSC_OK
               : CSC_ERROR;
}

void
redis_link_wake(redis_link_t *link)
{
    if (link->context != NULL) {
        redis_uv_wake(link->context);
    }
}

size_t
redis_link_backlog(const redis_link_t *link)
{
    if (link->context == NULL || link->context->c.obuf == NULL) {
        return 0;
    }

#if HIREDIS_MAJOR >= 1
    return hi_sdslen(link->context->c.obuf);
#else
    return sdslen(link->context->c.obuf);
#endif
}

void
redis_link_restart(redis_link_t *link, const char *reason)
{
    redisAsyncContext *context = link->context;

    if (context == NULL) {
        return;
    }

    /* freeing calls back for every pending command */
    link->context = NULL;
    context->data = NULL;
    redisAsyncFree(context);
    redis_link_retry(link, reason);
}

void
redis_link_hurry(redis_link_t *link)
{
    if (link->context == NULL && !link->resolving && !link->stopped) {
        uv_timer_start(&link->timer, redis_link_on_timer, 0, 0);
    }
}

void
redis_link_stop(redis_link_t *link)
{
    if (link->stopped) {
        return;
    }

    link->stopped = 1;
    uv_close((uv_handle_t *) &link->timer, NULL);

    if (link->resolving) {
        uv_cancel((uv_req_t *) &link->resolver);
    }

    if (link->context != NULL) {
        if (link->ready) {
            redisAsyncDisconnect(link->context);
        } else {
            link->context->data = NULL;
            redisAsyncFree(link->context);
            link->context = NULL;
        }
    }
}
