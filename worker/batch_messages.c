/* Messages of every kind as a batch: the thorough way. */

#include <string.h>

#include "batch.h"
#include "op.h"
#include "reply.h"

static void
batch_messages_ask(batch_t *batch, db_query_t *query)
{
    batch_array(batch, query, DB_UUID, batch_id);
    batch_array(batch, query, DB_UUID, batch_chat);
    batch_array(batch, query, DB_UUID, batch_user);
    batch_array(batch, query, DB_TEXT, batch_content);
    batch_array(batch, query, DB_TEXT, batch_type);
    batch_array(batch, query, DB_TEXT, batch_client_id);
}

static void
batch_messages_event(
    const batch_item_t *item, bus_t *bus, const PGresult *result, int row)
{
    reply_cause_t cause;

    memset(&cause, 0, sizeof(cause));
    cause.user.data = (unsigned char *) item->sender;
    cause.user.len = CSC_UUID_LEN;
    cause.at = csc_uuid_ms(batch_id(item));

    reply_event(bus, result, row, &cause);
}

/*
 * Rows are in the order of the messages, each reply before its events.  The
 * events of a message that was refused don't exist.
 */
static void
batch_messages_answer(batch_t *batch, const PGresult *result)
{
    csc_str_t none = CSC_STR_NULL;
    batch_item_t *item;
    ops_t *ops = batch->items[0]->request->ops;
    int row;

    for (row = 0; row < PQntuples(result); row++) {
        item = batch_item(batch, result, row);

        if (item == NULL) {
            continue;
        }

        if (reply_is(result, row, "event")) {
            batch_messages_event(item, ops->bus, result, row);

        } else if (reply_is(result, row, "reply") && item->request != NULL) {
            item->request->client_id = item->client_id;
            reply_row(item->request, result, row, none);
            item->request = NULL;
        }
    }
}

const batch_kind_t batch_messages = { STATEMENT_MESSAGES_SEND,
    batch_messages_ask, batch_messages_answer, NULL };
