/* What comes back from PostgreSQL, and what becomes of each query by it. */

#include <string.h>

#include "db.h"

static void
db_session_log_error(db_session_t *session, const db_query_t *query)
{
    const char *state = PQresultErrorField(query->result, PG_DIAG_SQLSTATE);
    const char *message = "";
    uint64_t suppressed;

    session->db->errors++;

    if (!log_allowed(&session->db->error_log, &suppressed)) {
        return;
    }

    /* classes 22 and 23 quote the data */
    if (state != NULL && strncmp(state, "22", 2) != 0
        && strncmp(state, "23", 2) != 0)
    {
        message = PQresultErrorField(query->result, PG_DIAG_MESSAGE_PRIMARY);
    }

    log_error("a statement failed",
        LOG_TEXT("statement", statements[query->statement].name),
        LOG_TEXT("sqlstate", state ? state : ""),
        LOG_TEXT("reason", message ? message : ""),
        LOG_NUMBER("suppressed", suppressed));
}

static int
db_state_in(const char *state, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strncmp(state, *list, strlen(*list)) == 0) {
            return 1;
        }
    }

    return 0;
}

/*
 * What an error says of the transaction: the server told it and is ready for
 * the next one.  Where the session ended with it, nothing is known.
 */
static db_status_e
db_session_verdict(const char *state)
{
    /* by the server's own word: of a statement, or of another server */
    static const char *const unknown[] = { "40003", "08", NULL };
    /* cancelled, no resources, I/O, rolled back, no lock, read-only */
    static const char *const unavailable[] = { "57", "53", "58", "40", "55P03",
        "25006", NULL };

    if (db_state_in(state, unknown)) {
        return DB_UNKNOWN;
    }

    return db_state_in(state, unavailable) ? DB_UNAVAILABLE : DB_FAILED;
}

static void
db_session_error(db_session_t *session, db_query_t *query)
{
    /* serialization, deadlock; statement unknown or changed under us */
    static const char *const again[] = { "40001", "40P01", "26000", "0A000",
        NULL };
    const char *state = "";

    if (query->result != NULL) {
        state = PQresultErrorField(query->result, PG_DIAG_SQLSTATE);
        state = state != NULL ? state : "";
    }

    if (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0) {
        session->prepared[query->statement] = 0;
    }

    if (db_state_in(state, again) && ++query->attempts < DB_ATTEMPTS) {
        db_again(session->db, query);
        return;
    }

    db_session_log_error(session, query);

    if (strcmp(state, "25006") == 0) {
        db_session_break(session); /* a server that became a standby */
    }

    db_finish(query, db_session_verdict(state), NULL);
}

static void
db_session_observe(db_session_t *session, const db_query_t *query)
{
    csc_metrics_observe(&session->db->durations[db_session_kind(session)],
        CSC_METRIC_US, (uv_hrtime() - query->sent) / 1000);
}

/*
 * The transaction is over.  Of a group those are left that failed, or were not
 * run any more because one before them had; the last one is there in any case.
 */
static void
db_session_synced(db_session_t *session)
{
    db_query_t *query;
    int more;

    db_paced(session, session->inflight.head->sent);

    do {
        query = db_queue_shift(&session->inflight);
        session->current = session->inflight.head;
        more = query->more;
        db_session_observe(session, query);

        if (!query->failed && query->result != NULL) {
            db_finish(query, DB_OK, query->result);
        } else if (query->aborted) {
            db_again(session->db, query); /* by no fault of its own */
        } else {
            db_session_error(session, query);
        }
    } while (more);
}

/* What the current query still gets belongs to the next one of its group. */
static void
db_session_advance(db_session_t *session)
{
    db_query_t *query = session->current;

    session->current = query->next;

    /* one that reads has its answer: there is nothing left to commit */
    if (!query->failed && query == session->inflight.head) {
        db_queue_shift(&session->inflight);
        db_session_observe(session, query);
        db_finish(query, DB_OK, query->result);
    }
}

static void
db_session_result(db_session_t *session, PGresult *result)
{
    db_query_t *query = session->current;
    ExecStatusType status = PQresultStatus(result);
    int preparing = query->awaited > 1;

    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        db_session_synced(session);
        return;
    }

    if (status == PGRES_PIPELINE_ABORTED) {
        query->aborted = query->aborted || !query->failed;
        query->failed = 1;
    } else if (status == PGRES_FATAL_ERROR || status == PGRES_NONFATAL_ERROR
               || status == PGRES_BAD_RESPONSE)
    {
        query->failed = 1;
    }

    if (preparing && query->failed) {
        session->prepared[query->statement] = 0;
    }

    /* success counts only once the transaction's end has come */
    if (status != PGRES_PIPELINE_ABORTED && (!preparing || query->failed)) {
        PQclear(query->result);
        query->result = result;
    } else {
        PQclear(result);
    }

    if (query->awaited > 0 && --query->awaited == 0 && query->more) {
        db_session_advance(session);
    }
}

int
db_session_results(db_session_t *session)
{
    PGresult *result;
    int empty = 0;

    while (session->inflight.head != NULL && !PQisBusy(session->conn)) {
        result = PQgetResult(session->conn);

        if (result != NULL) {
            empty = 0;
            db_session_result(session, result);
            continue;
        }

        /* one NULL ends a statement; more of them mean a broken session */
        if (PQstatus(session->conn) != CONNECTION_OK || ++empty > 2) {
            return CSC_ERROR;
        }
    }

    return PQstatus(session->conn) == CONNECTION_OK ? CSC_OK : CSC_ERROR;
}
