#include "ngx_http_cs_chat_redis.h"
#include "ngx_http_cs_chat_redis_event.h"
#include "ngx_http_cs_chat_redis_reply.h"
#include "ngx_http_cs_chat_redis_tls.h"

#include <hiredis/sds.h>


#define CONNECT_TIMEOUT 3000 /* ms, authentication included */
#define FIRST_DELAY 50       /* ms before the second attempt */
#define LONGEST_DELAY 2000   /* ms */

#define PUBLISH "*3" CRLF "$7" CRLF "PUBLISH" CRLF
#define BULK (sizeof("$" CRLF CRLF) - 1 + NGX_SIZE_T_LEN) /* beside its text */


static void ngx_http_cs_chat_link_connect(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_link_resolved(void *data);
static void ngx_http_cs_chat_link_connected(
    const redisAsyncContext *context, int status);
static void ngx_http_cs_chat_link_disconnected(
    const redisAsyncContext *context, int status);
static void ngx_http_cs_chat_link_hello(
    redisAsyncContext *context, void *reply, void *last);
static void ngx_http_cs_chat_link_role(
    redisAsyncContext *context, void *reply, void *data);
static u_char *ngx_http_cs_chat_link_bulk(u_char *p, csc_str_t text);
static void ngx_http_cs_chat_link_timer(ngx_event_t *ev);
static void ngx_http_cs_chat_link_broken(ngx_event_t *ev);
static void ngx_http_cs_chat_link_drop(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_link_lost(ngx_http_cs_chat_link_t *link);


void
ngx_http_cs_chat_link_open(ngx_http_cs_chat_link_t *link)
{
    link->log = *ngx_cycle->log;
    link->delay = FIRST_DELAY;

    link->timer.handler = ngx_http_cs_chat_link_timer;
    link->timer.data = link;
    link->timer.log = &link->log;
    link->timer.cancelable = 1;

    link->query.where = link->where;
    link->query.handler = ngx_http_cs_chat_link_resolved;
    link->query.data = link;

    link->broken.handler = ngx_http_cs_chat_link_broken;
    link->broken.data = link;
    link->broken.log = &link->log;

    ngx_http_cs_chat_link_events(link);
    ngx_http_cs_chat_link_connect(link);
}


static void
ngx_http_cs_chat_link_connect(ngx_http_cs_chat_link_t *link)
{
    if (ngx_http_cs_chat_where_ask(&link->query) != NGX_OK) {
        ngx_http_cs_chat_link_resolved(link);
    }
}


static void
ngx_http_cs_chat_link_resolved(void *data)
{
    ngx_http_cs_chat_link_t *link;
    ngx_http_cs_chat_redis_conf_t *conf;

    link = data;
    conf = link->conf;

    if (conf->path.len) {
        link->context = redisAsyncConnectUnix((char *) conf->path.data);

    } else {
        if (ngx_http_cs_chat_where_next(link->where, link->address) != NGX_OK) {
            ngx_http_cs_chat_link_lost(link);
            return;
        }

        link->context = redisAsyncConnect(link->address, conf->port);
    }

    if (link->context == NULL) {
        ngx_log_error(NGX_LOG_ERR, &link->log, 0,
            "no memory to connect to Redis for %s", link->name);
        ngx_http_cs_chat_link_lost(link);
        return;
    }

    link->context->data = link;

    if (link->context->err) {
        ngx_log_error(NGX_LOG_ERR, &link->log, 0,
            "connecting to Redis at \"%V\" for %s failed: %s", &conf->address,
            link->name, link->context->errstr);
        ngx_http_cs_chat_link_drop(link);
        return;
    }

    if (ngx_http_cs_chat_link_attach(link) != NGX_OK
        || ngx_http_cs_chat_link_tls(link) != NGX_OK)
    {
        ngx_http_cs_chat_link_drop(link);
        return;
    }

    ngx_http_cs_chat_link_replies(link);

    (void) redisAsyncSetConnectCallback(
        link->context, ngx_http_cs_chat_link_connected);
    (void) redisAsyncSetDisconnectCallback(
        link->context, ngx_http_cs_chat_link_disconnected);

    ngx_add_timer(&link->timer, CONNECT_TIMEOUT);
}


/*
 * hiredis 0.14 calls this outside of its guard: nothing may be freed here.
 * After a failure hiredis frees the context itself.
 */

static void
ngx_http_cs_chat_link_connected(const redisAsyncContext *context, int status)
{
    int rc;
    char database[NGX_INT_T_LEN + 1];
    redisAsyncContext *ac;
    ngx_http_cs_chat_link_t *link;
    ngx_http_cs_chat_redis_conf_t *conf;

    link = context->data;
    conf = link->conf;

    if (status != REDIS_OK) {
        ngx_log_error(NGX_LOG_ERR, &link->log, 0,
            "connecting to Redis at \"%V\" for %s failed: %s", &conf->address,
            link->name, context->errstr);
        link->context = NULL;
        ngx_http_cs_chat_link_lost(link);
        return;
    }

    ac = link->context;
    rc = REDIS_OK;

    if (conf->user.len) {
        rc = redisAsyncCommand(ac, ngx_http_cs_chat_link_hello, NULL,
            "AUTH %b %b", conf->user.data, conf->user.len, conf->password.data,
            conf->password.len);

    } else if (conf->password.len) {
        rc = redisAsyncCommand(ac, ngx_http_cs_chat_link_hello, NULL, "AUTH %b",
            conf->password.data, conf->password.len);
    }

    if (rc == REDIS_OK && conf->database) {
        *ngx_sprintf((u_char *) database, "%ui", conf->database) = '\0';
        rc = redisAsyncCommand(
            ac, ngx_http_cs_chat_link_hello, NULL, "SELECT %s", database);
    }

    /* also finds a Redis that is still loading its data */

    /* HELLO is allowed to every user, whatever his rights */

    if (rc == REDIS_OK) {
        rc = redisAsyncCommand(ac, ngx_http_cs_chat_link_role, NULL,
            "HELLO 2 SETNAME cs-chat-nginx-%s", link->name);
    }

    if (rc == REDIS_OK) {
        rc = redisAsyncCommand(ac, ngx_http_cs_chat_link_hello, link, "PING");
    }

    if (rc != REDIS_OK) {
        ngx_http_cs_chat_link_break(link, "out of memory");
    }
}


static void
ngx_http_cs_chat_link_hello(redisAsyncContext *context, void *reply, void *last)
{
    redisReply *answer;
    ngx_http_cs_chat_link_t *link;

    link = context->data;
    answer = reply;

    if (answer == NULL || link->context != context || link->broken.posted) {
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, &link->log, 0,
            "Redis at \"%V\" refused the connection for %s: %s",
            &link->conf->address, link->name, answer->str);
        ngx_http_cs_chat_link_break(link, NULL);
        return;
    }

    if (last != NULL) {
        ngx_del_timer(&link->timer);
        link->connected = 1;
        link->on_connect(link);
    }
}


int
ngx_http_cs_chat_link_ask_role(ngx_http_cs_chat_link_t *link)
{
    return redisAsyncCommand(
        link->context, ngx_http_cs_chat_link_role, NULL, "HELLO");
}


static void
ngx_http_cs_chat_link_role(redisAsyncContext *context, void *reply, void *data)
{
    size_t i;
    redisReply *hello, *name, *value;
    ngx_http_cs_chat_link_t *link;

    link = context->data;
    hello = reply;

    /* an error is told by the PING behind it, or by nothing */

    if (hello == NULL || hello->type != REDIS_REPLY_ARRAY
        || link->context != context)
    {
        return;
    }

    for (i = 0; i + 1 < hello->elements; i += 2) {
        name = hello->element[i];
        value = hello->element[i + 1];

        if (name->type == REDIS_REPLY_STRING
            && value->type == REDIS_REPLY_STRING
            && ngx_strcmp(name->str, "role") == 0
            && ngx_strcmp(value->str, "master") != 0)
        {
            ngx_http_cs_chat_link_break(
                link, "it is a replica, which takes no commands");
            return;
        }
    }
}


/* What hiredis would write for its arguments, without its pieces of memory. */

int
ngx_http_cs_chat_link_publish(ngx_http_cs_chat_link_t *link,
    redisCallbackFn *callback, void *data, csc_str_t channel, csc_str_t message)
{
    int rc;
    u_char *command, *p;
    ngx_uint_t patient;

    command = ngx_alloc(
        sizeof(PUBLISH) - 1 + 2 * BULK + channel.len + message.len, &link->log);

    if (command == NULL) {
        return REDIS_ERR;
    }

    p = ngx_cpymem(command, PUBLISH, sizeof(PUBLISH) - 1);
    p = ngx_http_cs_chat_link_bulk(p, channel);
    p = ngx_http_cs_chat_link_bulk(p, message);

    patient = link->patient || link->context->replies.head == NULL;

    rc = redisAsyncFormattedCommand(
        link->context, callback, data, (char *) command, p - command);

    ngx_free(command);

    /* any other command ends patience when it is queued */

    link->patient = patient;

    return rc;
}


/* A text as Redis takes it, behind its length. */

static u_char *
ngx_http_cs_chat_link_bulk(u_char *p, csc_str_t text)
{
    p = ngx_sprintf(p, "$%uz" CRLF, text.len);
    p = ngx_cpymem(p, text.data, text.len);

    return ngx_cpymem(p, CRLF, sizeof(CRLF) - 1);
}


size_t
ngx_http_cs_chat_link_backlog(ngx_http_cs_chat_link_t *link)
{
    if (link->context == NULL || link->context->c.obuf == NULL) {
        return 0;
    }

#if (HIREDIS_MAJOR >= 1)
    return hi_sdslen(link->context->c.obuf);
#else
    return sdslen(link->context->c.obuf);
#endif
}


void
ngx_http_cs_chat_link_proved(ngx_http_cs_chat_link_t *link)
{
    link->delay = FIRST_DELAY;
}


/* hiredis frees the context after this. */

static void
ngx_http_cs_chat_link_disconnected(const redisAsyncContext *context, int status)
{
    ngx_http_cs_chat_link_t *link;

    link = context->data;

    if (link->context != context) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, &link->log, 0,
        "the connection to Redis at \"%V\" for %s was lost: %s",
        &link->conf->address, link->name,
        context->err ? context->errstr : "closed");

    link->context = NULL;
    ngx_http_cs_chat_link_lost(link);
}


void
ngx_http_cs_chat_link_break(ngx_http_cs_chat_link_t *link, const char *why)
{
    if (link->context == NULL || link->broken.posted) {
        return;
    }

    if (why != NULL) {
        ngx_log_error(NGX_LOG_ERR, &link->log, 0,
            "the connection to Redis at \"%V\" for %s is given up: %s",
            &link->conf->address, link->name, why);
    }

    ngx_post_event(&link->broken, &ngx_posted_events);
}


static void
ngx_http_cs_chat_link_broken(ngx_event_t *ev)
{
    ngx_http_cs_chat_link_drop(ev->data);
}


static void
ngx_http_cs_chat_link_drop(ngx_http_cs_chat_link_t *link)
{
    redisAsyncContext *context;

    context = link->context;
    link->context = NULL;

    if (context != NULL) {
        redisAsyncFree(context);
        ngx_http_cs_chat_link_lost(link);
    }
}


static void
ngx_http_cs_chat_link_lost(ngx_http_cs_chat_link_t *link)
{
    ngx_uint_t connected;

    if (link->broken.posted) {
        ngx_delete_posted_event(&link->broken);
    }

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    connected = link->connected;
    link->connected = 0;

    if (!connected) {
        ngx_http_cs_chat_where_failed(link->where, link->address);
    }

    if (link->closing) {
        return;
    }

    /* a random half of the delay keeps many processes from coming at once */

    ngx_add_timer(&link->timer,
        link->delay / 2 + (ngx_msec_t) ngx_random() % (link->delay / 2 + 1));
    link->delay = ngx_min(link->delay * 2, LONGEST_DELAY);

    if (connected) {
        link->on_down(link);

    } else {
        link->on_failure(link);
    }
}


static void
ngx_http_cs_chat_link_timer(ngx_event_t *ev)
{
    ngx_http_cs_chat_link_t *link;

    link = ev->data;

    if (link->context == NULL) {
        ngx_http_cs_chat_link_connect(link);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, &link->log, 0,
        "connecting to Redis at \"%V\" for %s timed out", &link->conf->address,
        link->name);

    ngx_http_cs_chat_link_drop(link);
}


void
ngx_http_cs_chat_link_close(ngx_http_cs_chat_link_t *link)
{
    link->closing = 1;

    /* what was said last leaves if the socket takes it at once */

    if (link->connected && link->context != NULL) {
        redisAsyncHandleWrite(link->context);
    }

    ngx_http_cs_chat_link_drop(link);
    ngx_http_cs_chat_link_replies_end(link);
    ngx_http_cs_chat_where_cancel(&link->query);

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }
}
