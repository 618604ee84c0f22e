#include "ngx_http_cs_chat_call.h"
#include "ngx_http_cs_chat_metrics.h"


#define TABLE_SIZE 4096


static void ngx_http_cs_chat_call_measure(ngx_http_cs_chat_call_t *call);
static ngx_http_cs_chat_lane_t *ngx_http_cs_chat_call_lane(ngx_msec_t timeout);
static void ngx_http_cs_chat_call_leave(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_call_stop_time(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_call_timeout(ngx_event_t *ev);
static void ngx_http_cs_chat_call_failures(ngx_event_t *ev);
static void ngx_http_cs_chat_calls_end(ngx_queue_t *ending);
static csc_error_e ngx_http_cs_chat_call_end(ngx_http_cs_chat_call_t *call);


/* Numbers rise by one, so that they fill the table evenly. */
static ngx_http_cs_chat_call_t *table[TABLE_SIZE];
static ngx_queue_t calls; /* those that have a number, in its order */
static ngx_uint_t last_number;
static ngx_http_cs_chat_lane_t *lanes; /* one for each timeout configured */
static ngx_queue_t failing;            /* from the next turn of the loop */
static ngx_event_t failure;
static ngx_queue_t waiting;
static ngx_uint_t count; /* of all calls */
static size_t held;      /* bytes that nobody has heard yet */
static ngx_log_t *call_log;


void
ngx_http_cs_chat_calls_init(ngx_log_t *log)
{
    ngx_memzero(table, sizeof(table));
    ngx_queue_init(&calls);
    ngx_queue_init(&failing);
    ngx_queue_init(&waiting);
    lanes = NULL;
    count = 0;
    held = 0;
    call_log = log;

    /* a timer's data is printed as a connection in debug logs */

    ngx_memzero(&failure, sizeof(failure));
    failure.handler = ngx_http_cs_chat_call_failures;
    failure.data = &failure;
    failure.log = log;
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_call_new(ngx_msec_t timeout, void *data)
{
    ngx_http_cs_chat_call_t *call, **place;

    call = ngx_calloc(sizeof(ngx_http_cs_chat_call_t), call_log);
    if (call == NULL) {
        return NULL;
    }

    call->lane = ngx_http_cs_chat_call_lane(timeout);
    if (call->lane == NULL) {
        ngx_free(call);
        return NULL;
    }

    call->data = data;
    call->began = ngx_current_msec;
    call->deadline = call->began + timeout;
    call->number = ++last_number;

    place = &table[call->number % TABLE_SIZE];
    call->next = *place;
    *place = call;

    ngx_queue_insert_tail(&calls, &call->queue);
    ngx_queue_insert_tail(&call->lane->calls, &call->due);
    ngx_http_cs_chat_metrics->pending = ++count;

    /* a process that is to end waits for what is in flight, and only that */

    call->lane->timer.cancelable = 0;

    if (!call->lane->timer.timer_set) {
        ngx_add_timer(&call->lane->timer, timeout);
    }

    return call;
}


static ngx_http_cs_chat_lane_t *
ngx_http_cs_chat_call_lane(ngx_msec_t timeout)
{
    ngx_http_cs_chat_lane_t *lane;

    for (lane = lanes; lane != NULL; lane = lane->next) {
        if (lane->timeout == timeout) {
            return lane;
        }
    }

    lane = ngx_calloc(sizeof(ngx_http_cs_chat_lane_t), call_log);
    if (lane == NULL) {
        return NULL;
    }

    lane->timeout = timeout;
    ngx_queue_init(&lane->calls);

    lane->timer.handler = ngx_http_cs_chat_call_timeout;
    lane->timer.data = lane;
    lane->timer.log = call_log;

    lane->next = lanes;
    lanes = lane;

    return lane;
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
    ngx_queue_init(&call->due);

    ngx_queue_insert_tail(&waiting, &call->queue);
    ngx_http_cs_chat_metrics->pending = ++count;

    return call;
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_call_find(ngx_uint_t number)
{
    ngx_http_cs_chat_call_t *call;

    call = table[number % TABLE_SIZE];

    while (call != NULL && call->number != number) {
        call = call->next;
    }

    return call;
}


void
ngx_http_cs_chat_call_free(ngx_http_cs_chat_call_t *call)
{
    ngx_queue_remove(&call->queue);
    ngx_http_cs_chat_call_stop_time(call);

    if (call->number) {
        ngx_http_cs_chat_call_leave(call);
    }

    if (call->retrying) {
        ngx_queue_remove(&call->retry);
    }

    ngx_http_cs_chat_call_heard(call);
    ngx_free(call);
    ngx_http_cs_chat_metrics->pending = --count;
}


static void
ngx_http_cs_chat_call_leave(ngx_http_cs_chat_call_t *call)
{
    ngx_http_cs_chat_call_t **place;

    place = &table[call->number % TABLE_SIZE];

    while (*place != call) {
        place = &(*place)->next;
    }

    *place = call->next;
}


/* Its time does not run any more. */

static void
ngx_http_cs_chat_call_stop_time(ngx_http_cs_chat_call_t *call)
{
    ngx_queue_remove(&call->due);

    if (call->lane != NULL && ngx_queue_empty(&call->lane->calls)) {
        call->lane->timer.cancelable = 1;
    }

    call->lane = NULL;
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

    ngx_http_cs_chat_call_stop_time(call);
    ngx_queue_insert_tail(&failing, &call->due);

    if (!failure.timer_set) {
        ngx_add_timer(&failure, 0);
    }
}


static void
ngx_http_cs_chat_call_failures(ngx_event_t *ev)
{
    ngx_queue_t now;

    /* all may have been cancelled */

    if (ngx_queue_empty(&failing)) {
        return;
    }

    /* those that fail meanwhile do so in the next turn */

    ngx_queue_init(&now);
    ngx_queue_add(&now, &failing);
    ngx_queue_init(&failing);

    ngx_http_cs_chat_calls_end(&now);
}


static void
ngx_http_cs_chat_call_timeout(ngx_event_t *ev)
{
    ngx_queue_t *q, *next, late;
    ngx_msec_int_t left;
    ngx_http_cs_chat_call_t *call;
    ngx_http_cs_chat_lane_t *lane;

    lane = ev->data;
    ngx_queue_init(&late);

    for (q = ngx_queue_head(&lane->calls);
         q != ngx_queue_sentinel(&lane->calls); q = next)
    {
        next = ngx_queue_next(q);
        call = ngx_queue_data(q, ngx_http_cs_chat_call_t, due);
        left = (ngx_msec_int_t) (call->deadline - ngx_current_msec);

        if (left > 0) {
            ngx_add_timer(ev, left);
            break;
        }

        ngx_http_cs_chat_call_stop_time(call);
        ngx_queue_insert_tail(&late, &call->due);
    }

    ngx_http_cs_chat_calls_end(&late);
}


/* Their handlers may end others of them, and begin new ones. */

static void
ngx_http_cs_chat_calls_end(ngx_queue_t *ending)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_call_t *call;

    for (q = ngx_queue_head(ending); q != ngx_queue_sentinel(ending);
         q = ngx_queue_head(ending))
    {
        call = ngx_queue_data(q, ngx_http_cs_chat_call_t, due);
        ngx_http_cs_chat_call_fail(call, ngx_http_cs_chat_call_end(call));
    }
}


/* Without an error of its own it is unknown whether it was carried out. */

static csc_error_e
ngx_http_cs_chat_call_end(ngx_http_cs_chat_call_t *call)
{
    return call->failed ? call->failed : CSC_E_BACKEND_TIMEOUT;
}


void
ngx_http_cs_chat_calls_fail(ngx_uint_t all)
{
    ngx_queue_t *q, *next, ending;
    ngx_http_cs_chat_call_t *call;

    /* apart from the new ones, which handlers may start */

    ngx_queue_init(&ending);

    for (q = ngx_queue_head(&calls); q != ngx_queue_sentinel(&calls); q = next)
    {
        next = ngx_queue_next(q);
        call = ngx_queue_data(q, ngx_http_cs_chat_call_t, queue);

        if (all || call->on_reply == NULL || call->bytes != NULL) {
            ngx_http_cs_chat_call_stop_time(call);
            ngx_queue_insert_tail(&ending, &call->due);
        }
    }

    ngx_http_cs_chat_calls_end(&ending);
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
