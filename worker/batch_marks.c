/* Marks of what people have read, as a batch. */

#include <string.h>

#include "batch.h"
#include "op.h"
#include "reply.h"

static csc_str_t
batch_seq(const batch_item_t *item)
{
    return item->seq;
}

static void
batch_marks_ask(const batch_t *batch, db_query_t *query)
{
    batch_array(batch, query, batch_chat);
    batch_array(batch, query, batch_user);
    batch_array(batch, query, batch_seq);
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
    batch_marks_answer };
