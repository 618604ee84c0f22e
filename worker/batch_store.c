/*
 * Messages as a batch, the short way (cs_chat.messages_store()): where no more
 * than two people write to a chat, which are then its customer and its agent,
 * and nothing out of the ordinary follows.  All else is left to
 * batch_messages.
 */

#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "message.h"
#include "op.h"
#include "reply.h"

/* Columns of cs_chat.stored. */
enum {
    STORED_PLACE,
    STORED_SEQ,
    STORED_TS,
    STORED_CUSTOMER,
    STORED_AGENT,
    STORED_NAME,
    STORED_ROLE,
    STORED_AVATAR,
    STORED_OTHER /* name, role and avatar of the other writer */
};

/* --- chat by chat --- */

static int
batch_store_compare(const void *a, const void *b)
{
    const batch_item_t *one = *(batch_item_t *const *) a;
    const batch_item_t *two = *(batch_item_t *const *) b;
    int order = memcmp(
        batch_chat(one).data, batch_chat(two).data, CSC_UUID_LEN);

    if (order != 0) {
        return order;
    }

    return one->place < two->place ? -1 : one->place > two->place;
}

static int
batch_store_same_writer(const batch_item_t *a, const batch_item_t *b)
{
    return memcmp(a->sender, b->sender, CSC_UUID_LEN) == 0;
}

/* Who writes to the chat; CSC_ERROR where they are more than two. */
static int
batch_store_writers(const batch_t *batch, batch_chat_t *chat)
{
    batch_item_t **items = batch->items + chat->first;
    size_t i;

    chat->writer = items[chat->count - 1];
    chat->other = NULL;

    for (i = chat->count; i-- > 0;) {
        if (!batch_store_same_writer(items[i], chat->writer)) {
            if (chat->other == NULL) {
                chat->other = items[i];
            } else if (!batch_store_same_writer(items[i], chat->other)) {
                return CSC_ERROR;
            }
        }
    }

    return CSC_OK;
}

static void
batch_store_leave(batch_t *batch, const batch_chat_t *chat)
{
    size_t i;

    for (i = 0; i < chat->count; i++) {
        batch->items[chat->first + i]->asked = 0;
    }

    batch->asked -= chat->count;
}

/* Finds the chats whose messages can go the short way. */
static void
batch_store_chats(batch_t *batch)
{
    batch_chat_t *chat;
    size_t i, end;

    qsort(
        batch->items, batch->count, sizeof(*batch->items), batch_store_compare);

    batch->chat_count = 0;

    for (i = 0; i < batch->count; i = end) {
        for (end = i + 1; end < batch->count; end++) {
            if (!csc_str_eq(batch_chat(batch->items[i]),
                    batch_chat(batch->items[end]))) {
                break;
            }
        }

        chat = &batch->chats[batch->chat_count];
        chat->first = i;
        chat->count = end - i;

        if (batch_store_writers(batch, chat) == CSC_OK) {
            batch->chat_count++;
        } else {
            batch_store_leave(batch, chat);
        }
    }
}

/* --- the question --- */

static csc_str_t
batch_store_writer(const batch_chat_t *chat)
{
    return batch_user(chat->writer);
}

static csc_str_t
batch_store_other(const batch_chat_t *chat)
{
    csc_str_t none = CSC_STR_NULL;

    return chat->other != NULL ? batch_user(chat->other) : none;
}

static csc_str_t
batch_store_chat(const batch_chat_t *chat)
{
    return batch_chat(chat->writer);
}

static void
batch_store_array(const batch_t *batch, db_query_t *query,
    csc_str_t (*element)(const batch_chat_t *chat))
{
    size_t i;

    db_array(query, DB_UUID, batch->chat_count);
    for (i = 0; i < batch->chat_count; i++) {
        db_array_str(query, DB_UUID, element(&batch->chats[i]));
    }
    db_array_end(query);
}

/* How many messages of a chat come after the last of the other writer. */
static int64_t
batch_store_behind(const batch_t *batch, const batch_chat_t *chat)
{
    size_t i = chat->count;

    if (chat->other == NULL) {
        return 0;
    }

    while (batch->items[chat->first + i - 1] != chat->other) {
        i--;
    }

    return (int64_t) (chat->count - i);
}

static void
batch_store_ask_chats(const batch_t *batch, db_query_t *query)
{
    int64_t stop = 0;
    size_t i;

    batch_store_array(batch, query, batch_store_chat);

    db_array(query, DB_INT, batch->chat_count);
    for (i = 0; i < batch->chat_count; i++) {
        stop += (int64_t) batch->chats[i].count;
        db_array_int(query, DB_INT, stop);
    }
    db_array_end(query);

    batch_store_array(batch, query, batch_store_writer);
    batch_store_array(batch, query, batch_store_other);

    db_array(query, DB_INT, batch->chat_count);
    for (i = 0; i < batch->chat_count; i++) {
        db_array_int(
            query, DB_INT, batch_store_behind(batch, &batch->chats[i]));
    }
    db_array_end(query);
}

static void
batch_store_ask_messages(const batch_t *batch, db_query_t *query)
{
    const batch_chat_t *chat;
    size_t i, j;

    batch_array(batch, query, DB_UUID, batch_id);

    db_array(query, DB_INT, batch->asked);
    for (i = 0; i < batch->chat_count; i++) {
        for (j = 0; j < batch->chats[i].count; j++) {
            db_array_int(query, DB_INT, (int64_t) i + 1);
        }
    }
    db_array_end(query);

    db_array(query, DB_BOOL, batch->asked);
    for (i = 0; i < batch->chat_count; i++) {
        chat = &batch->chats[i];
        for (j = 0; j < chat->count; j++) {
            db_array_int(query, DB_BOOL,
                !batch_store_same_writer(
                    batch->items[chat->first + j], chat->writer));
        }
    }
    db_array_end(query);

    batch_array(batch, query, DB_TEXT, batch_content);
    batch_array(batch, query, DB_TEXT, batch_type);
    batch_array(batch, query, DB_TEXT, batch_client_id);
}

static void
batch_store_ask(batch_t *batch, db_query_t *query)
{
    batch_store_chats(batch);
    batch_store_ask_chats(batch, query);
    batch_store_ask_messages(batch, query);
}

/* --- the answer --- */

static void
batch_store_message(message_t *message, const batch_chat_t *chat,
    const batch_item_t *item, const PGresult *result, int row)
{
    int by = batch_store_same_writer(item, chat->writer) ? STORED_NAME
                                                         : STORED_OTHER;

    message->id = batch_id(item);
    message->chat = batch_chat(item);
    message->sender = batch_user(item);
    message->content = item->content;
    message->type = item->type;
    message->client_id = item->client_id;

    message->ts = reply_column(result, row, STORED_TS);
    message->customer = reply_column(result, row, STORED_CUSTOMER);
    message->agent = reply_column(result, row, STORED_AGENT);
    message->name = reply_column(result, row, by);
    message->role = reply_column(result, row, by + 1);
    message->avatar = reply_column(result, row, by + 2);
}

/* Answers the request, with which its bytes go, and then tells everyone. */
static void
batch_store_tell(batch_t *batch, batch_item_t *item, const message_t *message)
{
    request_t *request = item->request;
    bus_t *bus = request->ops->bus;
    unsigned char chat[CSC_UUID_LEN];
    csc_bus_message_t event;
    csc_str_t json;

    buffer_reset(&batch->body);
    buffer_reset(&batch->topics);
    message_event(&batch->body, message, &json);
    message_topics(&batch->topics, message);
    memcpy(chat, message->chat.data, sizeof(chat));

    memset(&event, 0, sizeof(event));
    event.type = csc_str("message");
    event.seq = message->seq;
    event.chat.data = chat;
    event.chat.len = sizeof(chat);
    event.user.data = item->sender;
    event.user.len = CSC_UUID_LEN;
    event.at = csc_uuid_ms(batch_id(item));

    /* without memory the event is nobody's, and its number a gap */
    if (!batch->body.failed && !batch->topics.failed) {
        event.topics.data = batch->topics.data;
        event.topics.len = batch->topics.used;
        event.body.data = batch->body.data;
        event.body.len = batch->body.used;
    }

    reply_stored(request, message, json);
    item->request = NULL;
    bus_event(bus, &event);
}

static void
batch_store_answer_chat(batch_t *batch, const batch_chat_t *chat, uint64_t last,
    const PGresult *result, int row)
{
    message_t message;
    batch_item_t *item;
    size_t i;

    for (i = 0; i < chat->count; i++) {
        item = batch->items[chat->first + i];
        batch_store_message(&message, chat, item, result, row);
        message.seq = last - (chat->count - 1 - i);
        batch_store_tell(batch, item, &message);
    }
}

/* A row for each chat; of a chat without one nothing was stored. */
static void
batch_store_answer(batch_t *batch, const PGresult *result)
{
    uint64_t place, last;
    int row;

    for (row = 0; row < PQntuples(result); row++) {
        if (csc_str_to_u64(reply_column(result, row, STORED_PLACE),
                batch->chat_count, &place)
                == CSC_OK
            && place > 0
            && csc_str_to_u64(
                   reply_column(result, row, STORED_SEQ), INT64_MAX, &last)
                   == CSC_OK)
        {
            batch_store_answer_chat(
                batch, &batch->chats[place - 1], last, result, row);
        }
    }
}

const batch_kind_t batch_store = { STATEMENT_MESSAGES_STORE, batch_store_ask,
    batch_store_answer, &batch_messages };
