/*
 * PostgreSQL without blocking: one session that writes, some that read.  Each
 * prepares its statements, keeps several on the way (libpq's pipeline mode)
 * and connects again by itself.  What writes is a transaction each.  What reads
 * gathers while it waits for a session, and goes as a group: one transaction,
 * in which each statement sees what is committed when it begins.
 */

#ifndef DB_H
#define DB_H

#include <uv.h>
#include <libpq-fe.h>

#include "../common/csc_metrics.h"
#include "buffer.h"
#include "config.h"
#include "log.h"
#include "statements.h"

#define DB_MAX_PARAMETERS 12
#define DB_ATTEMPTS 3

typedef enum {
    DB_OK,          /* committed; there is a result */
    DB_FAILED,      /* the statement was rolled back by an error of its own */
    DB_UNAVAILABLE, /* it did not run, or was rolled back for lack of means */
    DB_UNKNOWN,     /* the connection broke before the answer */
    DB_EXPIRED      /* nobody waited for it any more; it did not run */
} db_status_e;

/* result is there with DB_OK only, until the function returns. */
typedef void (*db_done_fn)(
    void *data, db_status_e status, const PGresult *result);

typedef struct db_query_s {
    struct db_query_s *next;
    statement_e statement;
    uint64_t deadline; /* uv_hrtime(), ns; 0: none */
    uint64_t sent;     /* when, ns */
    db_done_fn done;
    void *data;
    unsigned attempts;
    unsigned awaited : 2; /* results: of its preparation, where there is one,
                             and its own */
    unsigned more : 1;    /* another one follows in the same transaction */
    unsigned failed : 1;  /* an error came before the transaction's end */
    unsigned aborted : 1; /* it was one of another query of the transaction */
    PGresult *result;     /* held back until the transaction's end */
    int parameters;
    size_t offsets[DB_MAX_PARAMETERS]; /* SIZE_MAX: NULL */
    int lengths[DB_MAX_PARAMETERS];    /* of what is binary */
    int formats[DB_MAX_PARAMETERS];    /* 0: a NUL-terminated text, 1: binary */
    buffer_t values;
} db_query_t;

typedef struct {
    db_query_t *head;
    db_query_t **tail;
    size_t count;
} db_queue_t;

struct db_s;

typedef enum {
    DB_SESSION_DOWN, /* waits for the next attempt */
    DB_SESSION_CONNECTING,
    DB_SESSION_GREETING, /* settings of the session */
    DB_SESSION_READY,
    DB_SESSION_CLOSED
} db_session_state_e;

typedef struct {
    struct db_s *db;
    int writer;
    db_session_state_e state;
    PGconn *conn;
    uv_poll_t *poll; /* NULL: none; on the heap, for it closes late */
    int fd;          /* that poll watches */
    int events;      /* that it waits for */
    uv_timer_t timer;
    uint64_t delay;
    uint64_t progress; /* when the server was last heard, ms */
    db_queue_t inflight;
    db_query_t *current;  /* of them, whose results come; NULL: there is none */
    size_t group;         /* how many went together the last time */
    unsigned broken : 1;  /* to be dropped by the timer, not by a caller */
    unsigned failing : 1; /* a fault is logged once */
    uint16_t prepared[STATEMENT_MAX]; /* 0: not; else version of the name */
    uint16_t versions[STATEMENT_MAX];
} db_session_t;

typedef struct {
    void (*up)(void *data);   /* the session that writes is ready */
    void (*down)(void *data); /* it was, and is lost with its locks */
    /* a notification of PostgreSQL came, with its payload */
    void (*notified)(void *data, const char *payload);
    void *data;
} db_handlers_t;

typedef struct db_s {
    uv_loop_t *loop;
    const config_t *config;
    db_handlers_t handlers;
    db_session_t *sessions; /* the first one writes */
    size_t count;
    db_queue_t reads; /* waiting for a session */
    db_queue_t writes;
    uint64_t pace;     /* how long a query of a group takes of late, ns */
    uv_prepare_t turn; /* what is asked in one turn of the loop is together */
    uv_timer_t watch;
    log_limit_t error_log;
    uint64_t queries;
    uint64_t changes; /* of them, those that may have changed something */
    uint64_t errors;
    uint64_t connects[CSC_SESSION_MAX];
    uint64_t disconnects[CSC_SESSION_MAX];
    csc_histogram_t durations[CSC_SESSION_MAX]; /* of statements, us */
    unsigned closing : 1;
} db_t;

int db_init(db_t *db, uv_loop_t *loop, const config_t *config,
    const db_handlers_t *handlers);

void db_start(db_t *db);

/* 1 when statements for writing, or for reading, would be sent now. */
int db_writable(const db_t *db);
int db_readable(const db_t *db);

/*
 * A query, to which parameters are added in the order of the statement, and
 * which db_submit() takes over.  NULL, which all of these take too, when out
 * of memory; failures behind that are remembered, and told by db_submit().
 */
db_query_t *db_query(
    statement_e statement, uint64_t deadline, db_done_fn done, void *data);

void db_str(db_query_t *query, csc_str_t value);
void db_text(db_query_t *query, const char *value); /* NULL: NULL */
void db_int(db_query_t *query, int64_t value);
void db_bool(db_query_t *query, int value);
void db_null(db_query_t *query);

/* The numbers below n that are marked, as an array. */
void db_marked(db_query_t *query, const unsigned char *marked, unsigned n);

/* Types of an array's elements; the values are PostgreSQL's own numbers. */
typedef enum {
    DB_BOOL = 16,
    DB_BIGINT = 20,
    DB_INT = 23,
    DB_TEXT = 25,
    DB_UUID = 2950
} db_type_e;

/*
 * An array of count elements, which follow; in binary, as PostgreSQL reads
 * large ones faster.  The query is not NULL.
 */
void db_array(db_query_t *query, db_type_e type, size_t count);

/* A text or the text of a UUID; data NULL: NULL. */
void db_array_str(db_query_t *query, db_type_e type, csc_str_t value);
/* A number or a truth value. */
void db_array_int(db_query_t *query, db_type_e type, int64_t value);

void db_array_end(db_query_t *query);

/* Begins and ends a value that is written to the query's own buffer. */
buffer_t *db_value(db_query_t *query); /* not for NULL */
void db_value_end(db_query_t *query);

/*
 * Sends the query or queues it; one that reads leaves before the loop waits
 * again, together with others.  done is called once, possibly before this
 * returns: with DB_UNAVAILABLE where there is no session, or, for a NULL
 * query, not at all and CSC_ERROR is returned.
 */
int db_submit(db_t *db, db_query_t *query);

/* Frees a query that is not to be sent after all. */
void db_drop(db_query_t *query);

/* Queries that are queued or on the way. */
size_t db_pending(const db_t *db);

/* Closes all sessions; what is pending ends with DB_UNKNOWN. */
void db_stop(db_t *db);

void db_free(db_t *db);

/* --- between db.c, db_session.c and db_results.c --- */

int db_session_init(db_session_t *session, db_t *db, int writer);
void db_session_start(db_session_t *session);
void db_session_send(db_session_t *session, db_query_t *query);
void db_session_break(db_session_t *session);
csc_session_e db_session_kind(const db_session_t *session);
/* Takes all that has come; CSC_ERROR where the session is not to be used. */
int db_session_results(db_session_t *session);
void db_session_watch(db_session_t *session);
void db_session_stop(db_session_t *session);

void db_queue_init(db_queue_t *queue);
void db_queue_push(db_queue_t *queue, db_query_t *query);
void db_queue_push_front(db_queue_t *queue, db_query_t *query);
db_query_t *db_queue_shift(db_queue_t *queue);

/* Calls done and frees the query. */
void db_finish(db_query_t *query, db_status_e status, const PGresult *result);
/* Runs it again, on whichever session. */
void db_again(db_t *db, db_query_t *query);
void db_session_up(db_session_t *session);
void db_session_down(db_session_t *session);
/* The last group of a session, sent then, is answered, or will not be. */
void db_paced(db_session_t *session, uint64_t sent);
/* Gives waiting queries to sessions with room. */
void db_dispatch(db_t *db);

#endif /* DB_H */
