/* What goes out over the bus: requests, commands to Redis, announcements. */

#include "ngx_http_cs_chat_bus_state.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_source.h"


#define RETRY_INTERVAL 50 /* ms between attempts to find a shard's holder */
#define RETRY_LIMIT 3000  /* ms in which a shard finds a new holder */
#define RETRY_ROOM 100    /* ms that an attempt needs to tell who heard it */


static ngx_uint_t ngx_http_cs_chat_bus_room(size_t len);
static void ngx_http_cs_chat_bus_full(const char *what, size_t n);
static ngx_int_t ngx_http_cs_chat_bus_send(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_bus_unheard(ngx_http_cs_chat_call_t *call);
static ngx_int_t ngx_http_cs_chat_bus_renew_ttl(ngx_http_cs_chat_call_t *call);
static ngx_int_t ngx_http_cs_chat_bus_encode(
    csc_bus_message_t *message, u_char **bytes, size_t *len);
static ngx_int_t ngx_http_cs_chat_bus_publish(const char *channel,
    size_t channel_len, u_char *bytes, size_t len, redisCallbackFn *callback,
    void *data);
static void ngx_http_cs_chat_bus_published(
    redisAsyncContext *context, void *reply, void *id);
static void ngx_http_cs_chat_bus_commanded(
    redisAsyncContext *context, void *reply, void *id);


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_request(csc_bus_message_t *message, csc_str_t shard_by,
    ngx_msec_t timeout, ngx_http_cs_chat_reply_pt handler, void *data)
{
    size_t len;
    u_char *bytes;
    ngx_uint_t room;
    ngx_http_cs_chat_call_t *call;

    room = ngx_http_cs_chat_bus_room(message->body.len);

    call = ngx_http_cs_chat_call_new(timeout, data);
    if (call == NULL) {
        return NULL;
    }

    call->on_reply = handler;
    call->asked = ngx_http_cs_chat_metrics_clock();
    call->transport = message->ws ? CSC_TRANSPORT_WEBSOCKET
                                  : CSC_TRANSPORT_HTTP;
    call->send = csc_str_is(message->op, csc_op_name(CSC_OP_MESSAGES_SEND));

    if (!room) {
        ngx_http_cs_chat_call_fail_later(call, CSC_E_BACKEND_UNAVAILABLE);
        return call;
    }

    message->kind = CSC_BUS_REQUEST;
    message->id = call->number;
    message->from.data = ngx_http_cs_chat_bus.process;
    message->from.len = NGX_HTTP_CS_CHAT_PROCESS_LEN;
    message->ttl = timeout;

    call->shard = shard_by.len ? csc_bus_shard(shard_by)
                               : (unsigned) ngx_random() % CSC_BUS_SHARDS;

    if (ngx_http_cs_chat_bus_encode(message, &bytes, &len) != NGX_OK) {
        ngx_http_cs_chat_call_free(call);
        return NULL;
    }

    ngx_http_cs_chat_call_hold(call, bytes, len);

    if (ngx_http_cs_chat_bus_send(call) != NGX_OK) {
        ngx_http_cs_chat_call_free(call);
        return NULL;
    }

    return call;
}


/*
 * 1 when a message of some length may go out.  A Redis that hangs takes
 * nothing, and hiredis keeps whatever it is given; a shard without a holder
 * leaves its requests with us.  Neither may fill the memory.
 */

static ngx_uint_t
ngx_http_cs_chat_bus_room(size_t len)
{
    size_t waiting;
    ngx_uint_t calls;
    ngx_http_cs_chat_main_conf_t *conf;

    if (!ngx_http_cs_chat_bus.ready) {
        return 0;
    }

    conf = ngx_http_cs_chat_bus.conf;
    calls = ngx_http_cs_chat_calls_count();

    if (calls >= conf->max_requests) {
        ngx_http_cs_chat_bus_full("requests await an answer", calls);
        return 0;
    }

    waiting = ngx_max(ngx_http_cs_chat_calls_held(),
        ngx_http_cs_chat_link_backlog(&ngx_http_cs_chat_bus.commands));

    /* one message is never too much, however long */

    if (waiting && waiting + len > conf->redis_buffer) {
        ngx_http_cs_chat_bus_full("bytes wait for Redis", waiting);
        return 0;
    }

    return 1;
}


static void
ngx_http_cs_chat_bus_full(const char *what, size_t n)
{
    static time_t logged;

    if (logged != ngx_time()) {
        logged = ngx_time();
        ngx_log_error(NGX_LOG_ERR, ngx_http_cs_chat_bus.log, 0,
            "%uz %s: what else is to go to Redis is refused", n, what);
    }
}


static ngx_int_t
ngx_http_cs_chat_bus_send(ngx_http_cs_chat_call_t *call)
{
    size_t len;
    char channel[NGX_HTTP_CS_CHAT_CHANNEL_SIZE];

    len = csc_bus_request_channel(ngx_http_cs_chat_bus.prefix, call->shard,
        channel, NGX_HTTP_CS_CHAT_CHANNEL_SIZE);

    return ngx_http_cs_chat_bus_publish(channel, len, call->bytes, call->len,
        ngx_http_cs_chat_bus_published, (void *) call->number);
}


void
ngx_http_cs_chat_bus_tell(csc_bus_message_t *message, unsigned shard,
    redisCallbackFn *published, void *data)
{
    size_t len, size;
    u_char *bytes;
    ngx_int_t rc;
    char channel[NGX_HTTP_CS_CHAT_CHANNEL_SIZE];

    message->kind = CSC_BUS_REQUEST;
    message->from.data = ngx_http_cs_chat_bus.process;
    message->from.len = NGX_HTTP_CS_CHAT_PROCESS_LEN;

    len = csc_bus_request_channel(ngx_http_cs_chat_bus.prefix, shard, channel,
        NGX_HTTP_CS_CHAT_CHANNEL_SIZE);

    rc = NGX_ERROR;

    if (ngx_http_cs_chat_bus_room(message->body.len)
        && ngx_http_cs_chat_bus_encode(message, &bytes, &size) == NGX_OK)
    {
        rc = ngx_http_cs_chat_bus_publish(
            channel, len, bytes, size, published, data);
        ngx_free(bytes);
    }

    if (rc != NGX_OK && published != NULL) {
        published(NULL, NULL, data);
    }
}


/* Publishes what has no answer. */

void
ngx_http_cs_chat_bus_say(
    const char *channel, size_t channel_len, csc_bus_message_t *message)
{
    size_t len;
    u_char *bytes;

    if (ngx_http_cs_chat_bus_encode(message, &bytes, &len) == NGX_OK) {
        (void) ngx_http_cs_chat_bus_publish(
            channel, channel_len, bytes, len, NULL, NULL);
        ngx_free(bytes);
    }
}


static ngx_int_t
ngx_http_cs_chat_bus_encode(
    csc_bus_message_t *message, u_char **bytes, size_t *len)
{
    *len = csc_bus_size(message);

    if (*len == 0) {
        ngx_log_error(NGX_LOG_ALERT, ngx_http_cs_chat_bus.log, 0,
            "a message for Redis can't be encoded");
        return NGX_ERROR;
    }

    *bytes = ngx_alloc(*len, ngx_http_cs_chat_bus.log);
    if (*bytes == NULL) {
        return NGX_ERROR;
    }

    csc_bus_encode(message, *bytes);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cs_chat_bus_publish(const char *channel, size_t channel_len,
    u_char *bytes, size_t len, redisCallbackFn *callback, void *data)
{
    int rc;
    csc_str_t to, message;

    to.data = (u_char *) channel;
    to.len = channel_len;
    message.data = bytes;
    message.len = len;

    rc = ngx_http_cs_chat_link_publish(
        &ngx_http_cs_chat_bus.commands, callback, data, to, message);

    return (rc == REDIS_OK) ? NGX_OK : NGX_ERROR;
}


/* PUBLISH says how many heard it: nobody means that nothing was stored. */

static void
ngx_http_cs_chat_bus_published(
    redisAsyncContext *context, void *reply, void *id)
{
    redisReply *answer;
    ngx_http_cs_chat_call_t *call;

    answer = reply;
    call = ngx_http_cs_chat_call_find((ngx_uint_t) id);

    if (answer == NULL || call == NULL) {
        return;
    }

    if (answer->type == REDIS_REPLY_INTEGER && answer->integer > 0) {
        ngx_http_cs_chat_call_heard(call);
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_cs_chat_bus.log, 0,
            "Redis refused to publish a request: %s", answer->str);
        ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    ngx_http_cs_chat_bus_unheard(call);
}


/*
 * While a shard goes from one worker to another nobody hears its requests for
 * a moment.  As long as there is a worker they are sent again; nothing was
 * stored, so no deadline turns that into an unknown outcome.
 */

static void
ngx_http_cs_chat_bus_unheard(ngx_http_cs_chat_call_t *call)
{
    ngx_msec_int_t left;

    left = (ngx_msec_int_t) (call->deadline - ngx_current_msec);

    if (!ngx_http_cs_chat_sources_alive()
        || ngx_current_msec - call->began >= RETRY_LIMIT || left < RETRY_ROOM)
    {
        ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    call->failed = CSC_E_BACKEND_UNAVAILABLE;
    call->retrying = 1;
    ngx_queue_insert_tail(&ngx_http_cs_chat_bus.retries, &call->retry);

    if (!ngx_http_cs_chat_bus.retry.timer_set) {
        ngx_add_timer(&ngx_http_cs_chat_bus.retry, RETRY_INTERVAL);
    }
}


void
ngx_http_cs_chat_bus_retry(ngx_event_t *ev)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_call_t *call;

    while (!ngx_queue_empty(&ngx_http_cs_chat_bus.retries)) {
        q = ngx_queue_head(&ngx_http_cs_chat_bus.retries);
        call = ngx_queue_data(q, ngx_http_cs_chat_call_t, retry);

        ngx_queue_remove(q);
        call->retrying = 0;

        if (!ngx_http_cs_chat_bus.ready
            || ngx_http_cs_chat_bus_renew_ttl(call) != NGX_OK
            || ngx_http_cs_chat_bus_send(call) != NGX_OK)
        {
            ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
            continue;
        }

        call->failed = CSC_E_NONE;
        ngx_http_cs_chat_metrics->retried++;
    }
}


/* The asker has waited meanwhile: the request says how long it still will. */

static ngx_int_t
ngx_http_cs_chat_bus_renew_ttl(ngx_http_cs_chat_call_t *call)
{
    size_t len;
    u_char *bytes;
    csc_str_t old;
    const char *why;
    ngx_msec_int_t left;
    csc_bus_message_t message;

    old.data = call->bytes;
    old.len = call->len;
    left = (ngx_msec_int_t) (call->deadline - ngx_current_msec);

    if (left <= 0 || csc_bus_decode(old, &message, &why) != CSC_OK) {
        return NGX_ERROR;
    }

    message.ttl = left;

    if (ngx_http_cs_chat_bus_encode(&message, &bytes, &len) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_cs_chat_call_hold(call, bytes, len);

    return NGX_OK;
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_command(int argc, const char **argv, const size_t *lens,
    ngx_msec_t timeout, ngx_http_cs_chat_command_pt handler, void *data)
{
    ngx_uint_t room;
    ngx_http_cs_chat_call_t *call;

    room = ngx_http_cs_chat_bus_room(0);

    call = ngx_http_cs_chat_call_new(timeout, data);
    if (call == NULL) {
        return NULL;
    }

    call->on_command = handler;

    if (!room) {
        ngx_http_cs_chat_call_fail_later(call, CSC_E_BACKEND_UNAVAILABLE);
        return call;
    }

    if (redisAsyncCommandArgv(ngx_http_cs_chat_bus.commands.context,
            ngx_http_cs_chat_bus_commanded, (void *) call->number, argc, argv,
            lens)
        != REDIS_OK)
    {
        ngx_http_cs_chat_call_free(call);
        return NULL;
    }

    return call;
}


static void
ngx_http_cs_chat_bus_commanded(
    redisAsyncContext *context, void *reply, void *id)
{
    redisReply *answer;
    ngx_http_cs_chat_call_t *call;

    answer = reply;
    call = ngx_http_cs_chat_call_find((ngx_uint_t) id);

    if (answer == NULL || call == NULL) {
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_cs_chat_bus.log, 0,
            "Redis refused a command: %s", answer->str);
        ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    ngx_http_cs_chat_call_result(call, answer);
}
