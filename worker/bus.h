/*
 * The worker's side of the bus (docs/bus.md): requests come in from the
 * shards that are subscribed to, replies and events go out.
 */

#ifndef BUS_H
#define BUS_H

#include <uv.h>

#include "../common/csc_bus.h"
#include "../common/csc_metrics.h"
#include "../common/csc_ops.h"
#include "buffer.h"
#include "bundle.h"
#include "config.h"
#include "log.h"
#include "redis_link.h"

#define BUS_SRC_LEN 16
#define BUS_REPLY_BUNDLES 16 /* open ones; more processes ask less often */
#define BUS_CHATS 1024       /* bits; more would make fewer meet in one */

struct ops_s;

/* A request between its receipt and bus_finish(); it owns its bytes. */
typedef struct request_s {
    csc_bus_message_t message; /* views of the bytes below */
    csc_op_e op;
    unsigned shard;    /* of the channel it came by */
    uint64_t received; /* uv_hrtime(), ns */
    uint64_t deadline; /* the same clock; 0: none */
    struct ops_s *ops;
    struct request_s *next; /* in a queue of whoever handles it */
    csc_str_t client_id;    /* of a WebSocket event, for its answer */
    unsigned char *scratch; /* as long as the body, for csc_json_read() */
    size_t len;
    unsigned char bytes[];
} request_t;

typedef struct {
    /* A request for a shard that is held or being released. */
    void (*request)(void *data, request_t *request);
    /* No request of the shard will come any more. */
    void (*unsubscribed)(void *data, unsigned shard);
    /* A request of the shard was finished. */
    void (*finished)(void *data, unsigned shard);
    /* What bus_connected() says may have changed. */
    void (*links)(void *data);
    void *data;
} bus_handlers_t;

typedef struct {
    struct bus_s *bus;
    unsigned shard;
    unsigned wanted : 1;
    unsigned confirmed : 1;
    unsigned leaving : 1; /* unsubscribing, and not yet confirmed */
    uint64_t asked;       /* the heartbeat when the subscription was sent */
    uint64_t inflight;    /* requests that are not finished */
} bus_channel_t;

/* What is said in a turn of the loop: replies leave first. */
typedef struct {
    bundle_t replies[BUS_REPLY_BUNDLES];
    size_t count; /* of those that are open */
    bundle_t events;
    uint64_t chats[BUS_CHATS / 64]; /* what the events are about */
    unsigned all : 1;               /* one of them is not about a chat */
} bus_outbox_t;

typedef struct bus_s {
    uv_loop_t *loop;
    const config_t *config;
    bus_handlers_t handlers;
    csc_str_t prefix;

    redis_where_t where;
    redis_link_t subscriber;
    redis_link_t publisher;
    uv_timer_t heartbeat;
    uint64_t beat;     /* number of the last heartbeat */
    uint64_t heard;    /* the one at which our own came back */
    uint64_t answered; /* the one at which Redis answered one */
    uint64_t sent;     /* when the last one that we heard was sent, ms */

    char src[BUS_SRC_LEN + 1];
    uint64_t n; /* number of the last event */
    char events[CSC_BUS_MAX_PREFIX + 64];
    char own[CSC_BUS_MAX_PREFIX + 64];

    bus_channel_t channels[CSC_BUS_SHARDS];
    uint64_t inflight;
    size_t memory; /* of requests that are not finished */
    buffer_t out;
    bus_outbox_t outbox;

    /* counters */
    uint64_t operations[CSC_OP_MAX]; /* requests by operation */
    uint64_t errors[CSC_E_MAX];      /* replies by error */
    csc_histogram_t durations;       /* of requests that were answered, us */
    uint64_t connects;               /* of either link */
    uint64_t disconnects;

    /* counters that are logged at the end, too */
    uint64_t requests;
    uint64_t replies;
    uint64_t bad;     /* damaged or unknown messages */
    uint64_t expired; /* nobody waited any more */
    uint64_t refused; /* above max_queue, max_queue_size or max_wait */
    uint64_t unsent;  /* replies and events that found no Redis */
    log_limit_t bad_log;
    log_limit_t unsent_log;
} bus_t;

int bus_init(bus_t *bus, uv_loop_t *loop, const config_t *config,
    const redis_address_t *address, const bus_handlers_t *handlers);

void bus_start(bus_t *bus);

/*
 * Asks for a shard's requests, and keeps asking over every reconnect until
 * bus_unsubscribe(), which ends in a call of handlers.unsubscribed (at once
 * where Redis is away).
 */
void bus_subscribe(bus_t *bus, unsigned shard);
void bus_unsubscribe(bus_t *bus, unsigned shard);

/* 1 when both links to Redis stand. */
int bus_connected(const bus_t *bus);

/*
 * Tells when Redis has taken all that was published up to now: flushed is 1,
 * or 0 when that is not known, for the link went.  fn is called once, possibly
 * before this returns.
 */
typedef void (*bus_flushed_fn)(void *data, int flushed);

void bus_flushed(bus_t *bus, bus_flushed_fn fn, void *data);

/*
 * Publishes a message alone, behind all that was said before; fn may be NULL,
 * bus_on_answer() keeps an eye on Redis.
 */
void bus_publish(bus_t *bus, const char *channel,
    const csc_bus_message_t *message, redisCallbackFn *fn);
void bus_on_answer(redisAsyncContext *context, void *reply, void *data);

/* Queues what was gathered for Redis: at the end of a turn of the loop. */
void bus_flush(bus_t *bus);

/*
 * Sends the reply, of which the caller has set status, body and what belongs
 * to the operation.  Nothing is sent where nobody waits.
 */
void bus_reply(bus_t *bus, const request_t *request, csc_bus_message_t *reply);

/* Numbers and sends an event, of which all else is set. */
void bus_event(bus_t *bus, csc_bus_message_t *event);

/* Sends an event, which is not numbered, to one process alone. */
void bus_event_to(bus_t *bus, csc_str_t process, csc_bus_message_t *event);

/* Asks the NGINX process that has the socket to close it: one too many. */
void bus_close_socket(bus_t *bus, csc_str_t user, csc_str_t conn);

/* Remembers in Redis and tells all NGINX processes what role a user has. */
void bus_role(bus_t *bus, csc_str_t user, csc_str_t role);

/* Tells all NGINX processes what was counted; they may show it for life ms. */
void bus_metrics(bus_t *bus, uint64_t life, csc_str_t text);

/* Sends a request without a reply to whoever holds the user's shard. */
void bus_request(bus_t *bus, csc_op_e op, csc_str_t user);

/* The request is done with; it is freed. */
void bus_finish(bus_t *bus, request_t *request);

/* 1, and counted, when nobody waits for the answer any more. */
int bus_expired(bus_t *bus, const request_t *request);

/* Counts and, at times, logs a message that makes no sense. */
void bus_bad(bus_t *bus, const char *why, csc_str_t op);

/* Writes what is queued and disconnects. */
void bus_stop(bus_t *bus);

void bus_free(bus_t *bus);

#endif /* BUS_H */
