#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "db.h"

#define DB_SILENCE 2000 /* ms beyond the statement's own limit */

/*
 * Look-ups by index, planned once a session: statistics of a table that was
 * empty when the session began would otherwise leave it with a plan for an
 * empty table, and planning each call takes longer than most calls.
 */
#define DB_PLANS                                                               \
    " SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"     \
    " SET enable_bitmapscan = off; SET enable_hashjoin = off;"                 \
    " SET enable_mergejoin = off; SET max_parallel_workers_per_gather = 0;"

#define DB_SETTINGS                                                            \
    "SET TIME ZONE 'UTC'; SET synchronous_commit = on;"                        \
    " SET standard_conforming_strings = on; SET jit = off;"                    \
    " SET client_min_messages = warning;"                                      \
    " SET default_transaction_isolation = 'read committed';" DB_PLANS          \
    " SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"          \
    " SET tcp_keepalives_count = 3; SET statement_timeout = %llu"

/* PostgreSQL itself ends the session of a worker that hangs. */
#define DB_SETTINGS_HANG "; SET idle_session_timeout = %llu"
#define DB_SETTINGS_HANG_VERSION 140000

/* What changed in the database itself is told to the session that writes. */
#define DB_LISTEN "; LISTEN cs_chat_roles"

static void db_session_on_event(uv_poll_t *poll, int status, int events);

static void db_session_on_timer(uv_timer_t *timer);

static void
db_session_on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void
db_session_disarm(db_session_t *session)
{
    if (session->poll != NULL) {
        uv_close((uv_handle_t *) session->poll, db_session_on_poll_closed);
        session->poll = NULL;
    }
}

/* While it connects, libpq goes from one socket to the next. */
static int
db_session_arm(db_session_t *session, int events)
{
    int fd = PQsocket(session->conn);

    if (session->poll != NULL && session->fd != fd) {
        db_session_disarm(session);
    }

    if (session->poll == NULL) {
        session->poll = malloc(sizeof(*session->poll));
        if (session->poll == NULL
            || uv_poll_init(session->db->loop, session->poll, fd) != 0)
        {
            free(session->poll);
            session->poll = NULL;
            return CSC_ERROR;
        }
        session->poll->data = session;
        session->fd = fd;
        session->events = 0;
    }

    if (session->events == events) {
        return CSC_OK;
    }

    session->events = events;

    return uv_poll_start(session->poll, events, db_session_on_event) == 0
               ? CSC_OK
               : CSC_ERROR;
}

csc_session_e
db_session_kind(const db_session_t *session)
{
    return session->writer ? CSC_SESSION_WRITER : CSC_SESSION_READER;
}

/* --- the end of a session --- */

static void
db_session_log_lost(db_session_t *session, const char *reason)
{
    char text[256];

    /* once in a row of failures; the first line of what libpq says */
    if (session->failing || session->db->closing) {
        return;
    }

    snprintf(text, sizeof(text), "%.*s", (int) strcspn(reason, "\n"), reason);
    log_error("PostgreSQL session lost, trying again",
        LOG_TEXT("session", session->writer ? "writer" : "reader"),
        LOG_TEXT("reason", text));
    session->failing = 1;
}

static void
db_session_fail_inflight(db_session_t *session)
{
    db_queue_t lost = session->inflight;
    db_query_t *query;

    if (lost.head == NULL) {
        return;
    }

    db_paced(session, lost.head->sent);
    db_queue_init(&session->inflight);
    session->current = NULL;

    while ((query = lost.head) != NULL) {
        lost.head = query->next;
        if (statements[query->statement].writer) {
            db_finish(query, DB_UNKNOWN, NULL);
        } else if (session->db->closing || ++query->attempts >= DB_ATTEMPTS) {
            db_finish(query, DB_UNAVAILABLE, NULL);
        } else {
            db_again(session->db, query);
        }
    }
}

static void
db_session_lost(db_session_t *session, const char *reason)
{
    int was_ready = session->state == DB_SESSION_READY;

    db_session_log_lost(session, reason);
    db_session_disarm(session);
    PQfinish(session->conn);
    session->conn = NULL;
    session->broken = 0;
    session->state = DB_SESSION_DOWN;

    if (!session->db->closing) {
        uv_timer_start(&session->timer, db_session_on_timer,
            backoff_next(&session->delay), 0);
    }

    if (was_ready) {
        session->db->disconnects[db_session_kind(session)]++;
        db_session_down(session);
    }

    db_session_fail_inflight(session);
    db_dispatch(session->db);
}

/* A caller is in the middle of something: the timer does it. */
void
db_session_break(db_session_t *session)
{
    if (!session->broken) {
        session->broken = 1;
        uv_timer_start(&session->timer, db_session_on_timer, 0, 0);
    }
}

/* --- connecting --- */

static int
db_session_greet(db_session_t *session)
{
    const config_t *config = session->db->config;
    char settings[1024];
    size_t used;

    used = (size_t) snprintf(settings, sizeof(settings), DB_SETTINGS,
        (unsigned long long) config->statement_timeout);

    if (session->writer) {
        used += (size_t) snprintf(
            settings + used, sizeof(settings) - used, DB_LISTEN);
    }

    if (session->writer
        && PQserverVersion(session->conn) >= DB_SETTINGS_HANG_VERSION)
    {
        snprintf(settings + used, sizeof(settings) - used, DB_SETTINGS_HANG,
            (unsigned long long) config->hang_timeout);
    }

    return PQsetnonblocking(session->conn, 1) == 0
                   && PQsendQuery(session->conn, settings)
               ? CSC_OK
               : CSC_ERROR;
}

static void
db_session_connect_step(db_session_t *session)
{
    PostgresPollingStatusType status;
    int rc;

    if (session->poll != NULL) {
        uv_poll_stop(session->poll);
        session->events = 0;
    }

    status = PQconnectPoll(session->conn);

    if (status == PGRES_POLLING_FAILED) {
        db_session_lost(session, PQerrorMessage(session->conn));
        return;
    }

    if (status != PGRES_POLLING_OK) {
        rc = db_session_arm(session,
            status == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE);
        if (rc != CSC_OK) {
            db_session_lost(session, "the socket can't be watched");
        }
        return;
    }

    session->state = DB_SESSION_GREETING;

    if (db_session_greet(session) != CSC_OK
        || db_session_arm(session, UV_READABLE | UV_WRITABLE) != CSC_OK)
    {
        db_session_lost(session, PQerrorMessage(session->conn));
    }
}

static void
db_session_on_notice(void *data, const PGresult *result)
{
    (void) data;

    log_debug("notice from PostgreSQL",
        LOG_TEXT("sqlstate", PQresultErrorField(result, PG_DIAG_SQLSTATE)));
}

static void
db_session_connect(db_session_t *session)
{
    /* what stands before dbname can be changed by the URL */
    const char *keywords[] = { "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "dbname", "application_name",
        "client_encoding", session->writer ? "target_session_attrs" : NULL,
        NULL };
    const char *values[] = { "10", "5", "3", "15000",
        session->db->config->database_url, "cs-chat-worker", "UTF8",
        "read-write", NULL };

    session->state = DB_SESSION_CONNECTING;
    memset(session->prepared, 0, sizeof(session->prepared));
    uv_timer_start(&session->timer, db_session_on_timer,
        session->db->config->connect_timeout, 0);

    session->conn = PQconnectStartParams(keywords, values, 1);

    if (session->conn == NULL) {
        db_session_lost(session, "out of memory");

    } else if (PQstatus(session->conn) == CONNECTION_BAD) {
        db_session_lost(session, PQerrorMessage(session->conn));

    } else {
        PQsetNoticeReceiver(session->conn, db_session_on_notice, NULL);
        if (db_session_arm(session, UV_WRITABLE) != CSC_OK) {
            db_session_lost(session, "the socket can't be watched");
        }
    }
}

static void
db_session_ready(db_session_t *session)
{
    if (!PQenterPipelineMode(session->conn)
        || db_session_arm(session, UV_READABLE) != CSC_OK)
    {
        db_session_lost(session, PQerrorMessage(session->conn));
        return;
    }

    uv_timer_stop(&session->timer);
    session->state = DB_SESSION_READY;
    session->db->connects[db_session_kind(session)]++;
    session->delay = 0;
    session->failing = 0;
    session->progress = uv_now(session->db->loop);

    if (session->writer) {
        log_info("PostgreSQL connected",
            LOG_NUMBER("version", PQserverVersion(session->conn)),
            LOG_NUMBER("backend", PQbackendPID(session->conn)));
    }

    db_session_up(session);
}

static void
db_session_greeting_step(db_session_t *session)
{
    PGresult *result;
    int flushing, failed = 0;

    flushing = PQflush(session->conn);

    if (flushing < 0 || !PQconsumeInput(session->conn)) {
        db_session_lost(session, PQerrorMessage(session->conn));
        return;
    }

    while (!PQisBusy(session->conn)) {
        result = PQgetResult(session->conn);
        if (result == NULL) {
            db_session_ready(session);
            return;
        }

        failed = PQresultStatus(result) != PGRES_COMMAND_OK;
        PQclear(result);
        if (failed) {
            db_session_lost(session, PQerrorMessage(session->conn));
            return;
        }
    }

    if (db_session_arm(
            session, flushing ? UV_READABLE | UV_WRITABLE : UV_READABLE)
        != CSC_OK)
    {
        db_session_lost(session, "the socket can't be watched");
    }
}

/* --- the session at work --- */

static void
db_session_notifications(db_session_t *session)
{
    PGnotify *notification;

    while ((notification = PQnotifies(session->conn)) != NULL) {
        session->db->handlers.notified(
            session->db->handlers.data, notification->extra);
        PQfreemem(notification);
    }
}

static void
db_session_step(db_session_t *session)
{
    int consumed, flushing;

    consumed = PQconsumeInput(session->conn);
    session->progress = uv_now(session->db->loop);

    /* what came before the end is worth reading */
    if (db_session_results(session) != CSC_OK || !consumed) {
        db_session_lost(session, PQerrorMessage(session->conn));
        return;
    }

    db_session_notifications(session);
    db_dispatch(session->db);
    flushing = PQflush(session->conn);

    if (flushing < 0
        || db_session_arm(
               session, flushing ? UV_READABLE | UV_WRITABLE : UV_READABLE)
               != CSC_OK)
    {
        db_session_lost(session, PQerrorMessage(session->conn));
    }
}

static void
db_session_on_event(uv_poll_t *poll, int status, int events)
{
    db_session_t *session = poll->data;

    (void) events;

    /* libpq finds out itself what is wrong with the socket, and may have
       another address to try; libuv has stopped looking */
    if (status != 0) {
        session->events = 0;
    }

    switch (session->state) {
    case DB_SESSION_CONNECTING:
        db_session_connect_step(session);
        break;
    case DB_SESSION_GREETING:
        db_session_greeting_step(session);
        break;
    case DB_SESSION_READY:
        db_session_step(session);
        break;
    default:
        break;
    }
}

static void
db_session_on_timer(uv_timer_t *timer)
{
    db_session_t *session = timer->data;
    const char *reason;

    switch (session->state) {
    case DB_SESSION_DOWN:
        db_session_connect(session);
        break;
    case DB_SESSION_CONNECTING:
    case DB_SESSION_GREETING:
        db_session_lost(session, "connecting took too long");
        break;
    case DB_SESSION_READY:
        if (session->broken) {
            reason = PQerrorMessage(session->conn);
            db_session_lost(
                session, *reason != '\0' ? reason : "it takes no writes");
        }
        break;
    default:
        break;
    }
}

/* --- sending --- */

static int
db_session_prepare(db_session_t *session, db_query_t *query, const char *name)
{
    const statement_t *statement = &statements[query->statement];

    query->awaited++;

    return PQsendPrepare(
        session->conn, name, statement->sql, statement->parameters, NULL);
}

void
db_session_send(db_session_t *session, db_query_t *query)
{
    const char *values[DB_MAX_PARAMETERS];
    char name[32];
    int i, sent = 1, fresh = session->prepared[query->statement] == 0;

    for (i = 0; i < query->parameters; i++) {
        values[i] = query->offsets[i] == SIZE_MAX
                        ? NULL
                        : (char *) query->values.data + query->offsets[i];
    }

    if (fresh) {
        session->prepared[query->statement] =
            ++session->versions[query->statement];
    }

    snprintf(name, sizeof(name), "s%d_%u", (int) query->statement,
        session->prepared[query->statement]);

    if (session->inflight.count == 0) {
        session->progress = uv_now(session->db->loop);
        session->current = query;
    }
    db_queue_push(&session->inflight, query);
    query->awaited = 1;

    if (fresh) {
        sent = db_session_prepare(session, query, name);
    }

    if (!sent
        || !PQsendQueryPrepared(session->conn, name, query->parameters, values,
            query->lengths, query->formats, statements[query->statement].binary)
        || (!query->more && !PQpipelineSync(session->conn)))
    {
        db_session_break(session);
        return;
    }

    if (query->more) {
        return;
    }

    /* the sync has tried to write; what is left waits for the socket */
    if (PQflush(session->conn) != 0
        && db_session_arm(session, UV_READABLE | UV_WRITABLE) != CSC_OK)
    {
        db_session_break(session);
    }
}

void
db_session_watch(db_session_t *session)
{
    uint64_t limit = session->db->config->statement_timeout + DB_SILENCE;

    if (session->state == DB_SESSION_READY && session->inflight.count > 0
        && uv_now(session->db->loop) - session->progress > limit)
    {
        db_session_lost(session, "no answer in time");
    }
}

int
db_session_init(db_session_t *session, db_t *db, int writer)
{
    session->db = db;
    session->writer = writer;
    session->timer.data = session;
    db_queue_init(&session->inflight);

    return uv_timer_init(db->loop, &session->timer) == 0 ? CSC_OK : CSC_ERROR;
}

void
db_session_start(db_session_t *session)
{
    uv_timer_start(&session->timer, db_session_on_timer, 0, 0);
}

void
db_session_stop(db_session_t *session)
{
    if (session->state == DB_SESSION_CLOSED) {
        return;
    }

    uv_close((uv_handle_t *) &session->timer, NULL);
    db_session_disarm(session);
    PQfinish(session->conn);
    session->conn = NULL;
    session->state = DB_SESSION_CLOSED;
    db_session_fail_inflight(session);
}
