#include <stdlib.h>
#include <string.h>

#include "../common/csc_query.h"
#include "../common/csc_utf8.h"
#include "input.h"
#include "op.h"
#include "random_id.h"
#include "reply.h"
#include "view.h"

#define CONTENT_MAX 10000 /* code points */
#define CLIENT_ID_MAX 64
#define LIST_LIMIT 50
#define LIST_LIMIT_MAX 200

/* --- messages.send --- */

enum {
    SEND_CONTENT,
    SEND_TYPE,
    SEND_OLD_TYPE,
    SEND_CLIENT,
    SEND_CHAT
};

static int
op_messages_type(const csc_json_field_t *f, csc_str_t *type, csc_fault_t *fault)
{
    static const char *const types[] = { "text", "image", "file", NULL };
    const csc_json_field_t *field;

    field = input_absent(&f[SEND_TYPE]) ? &f[SEND_OLD_TYPE] : &f[SEND_TYPE];

    if (input_absent(field)) {
        *type = csc_str("text");
        return CSC_OK;
    }

    if (field->type != CSC_JSON_STRING || !input_word(field->value, types)) {
        return input_fault(
            fault, field->name, "The type must be text, image or file.");
    }

    *type = field->value;

    return CSC_OK;
}

/* The Idempotency-Key header, decoded behind what the body has decoded. */
static int
op_messages_key(request_t *request, csc_str_t *key, csc_fault_t *fault)
{
    csc_str_t encoded = request->message.key;
    unsigned char *own;
    size_t len, count;

    own = request->bytes + (encoded.data - request->bytes);

    if (csc_pct_decode(encoded, 0, own, &len) != CSC_OK) {
        return input_fault(
            fault, "clientId", "The Idempotency-Key is not readable.");
    }

    key->data = own;
    key->len = len;

    if (!csc_utf8_valid(*key) || memchr(own, '\0', len) != NULL) {
        return input_fault(
            fault, "clientId", "The Idempotency-Key is not valid UTF-8.");
    }

    count = csc_utf8_length(*key);
    if (count < 1 || count > CLIENT_ID_MAX) {
        return input_fault(fault, "clientId",
            "The Idempotency-Key must have 1 to 64 characters.");
    }

    return CSC_OK;
}

static int
op_messages_client_id(request_t *request, const csc_json_field_t *field,
    csc_str_t *client_id, csc_fault_t *fault)
{
    csc_str_t key = CSC_STR_NULL;

    if (!input_absent(field)
        && input_text(field, 1, CLIENT_ID_MAX, client_id, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    if (request->message.key.data == NULL || request->message.key.len == 0) {
        return CSC_OK;
    }

    if (op_messages_key(request, &key, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    if (client_id->data != NULL && !csc_str_eq(*client_id, key)) {
        return input_fault(fault, "clientId",
            "clientId and the Idempotency-Key header differ.");
    }

    *client_id = key;

    return CSC_OK;
}

static int
op_messages_chat(
    request_t *request, const csc_json_field_t *field, csc_fault_t *fault)
{
    unsigned char id[CSC_UUID_LEN];
    csc_str_t chat;

    if (!request->message.ws) {
        return CSC_OK;
    }

    if (input_uuid(field, id, &chat, fault) != CSC_OK) {
        return CSC_ERROR;
    }

    if (!csc_str_eq(chat, request->message.chat)) {
        return input_fault(fault, "chatId", "The chat id must be a UUID.");
    }

    return CSC_OK;
}

static int
op_messages_input(request_t *request, batch_item_t *item, csc_fault_t *fault)
{
    csc_json_field_t f[] = {
        [SEND_CONTENT] = { .name = "content" },
        [SEND_TYPE] = { .name = request->message.ws ? "messageType" : "type" },
        [SEND_OLD_TYPE] = { .name = request->message.ws ? "type"
                                                        : "messageType" },
        [SEND_CLIENT] = { .name = "clientId" },
        [SEND_CHAT] = { .name = "chatId" },
    };

    if (input_body(request, f, sizeof(f) / sizeof(f[0]), fault) != CSC_OK) {
        return CSC_ERROR;
    }

    if (f[SEND_CLIENT].type == CSC_JSON_STRING) {
        request->client_id = f[SEND_CLIENT].value;
    }

    if (op_messages_chat(request, &f[SEND_CHAT], fault) != CSC_OK
        || input_text(&f[SEND_CONTENT], 1, CONTENT_MAX, &item->content, fault)
               != CSC_OK
        || op_messages_type(f, &item->type, fault) != CSC_OK
        || op_messages_client_id(
               request, &f[SEND_CLIENT], &item->client_id, fault)
               != CSC_OK)
    {
        return CSC_ERROR;
    }

    /* the module's id where it has made one, so that a repeat is one */
    if (csc_uuid_parse(request->message.msg, item->id) != CSC_OK
        && random_id(item->id) != CSC_OK)
    {
        fault->error = CSC_E_INTERNAL_ERROR;
        return CSC_ERROR;
    }

    return CSC_OK;
}

int
op_messages_send(request_t *request, csc_fault_t *fault)
{
    batch_item_t *item = calloc(1, sizeof(*item));

    if (item == NULL) {
        fault->error = CSC_E_BACKEND_UNAVAILABLE;
        return CSC_ERROR;
    }

    if (op_messages_input(request, item, fault) != CSC_OK) {
        free(item);
        return CSC_ERROR;
    }

    item->request = request;
    memcpy(item->sender, request->message.user.data, CSC_UUID_LEN);
    batch_add(request->ops->messages, item);

    return CSC_OK;
}

/* --- messages.list --- */

enum {
    LIST_OFFSET,
    LIST_BEFORE,
    LIST_AFTER,
    LIST_COUNT
};

/* offset, before (a seq or a time) and after, of which one may be there. */
static int
op_messages_position(
    const input_parameter_t *p, db_query_t *query, csc_fault_t *fault)
{
    const input_parameter_t *before = &p[LIST_BEFORE];
    uint64_t seq, after, offset;
    int is_seq = 0;

    if (p[LIST_OFFSET].present + before->present + p[LIST_AFTER].present > 1) {
        return input_fault(
            fault, NULL, "Only one of offset, before and after may be given.");
    }

    if (input_number(&p[LIST_OFFSET], 0, INT32_MAX, 0, &offset, fault) != CSC_OK
        || input_number(&p[LIST_AFTER], 0, INT64_MAX, 0, &after, fault)
               != CSC_OK)
    {
        return CSC_ERROR;
    }

    if (before->present) {
        is_seq = csc_str_to_u64(before->value, INT64_MAX, &seq) == CSC_OK;
        if (!is_seq && !input_is_time(before->value)) {
            return input_fault(fault, "before",
                "before must be a seq or a time as in RFC 3339.");
        }
    }

    p[LIST_OFFSET].present ? db_int(query, (int64_t) offset) : db_null(query);
    is_seq ? db_int(query, (int64_t) seq) : db_null(query);
    before->present && !is_seq ? db_str(query, before->value) : db_null(query);
    p[LIST_AFTER].present ? db_int(query, (int64_t) after) : db_null(query);

    return CSC_OK;
}

/* A '+' that was not encoded has become a space. */
static void
op_messages_time_zone(input_parameter_t *before, request_t *request)
{
    size_t zone = before->value.len > 6 ? before->value.len - 6 : 0;

    if (zone > 0 && before->value.data[zone] == ' ') {
        request->scratch[before->value.data + zone - request->scratch] = '+';
    }
}

static void
op_messages_on_list(void *data, db_status_e status, const PGresult *result)
{
    request_t *request = data;
    buffer_t *list = &request->ops->list;

    if (status != DB_OK) {
        reply_status(request, status);

    } else if (PQntuples(result) == 0) {
        reply_error(request, CSC_E_INVALID_TOKEN);

    } else if (PQgetisnull(result, 0, MESSAGES_SENDER)) {
        reply_error(request, CSC_E_CHAT_NOT_FOUND);

    } else {
        reply_begin(list);
        view_messages(list, request->message.chat, result);
        reply_data(request, 200, list);
    }
}

int
op_messages_list(request_t *request, csc_fault_t *fault)
{
    input_parameter_t p[] = {
        [LIST_OFFSET] = { .name = "offset" },
        [LIST_BEFORE] = { .name = "before" },
        [LIST_AFTER] = { .name = "after" },
        [LIST_COUNT] = { .name = "limit" },
    };
    db_query_t *query;
    uint64_t limit;
    int newest;

    if (input_query(request, p, sizeof(p) / sizeof(p[0]), fault) != CSC_OK
        || input_number(
               &p[LIST_COUNT], 1, LIST_LIMIT_MAX, LIST_LIMIT, &limit, fault)
               != CSC_OK)
    {
        return CSC_ERROR;
    }

    op_messages_time_zone(&p[LIST_BEFORE], request);

    newest = !p[LIST_OFFSET].present && !p[LIST_BEFORE].present
             && !p[LIST_AFTER].present;

    query = op_query_for(request,
        newest ? STATEMENT_MESSAGES_NEWEST : STATEMENT_MESSAGES_LIST,
        op_messages_on_list);
    db_str(query, request->message.chat);
    db_int(query, (int64_t) limit);

    if (!newest && op_messages_position(p, query, fault) != CSC_OK) {
        db_drop(query);
        return CSC_ERROR;
    }

    return op_submit(request, query);
}

/* --- messages.repeat --- */

static void
op_messages_on_repeated(void *data, db_status_e status, const PGresult *result)
{
    request_t *request = data;
    bus_t *bus = request->ops->bus;
    int row;

    for (row = 0; status == DB_OK && row < PQntuples(result); row++) {
        reply_event_to(bus, request->message.from, result, row);
    }

    bus_finish(bus, request);
}

/* An NGINX process has seen a gap; nothing is told where it can't be filled. */
int
op_messages_repeat(request_t *request, csc_fault_t *fault)
{
    const csc_bus_message_t *message = &request->message;
    bus_t *bus = request->ops->bus;
    db_query_t *query;

    (void) fault;

    if (message->from.len == 0 || !csc_uuid_is(message->chat)
        || csc_bus_shard(message->chat) != request->shard
        || message->seq > INT64_MAX)
    {
        bus_bad(bus, "no process or chat", message->op);
        bus_finish(bus, request);
        return CSC_OK;
    }

    query = db_query(STATEMENT_MESSAGES_REPEAT, request->deadline,
        op_messages_on_repeated, request);
    db_str(query, message->chat);
    db_int(query, (int64_t) message->seq);

    if (db_submit(request->ops->db, query) != CSC_OK) {
        bus_finish(bus, request);
    }

    return CSC_OK;
}
