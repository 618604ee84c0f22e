#include "ngx_http_cs_chat_call.h"
#include "ngx_http_cs_chat_metrics.h"


static void ngx_http_cs_chat_call_measure(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_call_timeout(ngx_event_t *ev);
static csc_error_e ngx_http_cs_chat_call_end(ngx_http_cs_chat_call_t *call);


static ngx_rbtree_t calls;
static ngx_rbtree_node_t sentinel;
static ngx_rbtree_key_t last_number;
static ngx_queue_t waiting;
static ngx_uint_t count; /* of all calls */
static size_t held;      /* bytes that nobody has heard yet */
static ngx_log_t *call_log;


void
ngx_http_cs_chat_calls_init(ngx_log_t *log)
{
    ngx_rbtree_init(&calls, &sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&waiting);
    count = 0;
    held = 0;
    call_log = log;
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_call_new(ngx_msec_t timeout, void *data)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_calloc(sizeof(ngx_http_cs_chat_call_t), call_log);
    if (call == NULL) {
        return NULL;
    }

    call->data = data;
    call->began = ngx_current_msec;
    call->node.key = ++last_number;
    call->timer.handler = ngx_http_cs_chat_call_timeout;
    call->timer.data = call;
    call->timer.log = call_log;

    ngx_rbtree_insert(&calls, &call->node);
    ngx_add_timer(&call->timer, timeout);
    ngx_http_cs_chat_metrics->pending = ++count;

    return call;
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_call_wait(ngx_http_cs_chat_command_pt handler, void *data)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_calloc(sizeof(ngx_http_cs_chat_call_t), call_log);
    if (call == NULL) {
        return NULL;
    }

    call->on_command = handler;
    call->data = data;
    call->waiting = 1;

    ngx_queue_insert_tail(&waiting, &call->queue);
    ngx_http_cs_chat_metrics->pending = ++count;

    return call;
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_call_find(ngx_rbtree_key_t id)
{
    ngx_rbtree_node_t *node;

    node = calls.root;

    while (node != &sentinel) {
        if (id == node->key) {
            return ngx_rbtree_data(node, ngx_http_cs_chat_call_t, node);
        }

        node = (id < node->key) ? node->left : node->right;
    }

    return NULL;
}


void
ngx_http_cs_chat_call_free(ngx_http_cs_chat_call_t *call)
{
    if (call->waiting) {
        ngx_queue_remove(&call->queue);

    } else {
        ngx_rbtree_delete(&calls, &call->node);
    }

    if (call->retrying) {
        ngx_queue_remove(&call->retry);
    }

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_http_cs_chat_call_heard(call);
    ngx_free(call);
    ngx_http_cs_chat_metrics->pending = --count;
}


void
ngx_http_cs_chat_call_hold(
    ngx_http_cs_chat_call_t *call, u_char *bytes, size_t len)
{
    ngx_http_cs_chat_call_heard(call);

    call->bytes = bytes;
    call->len = len;
    held += len;
    ngx_http_cs_chat_metrics->unheard = held;
}


void
ngx_http_cs_chat_call_heard(ngx_http_cs_chat_call_t *call)
{
    if (call->bytes != NULL) {
        held -= call->len;
        ngx_http_cs_chat_metrics->unheard = held;
        ngx_free(call->bytes);
        call->bytes = NULL;
    }
}


ngx_uint_t
ngx_http_cs_chat_calls_count(void)
{
    return count;
}


size_t
ngx_http_cs_chat_calls_held(void)
{
    return held;
}


static void
ngx_http_cs_chat_call_measure(ngx_http_cs_chat_call_t *call)
{
    uint64_t took;
    csc_nginx_metrics_t *metrics;

    if (call->asked == 0) {
        return;
    }

    metrics = ngx_http_cs_chat_metrics;
    took = ngx_http_cs_chat_metrics_clock() - call->asked;

    csc_metrics_observe(
        &metrics->requests[call->transport], CSC_METRIC_US, took);

    if (call->send) {
        csc_metrics_observe(
            &metrics->acks[call->transport], CSC_METRIC_US, took);
    }
}


/* The call is gone by the time its handler runs: it may start another. */

void
ngx_http_cs_chat_call_reply(
    ngx_http_cs_chat_call_t *call, csc_bus_message_t *reply)
{
    void *data;
    ngx_http_cs_chat_reply_pt handler;

    handler = call->on_reply;
    data = call->data;

    ngx_http_cs_chat_call_measure(call);
    ngx_http_cs_chat_call_free(call);

    handler(data, reply, CSC_E_NONE);
}


void
ngx_http_cs_chat_call_result(ngx_http_cs_chat_call_t *call, redisReply *reply)
{
    void *data;
    ngx_http_cs_chat_command_pt handler;

    handler = call->on_command;
    data = call->data;

    ngx_http_cs_chat_call_free(call);

    handler(data, reply, CSC_E_NONE);
}


void
ngx_http_cs_chat_call_fail(ngx_http_cs_chat_call_t *call, csc_error_e error)
{
    void *data;
    ngx_http_cs_chat_reply_pt on_reply;
    ngx_http_cs_chat_command_pt on_command;

    on_reply = call->on_reply;
    on_command = call->on_command;
    data = call->data;

    ngx_http_cs_chat_call_measure(call);
    ngx_http_cs_chat_call_free(call);

    if (on_reply != NULL) {
        on_reply(data, NULL, error);

    } else {
        on_command(data, NULL, error);
    }
}


void
ngx_http_cs_chat_call_fail_later(
    ngx_http_cs_chat_call_t *call, csc_error_e error)
{
    call->failed = error;

    ngx_del_timer(&call->timer);
    ngx_add_timer(&call->timer, 0);
}


static void
ngx_http_cs_chat_call_timeout(ngx_event_t *ev)
{
    ngx_http_cs_chat_call_t *call;

    call = ev->data;

    ngx_http_cs_chat_call_fail(call, ngx_http_cs_chat_call_end(call));
}


/* Without an error of its own it is unknown whether it was carried out. */

static csc_error_e
ngx_http_cs_chat_call_end(ngx_http_cs_chat_call_t *call)
{
    return call->failed ? call->failed : CSC_E_BACKEND_TIMEOUT;
}


void
ngx_http_cs_chat_calls_fail(void)
{
    ngx_rbtree_key_t last;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_call_t *call;

    /* handlers may start new calls: those have higher numbers */

    last = last_number;

    while (calls.root != &sentinel) {
        node = ngx_rbtree_min(calls.root, &sentinel);

        if (node->key > last) {
            break;
        }

        call = ngx_rbtree_data(node, ngx_http_cs_chat_call_t, node);
        ngx_http_cs_chat_call_fail(call, ngx_http_cs_chat_call_end(call));
    }
}


void
ngx_http_cs_chat_calls_start(void)
{
    ngx_queue_t *q;

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        ngx_http_cs_chat_call_result(
            ngx_queue_data(q, ngx_http_cs_chat_call_t, queue), NULL);
    }
}
