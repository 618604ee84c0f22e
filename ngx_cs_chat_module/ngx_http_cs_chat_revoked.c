/*
 * Revoked tokens: a sorted set in Redis holds them for all, the shared zone of
 * each NGINX for its own processes, and a control message tells of each.
 */

#include "ngx_http_cs_chat_bus_state.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_zone.h"


static void ngx_http_cs_chat_bus_share_revoked(
    void *data, u_char *key, time_t expires);
static void ngx_http_cs_chat_bus_say_revoked(u_char *key, time_t expires);
static void ngx_http_cs_chat_bus_share_again(
    void *data, u_char *key, time_t expires);
static void ngx_http_cs_chat_bus_shared(
    redisAsyncContext *context, void *reply, void *data);
static void ngx_http_cs_chat_bus_revoked_loaded(
    redisAsyncContext *context, void *reply, void *data);


void
ngx_http_cs_chat_bus_load_revoked(void)
{
    int rc;
    char ended[NGX_TIME_T_LEN + 2];
    redisAsyncContext *context;

    context = ngx_http_cs_chat_bus.commands.context;

    /* a Redis that forgot is told what this NGINX still knows */

    if (ngx_http_cs_chat_zone_each(ngx_http_cs_chat_bus.conf->zone,
            ngx_http_cs_chat_bus_share_revoked, context,
            ngx_http_cs_chat_bus.log)
        != NGX_OK)
    {
        ngx_http_cs_chat_link_break(
            &ngx_http_cs_chat_bus.commands, "out of memory");
        return;
    }

    *ngx_sprintf((u_char *) ended, "(%T",
        ngx_time() - NGX_HTTP_CS_CHAT_CLOCK_MARGIN) = '\0';

    rc = redisAsyncCommand(context, NULL, NULL, "ZREMRANGEBYSCORE %s -inf %s",
        ngx_http_cs_chat_bus.revoked_key, ended);

    if (rc == REDIS_OK) {
        rc = ngx_http_cs_chat_bus_load_roles();
    }

    if (rc == REDIS_OK) {
        rc = redisAsyncCommand(context, ngx_http_cs_chat_bus_revoked_loaded,
            NULL, "ZRANGE %s 0 -1 WITHSCORES",
            ngx_http_cs_chat_bus.revoked_key);
    }

    if (rc != REDIS_OK) {
        ngx_http_cs_chat_link_break(
            &ngx_http_cs_chat_bus.commands, "out of memory");
    }
}


static void
ngx_http_cs_chat_bus_share_revoked(void *data, u_char *key, time_t expires)
{
    char score[NGX_TIME_T_LEN + 1];
    redisAsyncContext *context;

    context = data;
    *ngx_sprintf((u_char *) score, "%T", expires) = '\0';

    (void) redisAsyncCommand(context, ngx_http_cs_chat_bus_shared, NULL,
        "ZADD %s %s %b", ngx_http_cs_chat_bus.revoked_key, score, key,
        (size_t) NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN);
}


static void
ngx_http_cs_chat_bus_shared(redisAsyncContext *context, void *reply, void *data)
{
    redisReply *answer;

    answer = reply;

    if (answer == NULL || answer->type == REDIS_REPLY_ERROR) {
        ngx_http_cs_chat_bus.untold = 1;
    }
}


void
ngx_http_cs_chat_bus_revoke_again(void)
{
    ngx_http_cs_chat_bus.untold = 1;
}


void
ngx_http_cs_chat_bus_tell_revoked(void)
{
    ngx_http_cs_chat_bus.untold = 0;

    if (ngx_http_cs_chat_zone_each(ngx_http_cs_chat_bus.conf->zone,
            ngx_http_cs_chat_bus_share_again,
            ngx_http_cs_chat_bus.commands.context, ngx_http_cs_chat_bus.log)
        != NGX_OK)
    {
        ngx_http_cs_chat_bus.untold = 1;
    }
}


static void
ngx_http_cs_chat_bus_share_again(void *data, u_char *key, time_t expires)
{
    ngx_http_cs_chat_bus_share_revoked(data, key, expires);
    ngx_http_cs_chat_bus_say_revoked(key, expires);
}


static void
ngx_http_cs_chat_bus_revoked_loaded(
    redisAsyncContext *context, void *reply, void *data)
{
    size_t i;
    time_t expires;
    redisReply *list, *key, *score;

    list = reply;

    if (list == NULL) {
        return;
    }

    if (list->type != REDIS_REPLY_ARRAY) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_cs_chat_bus.log, 0,
            "Redis does not tell which tokens are revoked: %s",
            list->type == REDIS_REPLY_ERROR ? list->str : "unexpected reply");
        ngx_http_cs_chat_link_break(&ngx_http_cs_chat_bus.commands, NULL);
        return;
    }

    for (i = 0; i + 1 < list->elements; i += 2) {
        key = list->element[i];
        score = list->element[i + 1];

        if (key->type != REDIS_REPLY_STRING || score->type != REDIS_REPLY_STRING
            || key->len != NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN)
        {
            continue;
        }

        expires = ngx_atotm((u_char *) score->str, score->len);

        if (expires == (time_t) NGX_ERROR) {
            continue;
        }

        ngx_http_cs_chat_hub_revoke((u_char *) key->str, expires);
    }

    if (ngx_http_cs_chat_bus.subscribed) {
        ngx_http_cs_chat_bus_set_ready();
    }
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_revoke(u_char *key, time_t expires, ngx_msec_t timeout,
    ngx_http_cs_chat_command_pt handler, void *data)
{
    size_t lens[4];
    const char *argv[4];
    ngx_http_cs_chat_call_t *call;
    u_char score[NGX_TIME_T_LEN];

    lens[0] = sizeof("ZADD") - 1;
    argv[0] = "ZADD";
    lens[1] = ngx_strlen(ngx_http_cs_chat_bus.revoked_key);
    argv[1] = ngx_http_cs_chat_bus.revoked_key;
    lens[2] = ngx_sprintf(score, "%T", expires) - score;
    argv[2] = (const char *) score;
    lens[3] = NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN;
    argv[3] = (const char *) key;

    call = ngx_http_cs_chat_bus_command(4, argv, lens, timeout, handler, data);

    if (call == NULL || call->failed) {
        return call;
    }

    /* one connection: whoever hears of it finds it in the set */

    ngx_http_cs_chat_bus_say_revoked(key, expires);

    return call;
}


static void
ngx_http_cs_chat_bus_say_revoked(u_char *key, time_t expires)
{
    csc_bus_message_t message;

    ngx_memzero(&message, sizeof(message));
    message.kind = CSC_BUS_CONTROL;
    message.op = csc_str("token.revoked");
    message.key.data = key;
    message.key.len = NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN;
    message.expires = (uint64_t) expires;

    ngx_http_cs_chat_bus_say(ngx_http_cs_chat_bus.events_channel,
        ngx_strlen(ngx_http_cs_chat_bus.events_channel), &message);
}
