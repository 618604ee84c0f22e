/*
 * Calls: what awaits an answer over the bus, by number and with a deadline.
 * Used by the bus alone; all others know a call as something to cancel.
 */

#ifndef NGX_HTTP_CS_CHAT_CALL_H
#define NGX_HTTP_CS_CHAT_CALL_H

#include "ngx_http_cs_chat_bus.h"

#include "csc_metrics.h"


/* Calls with the same time to live: the first one's ends first. */
typedef struct ngx_http_cs_chat_lane_s {
    struct ngx_http_cs_chat_lane_s *next;
    ngx_msec_t timeout;
    ngx_queue_t calls;
    ngx_event_t timer; /* runs out not later than the first call's time */
} ngx_http_cs_chat_lane_t;


struct ngx_http_cs_chat_call_s {
    ngx_uint_t number;             /* while it awaits an answer, or 0 */
    ngx_http_cs_chat_call_t *next; /* of the same place in the table */
    ngx_queue_t queue; /* among all of them, or those that wait for the bus */
    ngx_queue_t retry; /* among those to be sent again */
    ngx_queue_t due;   /* in its lane, or among those that fail at once */
    ngx_http_cs_chat_lane_t *lane;
    ngx_msec_t deadline;
    ngx_http_cs_chat_reply_pt on_reply;     /* of a request */
    ngx_http_cs_chat_command_pt on_command; /* of a command or a wait */
    void *data;

    u_char *bytes; /* the encoded request, until somebody has heard it */
    size_t len;
    unsigned shard;
    ngx_msec_t began;

    uint64_t asked; /* when, for the metrics; 0: it is no request */
    csc_transport_e transport;

    csc_error_e failed; /* what it ends with when its time is over */
    unsigned retrying : 1;
    unsigned send : 1; /* the request is a message */
};


void ngx_http_cs_chat_calls_init(ngx_log_t *log);

/* A call that ends by CSC_E_BACKEND_TIMEOUT after timeout ms; NULL: memory. */
ngx_http_cs_chat_call_t *ngx_http_cs_chat_call_new(
    ngx_msec_t timeout, void *data);

/* A call that has neither number nor deadline but waits for the bus. */
ngx_http_cs_chat_call_t *ngx_http_cs_chat_call_wait(
    ngx_http_cs_chat_command_pt handler, void *data);

/* The call with a number, NULL when it has ended. */
ngx_http_cs_chat_call_t *ngx_http_cs_chat_call_find(ngx_uint_t number);

/* Frees a call; its handler is not called. */
void ngx_http_cs_chat_call_free(ngx_http_cs_chat_call_t *call);

/*
 * Gives a call its encoded request, which it frees, to be sent again until
 * somebody has heard it.
 */
void ngx_http_cs_chat_call_hold(
    ngx_http_cs_chat_call_t *call, u_char *bytes, size_t len);
void ngx_http_cs_chat_call_heard(ngx_http_cs_chat_call_t *call);

/* How many calls there are, and the bytes that they hold. */
ngx_uint_t ngx_http_cs_chat_calls_count(void);
size_t ngx_http_cs_chat_calls_held(void);

/* Ends a call with a reply, or a command's reply. */
void ngx_http_cs_chat_call_reply(
    ngx_http_cs_chat_call_t *call, csc_bus_message_t *reply);
void ngx_http_cs_chat_call_result(
    ngx_http_cs_chat_call_t *call, redisReply *reply);

/* Ends a call with an error: now, or from the next turn of the loop. */
void ngx_http_cs_chat_call_fail(
    ngx_http_cs_chat_call_t *call, csc_error_e error);
void ngx_http_cs_chat_call_fail_later(
    ngx_http_cs_chat_call_t *call, csc_error_e error);

/*
 * Ends calls that have a number, for what became of them can't be heard any
 * more: all, or but those whose request is known to have been heard.
 */
void ngx_http_cs_chat_calls_fail(ngx_uint_t all);

/* Runs all that wait. */
void ngx_http_cs_chat_calls_start(void);


#endif /* NGX_HTTP_CS_CHAT_CALL_H */
