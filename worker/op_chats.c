#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "op.h"
#include "random_id.h"
#include "reply.h"
#include "view.h"

#define LIST_LIMIT 50
#define LIST_LIMIT_MAX 200

/* Which chats somebody of a role sees, and the role as that statement has it. */
static statement_e
op_chats_seen(csc_str_t *role)
{
    if (csc_str_is(*role, "super-agent")) {
        *role = csc_str("super-agent");
        return STATEMENT_CHATS_OF_ALL;
    }

    if (csc_str_is(*role, "agent")) {
        *role = csc_str("agent");
        return STATEMENT_CHATS_OF_AGENT;
    }

    *role = csc_str("customer");
    return STATEMENT_CHATS_OF_CUSTOMER;
}

static void
op_chats_on_list(void *data, db_status_e status, const PGresult *result)
{
    request_t *request = data;
    buffer_t *list = &request->ops->list;
    csc_fault_t fault;
    csc_str_t role;

    if (status != DB_OK) {
        reply_status(request, status);
        return;
    }

    /* the role that counts is the one in the database */
    role = view_role(result, request->message.user);
    if (role.data == NULL) {
        reply_error(request, CSC_E_INVALID_TOKEN);
        return;
    }

    if (op_chats_seen(&role) != op_chats_seen(&request->message.role)) {
        request->message.role = role;
        if (op_chats_list(request, &fault) != CSC_OK) {
            reply_error(request, CSC_E_INTERNAL_ERROR);
        }
        return;
    }

    reply_begin(list);
    view_chats(list, result);
    reply_data(request, 200, list);
}

int
op_chats_list(request_t *request, csc_fault_t *fault)
{
    input_parameter_t p[] = { { .name = "status" }, { .name = "limit" },
        { .name = "offset" } };
    uint64_t limit, offset;
    db_query_t *query;

    if (input_query(request, p, 3, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    if (request->op == CSC_OP_CHATS_ARCHIVED) {
        p[0].value = csc_str("archived");
        p[0].present = 1;

    } else if (p[0].present && !input_word(p[0].value, input_statuses)) {
        return input_fault(
            fault, "status", "The status must be active, closed or archived.");
    }

    if (input_number(&p[1], 1, LIST_LIMIT_MAX, LIST_LIMIT, &limit, fault)
            != CSC_OK
        || input_number(&p[2], 0, INT32_MAX, 0, &offset, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    query = op_query_for(
        request, op_chats_seen(&request->message.role), op_chats_on_list);

    if (p[0].present) {
        db_str(query, p[0].value);
    } else {
        db_null(query);
    }

    db_int(query, (int64_t) limit);
    db_int(query, (int64_t) offset);

    return op_submit(request, query);
}

static void
op_chats_id(db_query_t *query, csc_str_t id)
{
    if (id.len > 0) {
        db_str(query, id);
    } else {
        db_null(query);
    }
}

int
op_chats_create(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t f[] = { { .name = "customerId" }, { .name = "agentId" } };
    unsigned char ids[2][CSC_UUID_LEN], id[CSC_UUID_LEN];
    csc_str_t customer, agent, chat = { CSC_UUID_LEN, id };
    db_query_t *query;

    if (input_body(request, f, 2, fault) != CSC_OK
        || input_uuid(&f[0], ids[0], &customer, fault) != CSC_OK
        || input_uuid(&f[1], ids[1], &agent, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    if (random_id(id) != CSC_OK) {
        fault->error = CSC_E_INTERNAL_ERROR;
        return CSC_ERROR;
    }

    query = op_query(request, STATEMENT_CHATS_CREATE);
    db_str(query, chat);
    op_chats_id(query, customer);
    op_chats_id(query, agent);

    return op_submit(request, query);
}

static db_query_t *
op_chats_query(request_t *request, statement_e statement)
{
    db_query_t *query = op_query(request, statement);

    db_str(query, request->message.chat);

    return query;
}

int
op_chats_get(request_t *request, csc_fault_t *fault)
{
    (void) fault;

    return op_submit(request, op_chats_query(request, STATEMENT_CHATS_GET));
}

static int
op_chats_set_status(request_t *request, csc_str_t status)
{
    db_query_t *query = op_chats_query(request, STATEMENT_CHATS_SET_STATUS);

    db_str(query, status);

    return op_submit(request, query);
}

int
op_chats_status(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t field = { .name = "status" };
    csc_str_t status;

    if (input_body(request, &field, 1, fault) != CSC_OK
        || input_text(&field, 1, 20, &status, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    if (!input_word(status, input_statuses)) {
        return input_fault(
            fault, "status", "The status must be active, closed or archived.");
    }

    return op_chats_set_status(request, status);
}

int
op_chats_archive(request_t *request, csc_fault_t *fault)
{
    (void) fault;

    return op_chats_set_status(request, csc_str("archived"));
}

int
op_chats_unarchive(request_t *request, csc_fault_t *fault)
{
    (void) fault;

    return op_submit(
        request, op_chats_query(request, STATEMENT_CHATS_UNARCHIVE));
}

int
op_chats_delete(request_t *request, csc_fault_t *fault)
{
    (void) fault;

    return op_submit(request, op_chats_query(request, STATEMENT_CHATS_DELETE));
}

int
op_chats_assign(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t field = { .name = "agentId" };
    csc_str_t agent, made = request->message.msg;
    unsigned char id[CSC_UUID_LEN];
    db_query_t *query;

    if (input_body(request, &field, 1, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    /* that it goes back to the queue has to be said */
    if (field.type == CSC_JSON_ABSENT) {
        return input_fault(fault, "agentId", "This field is required.");
    }

    if (input_uuid(&field, id, &agent, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    query = op_chats_query(request, STATEMENT_CHATS_ASSIGN);
    op_chats_id(query, agent);

    if (!csc_uuid_is(made)) {
        made.len = 0;
    }

    op_chats_id(query, made);

    return op_submit(request, query);
}

/* The chat of a WebSocket event has to be the one that it was sent for. */
static int
op_chats_event(
    request_t *request, csc_json_field_t *f, size_t n, csc_fault_t *fault)
{
    unsigned char id[CSC_UUID_LEN];
    csc_str_t chat;

    f[0].name = "chatId";
    f[1].name = "clientId";

    if (input_body(request, f, n, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    if (f[1].type == CSC_JSON_STRING) {
        request->client_id = f[1].value;
    }

    if (input_uuid(&f[0], id, &chat, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    if (!csc_str_eq(chat, request->message.chat)) {
        return input_fault(fault, "chatId", "The chat id must be a UUID.");
    }

    return CSC_OK;
}

/* A join and a resume differ in their statements, and in what may be left out. */
static int
op_chats_follow(request_t *request, statement_e statement, int after_required,
    csc_fault_t *fault)
{
    csc_json_field_t f[3] = { { .name = NULL }, { .name = NULL },
        { .name = "afterSeq" } };
    db_query_t *query;
    int64_t after = 0;
    int absent;

    if (op_chats_event(request, f, 3, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    absent = input_absent(&f[2]) && !after_required;

    if (!absent && csc_json_integer(&f[2], 0, INT64_MAX, &after) != CSC_OK) {
        return input_fault(
            fault, "afterSeq", "This field must be a whole number.");
    }

    query = op_chats_query(request, statement);

    if (absent) {
        db_null(query);
    } else {
        db_int(query, after);
    }

    return op_submit(request, query);
}

int
op_chats_join(request_t *request, csc_fault_t *fault)
{
    return op_chats_follow(request, STATEMENT_CHATS_JOIN, 0, fault);
}

int
op_chats_resume(request_t *request, csc_fault_t *fault)
{
    return op_chats_follow(request, STATEMENT_CHATS_RESUME, 1, fault);
}

int
op_chats_typing(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t f[2] = { { .name = NULL }, { .name = NULL } };
    db_query_t *query;

    if (op_chats_event(request, f, 2, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    query = op_chats_query(request, STATEMENT_CHATS_TYPING);
    db_bool(query, request->op == CSC_OP_TYPING_START);

    return op_submit(request, query);
}

int
op_chats_leave(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t f[2] = { { .name = NULL }, { .name = NULL } };

    if (op_chats_event(request, f, 2, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    return op_submit(request, op_chats_query(request, STATEMENT_CHATS_LEAVE));
}

int
op_chats_read(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t f[3] = { { .name = NULL }, { .name = NULL },
        { .name = "seq" } };
    batch_item_t *item;
    int64_t seq;

    if (op_chats_event(request, f, 3, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    if (csc_json_integer(&f[2], 0, INT64_MAX, &seq) != CSC_OK) {
        return input_fault(fault, "seq", "This field must be a whole number.");
    }

    item = calloc(1, sizeof(*item));
    if (item == NULL) {
        fault->error = CSC_E_BACKEND_UNAVAILABLE;
        return CSC_ERROR;
    }

    item->request = request;
    item->seq = seq;
    batch_add(request->ops->marks, item);

    return CSC_OK;
}
