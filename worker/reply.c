#include <stdlib.h>
#include <string.h>

#include "../common/csc_query.h"
#include "reply.h"

#define REPLY_NAME_MAX 512

csc_str_t
reply_column(const PGresult *result, int row, int column)
{
    csc_str_t value = CSC_STR_NULL;

    if (!PQgetisnull(result, row, column)) {
        value.data = (unsigned char *) PQgetvalue(result, row, column);
        value.len = (size_t) PQgetlength(result, row, column);
    }

    return value;
}

int
reply_is(const PGresult *result, int row, const char *kind)
{
    return strcmp(PQgetvalue(result, row, OUTCOME_KIND), kind) == 0;
}

static uint64_t
reply_seq(const PGresult *result, int row)
{
    uint64_t seq = 0;

    if (csc_str_to_u64(reply_column(result, row, OUTCOME_SEQ), INT64_MAX, &seq)
        != CSC_OK)
    {
        return 0;
    }

    return seq;
}

static void
reply_send(
    request_t *request, csc_bus_message_t *reply, int status, csc_str_t body)
{
    reply->status = (uint64_t) status;
    reply->body = body;
    bus_reply(request->ops->bus, request, reply);
    bus_finish(request->ops->bus, request);
}

/* Sends what was written; without memory the status has to do. */
static void
reply_written(request_t *request, csc_bus_message_t *reply, int status)
{
    csc_str_t body = CSC_STR_NULL;

    if (csc_json_finish(request->ops->writer, &body) != CSC_OK) {
        log_error("an answer could not be written",
            LOG_TEXT("op", csc_op_name(request->op)));
        memset(&body, 0, sizeof(body));
        status = csc_error_status(CSC_E_INTERNAL_ERROR);
    }

    reply_send(request, reply, status, body);
}

static void
reply_buffer(request_t *request, csc_bus_message_t *reply, int status,
    const buffer_t *data)
{
    csc_str_t body;

    if (data->failed) {
        reply_error(request, CSC_E_INTERNAL_ERROR);
        return;
    }

    body.data = data->data;
    body.len = data->used;
    reply_send(request, reply, status, body);
}

/* --- faults --- */

/* One chat of a resume, of which the module makes one answer for all. */
static void
reply_resume_fault(
    csc_json_writer_t *w, const request_t *request, const csc_fault_t *fault)
{
    csc_json_object(w);
    csc_json_key(w, "chatId");
    csc_json_string(w, request->message.chat);
    csc_json_key(w, "error");
    csc_json_text(w, csc_error_code(fault->error));
    csc_json_end_object(w);
}

void
reply_fault(request_t *request, const csc_fault_t *fault)
{
    csc_json_writer_t *w = request->ops->writer;
    csc_bus_message_t reply;
    csc_fault_t event = *fault;

    request->ops->bus->errors[fault->error]++;
    memset(&reply, 0, sizeof(reply));
    csc_json_reset(w);

    if (request->message.ws && request->op == CSC_OP_CHATS_RESUME) {
        reply_resume_fault(w, request, fault);
    } else if (request->message.ws) {
        event.reply_to = csc_str(csc_op_event(request->op));
        event.client_id = request->client_id;
        csc_fault_event(w, &event);
    } else {
        csc_fault_envelope(w, fault);
    }

    reply_written(request, &reply, csc_error_status(fault->error));
}

void
reply_error(request_t *request, csc_error_e error)
{
    csc_fault_t fault;

    memset(&fault, 0, sizeof(fault));
    fault.error = error;
    reply_fault(request, &fault);
}

void
reply_status(request_t *request, db_status_e status)
{
    switch (status) {
    case DB_UNAVAILABLE:
        reply_error(request, CSC_E_BACKEND_UNAVAILABLE);
        break;
    case DB_UNKNOWN:
        reply_error(request, CSC_E_BACKEND_TIMEOUT);
        break;
    case DB_EXPIRED:
        request->ops->bus->expired++;
        bus_finish(request->ops->bus, request);
        break;
    default:
        reply_error(request, CSC_E_INTERNAL_ERROR);
        break;
    }
}

static void
reply_row_fault(request_t *request, const PGresult *result, int row)
{
    csc_fault_t fault;

    memset(&fault, 0, sizeof(fault));
    fault.error = csc_error_by_code(reply_column(result, row, OUTCOME_CODE));
    fault.field = reply_column(result, row, OUTCOME_FIELD);
    if (!PQgetisnull(result, row, OUTCOME_ERROR)) {
        fault.sentence = PQgetvalue(result, row, OUTCOME_ERROR);
    }
    reply_fault(request, &fault);
}

/* --- success --- */

static void
reply_envelope(csc_json_writer_t *w, csc_str_t body, csc_str_t sentence)
{
    csc_json_object(w);
    csc_json_key(w, "success");
    csc_json_bool(w, 1);
    if (sentence.data != NULL) {
        csc_json_key(w, "message");
        csc_json_string(w, sentence);
    }
    if (body.data != NULL) {
        csc_json_key(w, "data");
        csc_json_raw(w, body);
    }
    csc_json_end_object(w);
}

static void
reply_ack(request_t *request, const message_t *message, int status)
{
    buffer_t *ack = &request->ops->lines;
    csc_bus_message_t reply;

    memset(&reply, 0, sizeof(reply));
    buffer_reset(ack);
    message_ack(ack, message, status == 200);
    reply_buffer(request, &reply, status, ack);
}

static void
reply_ack_row(request_t *request, const PGresult *result, int row, int status)
{
    message_t message;

    memset(&message, 0, sizeof(message));
    message.id = reply_column(result, row, OUTCOME_ID);
    message.chat = reply_column(result, row, OUTCOME_CHAT);
    message.seq = reply_seq(result, row);
    message.ts = reply_column(result, row, OUTCOME_TS);
    message.client_id = request->client_id;

    reply_ack(request, &message, status);
}

/* "joined", "left", or one chat of "resumed", whose whole the module writes. */
static void
reply_join(csc_json_writer_t *w, const request_t *request,
    const PGresult *result, int row)
{
    csc_str_t body = reply_column(result, row, OUTCOME_BODY);

    if (request->op == CSC_OP_CHATS_RESUME) {
        csc_json_raw(w, body);
        return;
    }

    csc_json_object(w);
    csc_json_key(w, "type");
    csc_json_text(w, request->op == CSC_OP_CHATS_JOIN ? "joined" : "left");
    csc_json_key(w, "data");
    csc_json_raw(w, body);
    csc_json_end_object(w);
}

/* Puts what is replayed and the answer into one body, a message a line. */
static void
reply_lines(
    request_t *request, csc_bus_message_t *reply, int status, csc_str_t replay)
{
    buffer_t *lines = &request->ops->lines;
    csc_str_t last = CSC_STR_NULL;

    buffer_reset(lines);
    buffer_append_str(lines, replay);

    if (csc_json_finish(request->ops->writer, &last) != CSC_OK) {
        reply_written(request, reply, status);
        return;
    }

    buffer_append_str(lines, last);
    reply_buffer(request, reply, status, lines);
}

void
reply_row(request_t *request, const PGresult *result, int row, csc_str_t replay)
{
    csc_json_writer_t *w = request->ops->writer;
    csc_bus_message_t reply;
    int status = atoi(PQgetvalue(result, row, OUTCOME_STATUS));

    if (!PQgetisnull(result, row, OUTCOME_CODE)) {
        reply_row_fault(request, result, row);
        return;
    }

    memset(&reply, 0, sizeof(reply));
    csc_json_reset(w);

    if (!request->message.ws) {
        reply_envelope(w, reply_column(result, row, OUTCOME_BODY),
            reply_column(result, row, OUTCOME_ERROR));

    } else if (request->op == CSC_OP_MESSAGES_SEND) {
        reply_ack_row(request, result, row, status);
        return;

    } else if (request->op == CSC_OP_TYPING_START
               || request->op == CSC_OP_TYPING_STOP
               || request->op == CSC_OP_CHATS_READ)
    {
        reply_empty(request, status);
        return;

    } else {
        reply_join(w, request, result, row);
        reply.chat = request->message.chat;
        reply.seq = reply_seq(result, row);
    }

    if (replay.len > 0 && request->message.ws) {
        reply_lines(request, &reply, status, replay);
    } else {
        reply_written(request, &reply, status);
    }
}

void
reply_stored(request_t *request, const message_t *message, csc_str_t json)
{
    buffer_t *data = &request->ops->list;

    if (request->message.ws) {
        reply_ack(request, message, 201);
        return;
    }

    reply_begin(data);
    buffer_append_str(data, json);
    reply_data(request, 201, data);
}

void
reply_user(request_t *request, int status, csc_str_t id, csc_str_t role,
    csc_str_t username, csc_str_t body)
{
    unsigned char name[3 * REPLY_NAME_MAX];
    csc_bus_message_t reply;

    if (username.len > REPLY_NAME_MAX) {
        reply_error(request, CSC_E_INTERNAL_ERROR);
        return;
    }

    memset(&reply, 0, sizeof(reply));
    reply.user = id;
    reply.role = role;
    reply.name.data = name;
    reply.name.len = csc_pct_encode(username, name);
    reply_send(request, &reply, status, body);
}

void
reply_begin(buffer_t *data)
{
    buffer_reset(data);
    buffer_append_text(data, "{\"success\":true,\"data\":");
}

void
reply_data(request_t *request, int status, buffer_t *data)
{
    csc_bus_message_t reply;

    memset(&reply, 0, sizeof(reply));
    buffer_append_text(data, "}");
    reply_buffer(request, &reply, status, data);
}

void
reply_empty(request_t *request, int status)
{
    csc_bus_message_t reply;
    csc_str_t none = CSC_STR_NULL;

    memset(&reply, 0, sizeof(reply));
    reply_send(request, &reply, status, none);
}

/* --- events --- */

static void
reply_event_read(csc_bus_message_t *event, const PGresult *result, int row)
{
    memset(event, 0, sizeof(*event));
    event->topics = reply_column(result, row, OUTCOME_TOPICS);
    event->type = reply_column(result, row, OUTCOME_CLASS);
    event->chat = reply_column(result, row, OUTCOME_CHAT);
    event->keep = reply_column(result, row, OUTCOME_KEEP);
    event->restrict_followers = event->keep.data != NULL;
    event->seq = reply_seq(result, row);
    event->body = reply_column(result, row, OUTCOME_BODY);
}

void
reply_event(
    bus_t *bus, const PGresult *result, int row, const reply_cause_t *cause)
{
    csc_bus_message_t event;

    reply_event_read(&event, result, row);
    if (cause != NULL) {
        event.user = cause->user;
        event.except = cause->except;
        event.at = cause->at;
    }
    bus_event(bus, &event);
}

void
reply_event_to(bus_t *bus, csc_str_t process, const PGresult *result, int row)
{
    csc_bus_message_t event;

    reply_event_read(&event, result, row);
    bus_event_to(bus, process, &event);
}
