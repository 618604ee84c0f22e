#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "op.h"
#include "reply.h"

static void batch_send(batch_t *batch);

static void
batch_queue_init(batch_queue_t *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
    queue->count = 0;
}

static void
batch_push(batch_queue_t *queue, batch_item_t *item)
{
    item->next = NULL;
    *queue->tail = item;
    queue->tail = &item->next;
    queue->count++;
}

static batch_item_t *
batch_shift(batch_queue_t *queue)
{
    batch_item_t *item = queue->head;

    if (item != NULL) {
        queue->head = item->next;
        if (queue->head == NULL) {
            queue->tail = &queue->head;
        }
        queue->count--;
    }

    return item;
}

/* --- the answer --- */

batch_item_t *
batch_item(const batch_t *batch, const PGresult *result, int row)
{
    uint64_t ord;

    if (csc_str_to_u64(
            reply_column(result, row, OUTCOME_ORD), batch->count, &ord)
            != CSC_OK
        || ord == 0)
    {
        return NULL;
    }

    return batch->items[ord - 1];
}

void
batch_replies(batch_t *batch, const PGresult *result)
{
    csc_str_t none = CSC_STR_NULL;
    batch_item_t *item;
    int row;

    for (row = 0; row < PQntuples(result); row++) {
        item = reply_is(result, row, "reply") ? batch_item(batch, result, row)
                                              : NULL;

        if (item != NULL && item->request != NULL) {
            reply_row(item->request, result, row, none);
            item->request = NULL;
        }
    }
}

static void
batch_measure(batch_t *batch)
{
    uint64_t now = uv_hrtime();
    size_t i;

    for (i = 0; i < batch->count; i++) {
        csc_metrics_observe(&batch->times, CSC_METRIC_US,
            (now - batch->items[i]->request->received) / 1000);
    }
}

static void
batch_on_done(void *data, db_status_e status, const PGresult *result)
{
    batch_t *batch = data;
    size_t i, count = batch->count;
    batch_item_t *item;

    if (status == DB_OK) {
        batch_measure(batch);
        batch->kind->answer(batch, result);
    }

    for (i = 0; i < count; i++) {
        item = batch->items[i];

        /* a bad one must not fail its neighbours */
        if (status == DB_FAILED && count > 1) {
            batch_push(&batch->alone, item);
            continue;
        }

        if (item->request != NULL) {
            reply_status(item->request, status);
        }
        free(item);
    }

    batch->count = 0;
    batch_send(batch);
}

/* --- the question --- */

void
batch_array(const batch_t *batch, db_query_t *query,
    csc_str_t (*element)(const batch_item_t *item))
{
    buffer_t *value = db_value(query);
    size_t i;

    buffer_array(value);
    for (i = 0; i < batch->count; i++) {
        buffer_element(value, element(batch->items[i]));
    }
    buffer_array_close(value);
    db_value_end(query);
}

csc_str_t
batch_chat(const batch_item_t *item)
{
    return item->request->message.chat;
}

csc_str_t
batch_user(const batch_item_t *item)
{
    return item->request->message.user;
}

/* Moves what is to be sent next to items; those nobody waits for go. */
static void
batch_gather(batch_t *batch)
{
    int alone = batch->alone.head != NULL;
    size_t max = alone ? 1 : (size_t) batch->max;
    batch_item_t *item;
    bus_t *bus;

    while (batch->count < max) {
        item = batch_shift(alone ? &batch->alone : &batch->waiting);
        if (item == NULL) {
            break;
        }

        bus = item->request->ops->bus;
        if (bus_expired(bus, item->request)) {
            bus_finish(bus, item->request);
            free(item);
            continue;
        }

        batch->items[batch->count++] = item;
    }
}

static void
batch_send(batch_t *batch)
{
    db_query_t *query;

    if (batch->count > 0) {
        return;
    }

    batch_gather(batch);
    if (batch->count == 0) {
        return;
    }

    batch->batches++;
    batch->items_sent += batch->count;
    csc_metrics_observe(&batch->sizes, CSC_METRIC_PLAIN, batch->count);

    query = db_query(batch->kind->statement, 0, batch_on_done, batch);

    if (query != NULL) {
        batch->kind->ask(batch, query);
    }

    if (db_submit(batch->db, query) != CSC_OK) {
        batch_on_done(batch, DB_UNAVAILABLE, NULL);
    }
}

static void
batch_on_check(uv_check_t *check)
{
    uv_check_stop(check);
    batch_send(check->data);
}

void
batch_add(batch_t *batch, batch_item_t *item)
{
    batch_push(&batch->waiting, item);

    /* requests arrive while the loop polls, and the check comes right after:
       what arrived together is sent together, and nothing waits */
    if (batch->count == 0) {
        uv_check_start(&batch->check, batch_on_check);
    }
}

int
batch_init(batch_t *batch, uv_loop_t *loop, db_t *db, const batch_kind_t *kind,
    uint64_t max)
{
    memset(batch, 0, sizeof(*batch));
    batch->kind = kind;
    batch->db = db;
    batch->max = max;
    batch->check.data = batch;
    batch_queue_init(&batch->waiting);
    batch_queue_init(&batch->alone);
    batch->items = calloc((size_t) max, sizeof(*batch->items));

    return batch->items != NULL && uv_check_init(loop, &batch->check) == 0
               ? CSC_OK
               : CSC_ERROR;
}

void
batch_stop(batch_t *batch)
{
    uv_close((uv_handle_t *) &batch->check, NULL);
}

void
batch_free(batch_t *batch)
{
    batch_item_t *item;

    while ((item = batch_shift(&batch->waiting)) != NULL
           || (item = batch_shift(&batch->alone)) != NULL)
    {
        free(item);
    }

    free(batch->items);
}
