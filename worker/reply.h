/*
 * Answers: what a statement gave, or a fault, as the HTTP envelope or as the
 * WebSocket message that the asker gets, and the events for everyone else.
 */

#ifndef REPLY_H
#define REPLY_H

#include "message.h"
#include "op.h"

/* Each of these answers the request and is done with it (bus_finish()). */

void reply_fault(request_t *request, const csc_fault_t *fault);

/* A fault with its default sentence. */
void reply_error(request_t *request, csc_error_e error);

/* What a query that did not succeed means to the asker. */
void reply_status(request_t *request, db_status_e status);

/*
 * A row of kind "reply".  replay, which may be empty, is sent ahead of it
 * over a WebSocket.
 */
void reply_row(
    request_t *request, const PGresult *result, int row, csc_str_t replay);

/* The message, which was stored just now; json is how the API shows it. */
void reply_stored(request_t *request, const message_t *message, csc_str_t json);

/* The user alone, from which the module makes the answer with a token. */
void reply_user(request_t *request, int status, csc_str_t id, csc_str_t role,
    csc_str_t username, csc_str_t body);

/*
 * A success over HTTP, written in place, as lists are long: reply_begin(), JSON
 * behind it in the same buffer, reply_data().
 */
void reply_begin(buffer_t *data);
void reply_data(request_t *request, int status, buffer_t *data);

/* A success that has no body. */
void reply_empty(request_t *request, int status);

/* A column of a row of kind outcome; data is NULL where it is NULL. */
csc_str_t reply_column(const PGresult *result, int row, int column);

/* 1 when the row is of the kind "reply", "event" or "replay". */
int reply_is(const PGresult *result, int row, const char *kind);

/* Who caused an event, and when; all may be empty. */
typedef struct {
    csc_str_t user;
    csc_str_t except; /* who is not to get it: a connection, or "user:<id>" */
    uint64_t at;      /* when the message came in, Unix ms; 0: it is none */
} reply_cause_t;

/* Sends a row of kind "event"; cause NULL: nobody in particular. */
void reply_event(
    bus_t *bus, const PGresult *result, int row, const reply_cause_t *cause);

/* The same to one process alone. */
void reply_event_to(
    bus_t *bus, csc_str_t process, const PGresult *result, int row);

#endif /* REPLY_H */
