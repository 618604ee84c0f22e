/* What comes in over the bus: replies, events, control messages, heartbeats. */

#include "ngx_http_cs_chat_bus_state.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_order.h"
#include "ngx_http_cs_chat_source.h"

#include "csc_bundle.h"


static void ngx_http_cs_chat_bus_message(csc_str_t bytes, ngx_uint_t bundled);
static void ngx_http_cs_chat_bus_bundle(csc_str_t body);
static void ngx_http_cs_chat_bus_dropped(size_t len, const char *why);
static void ngx_http_cs_chat_bus_on_reply(csc_bus_message_t *message);
static void ngx_http_cs_chat_bus_on_control(csc_bus_message_t *message);
static void ngx_http_cs_chat_bus_count(csc_bus_message_t *message);


void
ngx_http_cs_chat_bus_receive(
    redisAsyncContext *context, void *reply, void *data)
{
    csc_str_t bytes;
    redisReply *array, *kind, *payload;

    array = reply;

    if (array == NULL) {
        return;
    }

    if (array->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_cs_chat_bus.log, 0,
            "Redis refused to subscribe: %s", array->str);
        ngx_http_cs_chat_link_break(&ngx_http_cs_chat_bus.subscriptions, NULL);
        return;
    }

    if (array->type != REDIS_REPLY_ARRAY || array->elements != 3) {
        return;
    }

    kind = array->element[0];
    payload = array->element[2];

    if (kind->type != REDIS_REPLY_STRING) {
        return;
    }

    if (payload->type == REDIS_REPLY_INTEGER) {
        /* "subscribe", once for each of the two channels */

        if (payload->integer == 2 && !ngx_http_cs_chat_bus.subscribed) {
            ngx_http_cs_chat_bus.subscribed = 1;

            if (ngx_http_cs_chat_bus.commands.connected) {
                ngx_http_cs_chat_bus_load_revoked();
            }
        }

        return;
    }

    if (payload->type != REDIS_REPLY_STRING) {
        return;
    }

    bytes.data = (u_char *) payload->str;
    bytes.len = payload->len;

    ngx_http_cs_chat_bus_message(bytes, 0);
}


static void
ngx_http_cs_chat_bus_message(csc_str_t bytes, ngx_uint_t bundled)
{
    const char *why;
    csc_bus_message_t message;

    if (csc_bus_decode(bytes, &message, &why) != CSC_OK) {
        ngx_http_cs_chat_bus_dropped(bytes.len, why);
        return;
    }

    switch (message.kind) {
    case CSC_BUS_REPLY:
        ngx_http_cs_chat_bus_on_reply(&message);
        break;

    case CSC_BUS_EVENT:
        ngx_http_cs_chat_bus_count(&message);

        /* before the resync that is due nobody would know of the gap */

        if (!ngx_http_cs_chat_bus.missed) {
            ngx_http_cs_chat_order_event(&message, bytes);
        }

        break;

    case CSC_BUS_CONTROL:
        ngx_http_cs_chat_bus_on_control(&message);
        break;

    case CSC_BUS_HEARTBEAT:
        ngx_http_cs_chat_bus_count(&message);
        break;

    case CSC_BUS_BUNDLE:
        if (bundled) {
            ngx_http_cs_chat_bus_dropped(bytes.len, "a bundle in a bundle");
            break;
        }

        ngx_http_cs_chat_bus_bundle(message.body);
        break;

    case CSC_BUS_REQUEST:
        break;
    }
}


static void
ngx_http_cs_chat_bus_bundle(csc_str_t body)
{
    int rc;
    csc_str_t bytes;

    for (rc = csc_bundle_next(&body, &bytes); rc == CSC_OK;
         rc = csc_bundle_next(&body, &bytes))
    {
        ngx_http_cs_chat_bus_message(bytes, 1);
    }

    if (rc == CSC_ERROR) {
        ngx_http_cs_chat_bus_dropped(body.len, "a damaged bundle");
    }
}


/* Who can publish nonsense can publish much of it: a line a second tells. */

static void
ngx_http_cs_chat_bus_dropped(size_t len, const char *why)
{
    static time_t logged;
    static ngx_uint_t unsaid;

    ngx_http_cs_chat_metrics->bad++;

    if (logged == ngx_time()) {
        unsaid++;
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_http_cs_chat_bus.log, 0,
        "a message of %uz bytes from Redis was dropped: %s (and %ui others "
        "before it)",
        len, why, unsaid);

    logged = ngx_time();
    unsaid = 0;
}


static void
ngx_http_cs_chat_bus_on_reply(csc_bus_message_t *message)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_http_cs_chat_call_find((ngx_uint_t) message->id);

    /* none: the client left, or the deadline passed */

    if (call != NULL && call->on_reply != NULL) {
        ngx_http_cs_chat_call_reply(call, message);

    } else {
        ngx_http_cs_chat_metrics->late++;
    }
}


static void
ngx_http_cs_chat_bus_on_control(csc_bus_message_t *message)
{
    if (csc_str_is(message->op, "worker.metrics")) {
        if (ngx_http_cs_chat_metrics_told(message) != NGX_OK) {
            ngx_http_cs_chat_bus_dropped(message->body.len, "damaged metrics");
        }

        return;
    }

    if (csc_str_is(message->op, "worker.left")) {
        ngx_http_cs_chat_source_left(message->src);
        ngx_http_cs_chat_metrics_left(message->src);
        return;
    }

    if (csc_str_is(message->op, "socket.close")) {
        ngx_http_cs_chat_hub_close(message->user, message->key);
        return;
    }

    if (csc_str_is(message->op, "user.role")) {
        ngx_http_cs_chat_bus_on_role(message->user, message->role);
        return;
    }

    if (!csc_str_is(message->op, "token.revoked")
        || message->key.len != NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN
        || message->expires == 0)
    {
        ngx_http_cs_chat_bus_dropped(
            message->op.len, "an unknown control message");
        return;
    }

    ngx_http_cs_chat_hub_revoke(
        (u_char *) message->key.data, (time_t) message->expires);
}


/* An event that was missed: its sockets can't tell, so all are told. */

static void
ngx_http_cs_chat_bus_count(csc_bus_message_t *message)
{
    uint64_t missed;

    if (message->kind == CSC_BUS_HEARTBEAT
        && message->src.len == NGX_HTTP_CS_CHAT_PROCESS_LEN
        && ngx_memcmp(message->src.data, ngx_http_cs_chat_bus.process,
               NGX_HTTP_CS_CHAT_PROCESS_LEN)
               == 0)
    {
        ngx_http_cs_chat_bus.unheard = 0;
        return;
    }

    if (message->kind == CSC_BUS_EVENT && message->n == 0) {
        return; /* repeated for this process alone */
    }

    missed = ngx_http_cs_chat_source_heard(message);

    if (missed) {
        ngx_http_cs_chat_metrics->missed += missed;
        ngx_log_error(NGX_LOG_WARN, ngx_http_cs_chat_bus.log, 0,
            "%uL events were missed; the sockets are told to resync", missed);
        ngx_http_cs_chat_hub_resync("events were missed");
    }
}
