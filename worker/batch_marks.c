/* Marks of what people have read, as a batch. */

#include <string.h>

#include "batch.h"
#include "op.h"
#include "reply.h"

static void
batch_marks_ask(batch_t *batch, db_query_t *query)
{
    size_t i;

    batch_array(batch, query, DB_UUID, batch_chat);
    batch_array(batch, query, DB_UUID, batch_user);

    db_array(query, DB_BIGINT, batch->count);
    for (i = 0; i < batch->count; i++) {
        db_array_int(query, DB_BIGINT, batch->items[i]->seq);
    }
    db_array_end(query);
}

/* The events first: the socket that they are not for stands in the request. */
static void
batch_marks_events(const batch_t *batch, const PGresult *result)
{
    reply_cause_t cause;
    batch_item_t *item;
    int row;

    memset(&cause, 0, sizeof(cause));

    for (row = 0; row < PQntuples(result); row++) {
        item = reply_is(result, row, "event") ? batch_item(batch, result, row)
                                              : NULL;

        if (item != NULL) {
            cause.except = item->request->message.conn;
            reply_event(item->request->ops->bus, result, row, &cause);
        }
    }
}

static void
batch_marks_answer(batch_t *batch, const PGresult *result)
{
    batch_marks_events(batch, result);
    batch_replies(batch, result);
}

const batch_kind_t batch_marks = { STATEMENT_CHATS_READ, batch_marks_ask,
    batch_marks_answer, NULL };
