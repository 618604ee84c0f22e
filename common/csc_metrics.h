/*
 * What is counted, and how it is shown.  Each metric stands once, in one of
 * the two lists below: a member to count in, its type, unit, name and help.
 * The same lists give the members' struct, the record in which a chat worker
 * tells what it counted, and the page.
 *
 * All values are uint64_t, so that a set can be copied and added as an array.
 */

#ifndef CSC_METRICS_H
#define CSC_METRICS_H

#include "csc_core.h"
#include "csc_error.h"
#include "csc_ops.h"

#define CSC_METRICS_BOUNDS 16

/* Buckets are not cumulated here; the last one is for all above the bounds. */
typedef struct {
    uint64_t buckets[CSC_METRICS_BOUNDS + 1];
    uint64_t sum;
} csc_histogram_t;

/* What the values of a labelled metric are about. */
typedef enum {
    CSC_TRANSPORT_HTTP,
    CSC_TRANSPORT_WEBSOCKET,
    CSC_TRANSPORT_MAX
} csc_transport_e;

typedef enum {
    CSC_CLASS_MESSAGE,
    CSC_CLASS_CHAT,
    CSC_CLASS_READ,
    CSC_CLASS_PRESENCE,
    CSC_CLASS_TYPING,
    CSC_CLASS_TYPED,
    CSC_CLASS_LEGACY,
    CSC_CLASS_OTHER,
    CSC_CLASS_MAX
} csc_class_e;

typedef enum {
    CSC_SESSION_WRITER,
    CSC_SESSION_READER,
    CSC_SESSION_MAX
} csc_session_e;

typedef enum {
    CSC_BATCH_MESSAGES,
    CSC_BATCH_MARKS,
    CSC_BATCH_USERS,
    CSC_BATCH_MAX
} csc_batch_e;

#define CSC_CLOSE_MAX 14 /* see csc_metrics_close() */

/*
 * The lists.  VALUE is one number, EACH one for every value of a label; the
 * same with histograms.  COUNTERs only rise, GAUGEs are what is there now.
 * The unit US is microseconds, shown as seconds.
 */

#define CSC_METRICS_NGINX(VALUE, EACH, HISTOGRAM, HISTOGRAM_EACH)              \
    VALUE(processes, GAUGE, PLAIN, "nginx_processes",                          \
        "NGINX processes that serve, those that a reload ends included.")      \
    VALUE(cpu, COUNTER, US, "nginx_cpu_seconds_total",                         \
        "Processor time of the NGINX processes, user and system.")             \
    VALUE(memory, GAUGE, PLAIN, "nginx_resident_memory_bytes",                 \
        "Resident memory of the NGINX processes, what they share counted "     \
        "in each.")                                                            \
    VALUE(sockets, GAUGE, PLAIN, "websockets", "Open WebSockets.")             \
    VALUE(users, GAUGE, PLAIN, "websocket_users",                              \
        "Users with an open WebSocket, counted in each process.")              \
    VALUE(opened, COUNTER, PLAIN, "websockets_opened_total",                   \
        "WebSockets that were opened.")                                        \
    EACH(closes, close, COUNTER, PLAIN, "websocket_closes_total",              \
        "Close frames sent, answers to those of clients included: 1013 "       \
        "to slow readers, 4002 for revoked tokens.")                           \
    EACH(refused, error, COUNTER, PLAIN, "handshakes_refused_total",           \
        "WebSocket handshakes refused by NGINX.")                              \
    VALUE(received, COUNTER, PLAIN, "websocket_messages_received_total",       \
        "Messages that came over WebSockets.")                                 \
    VALUE(received_bytes, COUNTER, PLAIN, "websocket_received_bytes_total",    \
        "Bytes that came over WebSockets.")                                    \
    VALUE(sent, COUNTER, PLAIN, "websocket_frames_sent_total",                 \
        "Frames written to WebSockets.")                                       \
    VALUE(sent_bytes, COUNTER, PLAIN, "websocket_sent_bytes_total",            \
        "Bytes written to WebSockets.")                                        \
    VALUE(writes, COUNTER, PLAIN, "websocket_writes_total",                    \
        "Attempts to write to WebSockets, of as many frames as wait.")         \
    VALUE(queued, GAUGE, PLAIN, "websocket_queued_bytes",                      \
        "Memory of frames that wait for their readers, shared ones "           \
        "counted for each.")                                                   \
    EACH(events, class, COUNTER, PLAIN, "events_total",                        \
        "Events passed on to the WebSockets of a process that are to get "     \
        "them, counted in each process.")                                      \
    EACH(deliveries, class, COUNTER, PLAIN, "deliveries_total",                \
        "Events queued to WebSockets, counted for each.")                      \
    VALUE(dropped, COUNTER, PLAIN, "deliveries_dropped_total",                 \
        "Events about presence and typing left out for slow readers.")         \
    HISTOGRAM(delivery, US, "message_delivery_seconds",                        \
        "From the arrival of a message at its NGINX process until it is "      \
        "queued to WebSockets, for each process that has some.")               \
    HISTOGRAM_EACH(requests, transport, US, "request_duration_seconds",        \
        "From a request to the chat workers until their answer, or its "       \
        "failure.")                                                            \
    HISTOGRAM_EACH(acks, transport, US, "message_ack_seconds",                 \
        "The same for messages that were sent.")                               \
    EACH(errors, error, COUNTER, PLAIN, "errors_total",                        \
        "Errors answered by NGINX itself.")                                    \
    VALUE(pending, GAUGE, PLAIN, "requests_pending",                           \
        "Requests that await an answer of a chat worker or of Redis.")         \
    VALUE(unheard, GAUGE, PLAIN, "requests_unheard_bytes",                     \
        "Memory of requests that no chat worker has heard yet.")               \
    VALUE(retried, COUNTER, PLAIN, "requests_retried_total",                   \
        "Requests sent again, as no chat worker held their shard.")            \
    VALUE(late, COUNTER, PLAIN, "replies_late_total",                          \
        "Replies that nobody waited for any more.")                            \
    VALUE(redis_connected, GAUGE, PLAIN, "redis_connected_processes",          \
        "NGINX processes that are connected to Redis and serve.")              \
    VALUE(redis_connects, COUNTER, PLAIN, "redis_connects_total",              \
        "Times that an NGINX process came to be connected to Redis.")          \
    VALUE(redis_disconnects, COUNTER, PLAIN, "redis_disconnects_total",        \
        "Connections to Redis that broke, of two in each process.")            \
    VALUE(redis_backlog, GAUGE, PLAIN, "redis_backlog_bytes",                  \
        "Bytes that wait until Redis takes them.")                             \
    VALUE(bad, COUNTER, PLAIN, "bus_dropped_total",                            \
        "Messages from Redis that made no sense.")                             \
    VALUE(missed, COUNTER, PLAIN, "events_missed_total",                       \
        "Events that did not come, as their numbers tell, in each "            \
        "process.")                                                            \
    VALUE(resyncs, COUNTER, PLAIN, "resyncs_total",                            \
        "Times that WebSockets of a process were told to fetch what they "     \
        "may have missed.")                                                    \
    VALUE(repeats, COUNTER, PLAIN, "repeats_requested_total",                  \
        "Times that messages missing in the order of a chat were asked "       \
        "for.")                                                                \
    VALUE(tokens, COUNTER, PLAIN, "tokens_verified_total",                     \
        "Tokens that were checked in full.")                                   \
    VALUE(tokens_known, COUNTER, PLAIN, "token_cache_hits_total",              \
        "Tokens that were known from an earlier check.")                       \
    VALUE(revoked, GAUGE, PLAIN, "revoked_tokens",                             \
        "Revoked tokens that are remembered.")                                 \
    VALUE(zone_size, GAUGE, PLAIN, "zone_bytes",                               \
        "Size of the shared memory zone.")                                     \
    VALUE(zone_free, GAUGE, PLAIN, "zone_free_bytes",                          \
        "Whole pages of the zone that are free.")                              \
    VALUE(zone_full, COUNTER, PLAIN, "zone_full_total",                        \
        "Revoked tokens, roles, processes and workers that found no room "     \
        "in the zone.")                                                        \
    VALUE(workers, GAUGE, PLAIN, "workers",                                    \
        "Chat workers whose metrics are current.")

#define CSC_METRICS_WORKER(VALUE, EACH, HISTOGRAM, HISTOGRAM_EACH)             \
    VALUE(uptime, GAUGE, US, "uptime_seconds", "Time since the start.")        \
    VALUE(cpu, COUNTER, US, "cpu_seconds_total",                               \
        "Processor time, user and system, without the processes for "          \
        "passwords.")                                                          \
    VALUE(memory, GAUGE, PLAIN, "resident_memory_bytes", "Resident memory.")   \
    VALUE(shards, GAUGE, PLAIN, "shards", "Shards that it holds, of 64.")      \
    VALUE(users, GAUGE, PLAIN, "users",                                        \
        "Users of its shards that are online, or were lately.")                \
    EACH(requests, op, COUNTER, PLAIN, "requests_total",                       \
        "Requests that came over the bus.")                                    \
    VALUE(inflight, GAUGE, PLAIN, "requests_inflight",                         \
        "Requests that are not finished.")                                     \
    VALUE(inflight_bytes, GAUGE, PLAIN, "requests_inflight_bytes",             \
        "Memory of requests that are not finished.")                           \
    VALUE(expired, COUNTER, PLAIN, "requests_expired_total",                   \
        "Requests that nobody waited for any more.")                           \
    VALUE(refused, COUNTER, PLAIN, "requests_refused_total",                   \
        "Requests refused by a limit, or as their shard was lost.")            \
    EACH(errors, error, COUNTER, PLAIN, "errors_total",                        \
        "Requests answered with an error.")                                    \
    HISTOGRAM(durations, US, "request_duration_seconds",                       \
        "From the receipt of a request to its answer.")                        \
    HISTOGRAM(commits, US, "message_commit_seconds",                           \
        "From the receipt of a message to its commit.")                        \
    HISTOGRAM_EACH(sizes, batch, PLAIN, "batch_size",                          \
        "How many messages, marks of what is read, or people who ask for "     \
        "their own account, go together in one statement.")                    \
    EACH(waiting, batch, GAUGE, PLAIN, "batch_waiting",                        \
        "Those of them that wait for the next batch.")                         \
    VALUE(events, COUNTER, PLAIN, "events_total",                              \
        "Events published for all NGINX processes.")                           \
    VALUE(bad, COUNTER, PLAIN, "bus_dropped_total",                            \
        "Messages from Redis that made no sense.")                             \
    VALUE(unsent, COUNTER, PLAIN, "publishes_lost_total",                      \
        "Replies and events that found no way to Redis.")                      \
    VALUE(redis_connected, GAUGE, PLAIN, "redis_connected",                    \
        "1 when both links to Redis stand.")                                   \
    VALUE(redis_connects, COUNTER, PLAIN, "redis_connects_total",              \
        "Times that a link to Redis, of two, came to stand.")                  \
    VALUE(redis_disconnects, COUNTER, PLAIN, "redis_disconnects_total",        \
        "Links to Redis that broke.")                                          \
    VALUE(redis_backlog, GAUGE, PLAIN, "redis_backlog_bytes",                  \
        "Bytes that wait until Redis takes them.")                             \
    EACH(sessions, session, GAUGE, PLAIN, "postgres_sessions",                 \
        "Sessions of PostgreSQL that are ready.")                              \
    EACH(connects, session, COUNTER, PLAIN, "postgres_connects_total",         \
        "Times that a session of PostgreSQL came to be ready.")                \
    EACH(disconnects, session, COUNTER, PLAIN, "postgres_disconnects_total",   \
        "Sessions of PostgreSQL that were ready and broke.")                   \
    VALUE(statements_pending, GAUGE, PLAIN, "statements_pending",              \
        "Statements that wait or are on the way.")                             \
    VALUE(statements_failed, COUNTER, PLAIN, "statements_failed_total",        \
        "Statements that PostgreSQL refused.")                                 \
    HISTOGRAM_EACH(statements, session, US, "statement_duration_seconds",      \
        "From a statement on its way to the end of its transaction.")          \
    VALUE(password_jobs, GAUGE, PLAIN, "password_jobs",                        \
        "Logins and registrations that wait for a password hash.")

/* How many values a label has. */
#define CSC_METRICS_N_batch CSC_BATCH_MAX
#define CSC_METRICS_N_class CSC_CLASS_MAX
#define CSC_METRICS_N_close CSC_CLOSE_MAX
#define CSC_METRICS_N_error CSC_E_MAX
#define CSC_METRICS_N_op CSC_OP_MAX
#define CSC_METRICS_N_session CSC_SESSION_MAX
#define CSC_METRICS_N_transport CSC_TRANSPORT_MAX

#define CSC_METRICS_VALUE(member, type, unit, name, help) uint64_t member;
#define CSC_METRICS_EACH(member, label, type, unit, name, help)                \
    uint64_t member[CSC_METRICS_N_##label];
#define CSC_METRICS_HISTOGRAM(member, unit, name, help) csc_histogram_t member;
#define CSC_METRICS_HISTOGRAM_EACH(member, label, unit, name, help)            \
    csc_histogram_t member[CSC_METRICS_N_##label];

/* Of one NGINX process, or of several together. */
typedef struct {
    CSC_METRICS_NGINX(CSC_METRICS_VALUE, CSC_METRICS_EACH,
        CSC_METRICS_HISTOGRAM, CSC_METRICS_HISTOGRAM_EACH)
} csc_nginx_metrics_t;

/* Of one chat worker. */
typedef struct {
    CSC_METRICS_WORKER(CSC_METRICS_VALUE, CSC_METRICS_EACH,
        CSC_METRICS_HISTOGRAM, CSC_METRICS_HISTOGRAM_EACH)
} csc_worker_metrics_t;

typedef enum {
    CSC_METRIC_COUNTER,
    CSC_METRIC_GAUGE,
    CSC_METRIC_HISTOGRAM
} csc_metric_type_e;

typedef enum {
    CSC_METRIC_PLAIN,
    CSC_METRIC_US
} csc_metric_unit_e;

typedef struct {
    const char *name;
    const char *(*value)(size_t i); /* NULL: that one is not shown */
} csc_metric_label_t;

typedef struct {
    const char *name; /* behind the set's prefix */
    const char *help;
    csc_metric_type_e type;
    csc_metric_unit_e unit;
    const csc_metric_label_t *label; /* NULL: one value */
    size_t count;                    /* of values, or of histograms */
    size_t offset;                   /* of the first one, in uint64_t */
} csc_metric_t;

typedef struct {
    const char *prefix;
    const char *label; /* that tells the rows apart; NULL: there is one */
    const csc_metric_t *metrics;
    size_t count;
    size_t values; /* uint64_t of a row */
} csc_metrics_set_t;

extern const csc_metrics_set_t csc_nginx_metrics;
extern const csc_metrics_set_t csc_worker_metrics;

/* The upper bounds of a histogram's buckets, in its unit, ascending. */
extern const uint64_t csc_metrics_bounds[][CSC_METRICS_BOUNDS];

static inline void
csc_metrics_observe(
    csc_histogram_t *histogram, csc_metric_unit_e unit, uint64_t value)
{
    unsigned i = 0;

    while (i < CSC_METRICS_BOUNDS && value > csc_metrics_bounds[unit][i]) {
        i++;
    }

    histogram->buckets[i]++;
    histogram->sum += value;
}

/* The class of an event by its type on the bus. */
csc_class_e csc_metrics_class(csc_str_t type);

/* Where a WebSocket's close code is counted, below CSC_CLOSE_MAX. */
size_t csc_metrics_close(int code);

/* Adds a row to another: all of it, or what only rises. */
void csc_metrics_add(
    const csc_metrics_set_t *set, uint64_t *sum, const uint64_t *row);
void csc_metrics_add_counters(
    const csc_metrics_set_t *set, uint64_t *sum, const uint64_t *row);

/* The values of a metric in a row: a histogram has CSC_METRICS_BOUNDS + 2. */
size_t csc_metrics_width(const csc_metric_t *metric);

/*
 * A row as text for the bus, to out: a line for each metric, its name and its
 * values.  The length, which is above size where it does not fit.
 */
size_t csc_metrics_encode(const csc_metrics_set_t *set, const uint64_t *row,
    unsigned char *out, size_t size);

/*
 * Reads such a text; what it does not name is 0.  Metrics that are not known,
 * or have another number of values, are passed over: the other side may be of
 * another version.  CSC_ERROR for a text that is malformed.
 */
int csc_metrics_decode(
    const csc_metrics_set_t *set, csc_str_t text, uint64_t *row);

/* --- the page --- */

typedef struct {
    csc_str_t name; /* the value of the set's label */
    const uint64_t *values;
} csc_metrics_row_t;

/*
 * The text format of Prometheus, version 0.0.4, to out.  The length, which is
 * above size where it does not fit.
 */
size_t csc_metrics_text(const csc_metrics_set_t *set,
    const csc_metrics_row_t *rows, size_t n, unsigned char *out, size_t size);

struct csc_json_writer_s;

/* The same as members of the object that the writer is in. */
void csc_metrics_json(struct csc_json_writer_s *w, const csc_metrics_set_t *set,
    const csc_metrics_row_t *rows, size_t n);

#endif /* CSC_METRICS_H */
