#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "op.h"
#include "reply.h"

#define BATCH_PER_ITEM 100000 /* ns that each holds the next batch off */
#define BATCH_MS 1000000      /* ns */

static void batch_next(batch_t *batch);

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

/* One that the database has answered. */
static void
batch_answered(batch_t *batch, batch_item_t *item)
{
    csc_metrics_observe(
        &batch->times, CSC_METRIC_US, (uv_hrtime() - item->received) / 1000);
    free(item);
}

/* Lets go of those that were answered, and of the batch where all were. */
static void
batch_keep_unanswered(batch_t *batch)
{
    size_t i, kept = 0;

    for (i = 0; i < batch->count; i++) {
        if (batch->items[i]->request != NULL) {
            batch->items[kept++] = batch->items[i];
        } else {
            batch_answered(batch, batch->items[i]);
        }
    }

    batch->count = kept;
}

static void
batch_end(batch_t *batch, db_status_e status)
{
    size_t i, count = batch->count;
    batch_item_t *item;

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

        if (status == DB_OK) {
            batch_answered(batch, item);
        } else {
            free(item);
        }
    }

    batch->count = 0;
}

static void
batch_on_done(void *data, db_status_e status, const PGresult *result)
{
    batch_t *batch = data;

    if (status == DB_OK) {
        batch->way->answer(batch, result);
    }

    if (batch->way->rest != NULL && (status == DB_OK || status == DB_FAILED)) {
        batch->way = batch->way->rest;
        batch_keep_unanswered(batch);
    } else {
        batch_end(batch, status);
    }

    batch_next(batch);
}

/* --- the question --- */

void
batch_array(const batch_t *batch, db_query_t *query, db_type_e type,
    csc_str_t (*element)(const batch_item_t *item))
{
    size_t i;

    db_array(query, type, batch->asked);
    for (i = 0; i < batch->count; i++) {
        if (batch->items[i]->asked) {
            db_array_str(query, type, element(batch->items[i]));
        }
    }
    db_array_end(query);
}

csc_str_t
batch_id(const batch_item_t *item)
{
    csc_str_t id;

    id.data = (unsigned char *) item->id;
    id.len = CSC_UUID_LEN;

    return id;
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

csc_str_t
batch_content(const batch_item_t *item)
{
    return item->content;
}

csc_str_t
batch_type(const batch_item_t *item)
{
    return item->type;
}

csc_str_t
batch_client_id(const batch_item_t *item)
{
    return item->client_id;
}

/*
 * PostgreSQL takes longer for a small batch than its items hold the next one
 * off, so that up to 1 s / BATCH_PER_ITEM of them a second nothing waits.
 * Above, one small batch would follow close upon the other, and each costs a
 * commit.
 */
static void
batch_set_due(batch_t *batch)
{
    uint64_t pause = batch->count * BATCH_PER_ITEM;

    batch->due = uv_hrtime() + (pause < batch->pause ? pause : batch->pause);
}

static void
batch_on_timer(uv_timer_t *timer)
{
    batch_t *batch = timer->data;

    if (batch->count == 0) {
        batch_next(batch);
    }
}

/* Whether it is too early for the next batch, which a timer sends then. */
static int
batch_early(batch_t *batch)
{
    uint64_t now;

    if (batch->waiting.count == 0 || batch->waiting.count >= batch->max
        || batch->alone.head != NULL)
    {
        return 0;
    }

    now = uv_hrtime();
    if (now >= batch->due) {
        return 0;
    }

    if (!uv_is_active((uv_handle_t *) &batch->timer)) {
        uv_timer_start(&batch->timer, batch_on_timer,
            (batch->due - now + BATCH_MS - 1) / BATCH_MS, 0);
    }

    return 1;
}

/*
 * Moves what is to be sent next to items; those nobody waits for go.  Those
 * whose batch failed need not try the short way.
 */
static void
batch_gather(batch_t *batch)
{
    int alone = batch->alone.head != NULL;
    size_t max = alone ? 1 : (size_t) batch->max;
    batch_item_t *item;
    bus_t *bus;

    batch->way = batch->kind;
    while (alone && batch->way->rest != NULL) {
        batch->way = batch->way->rest;
    }

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

        item->place = batch->count;
        item->received = item->request->received;
        batch->items[batch->count++] = item;
    }

    if (batch->count > 0) {
        batch_set_due(batch);
        batch->batches++;
        batch->items_sent += batch->count;
        csc_metrics_observe(&batch->sizes, CSC_METRIC_PLAIN, batch->count);
    }
}

/* Sends the batch its way, or, where this is for none of it, the next one. */
static void
batch_send(batch_t *batch)
{
    db_query_t *query;
    size_t i;

    for (i = 0; i < batch->count; i++) {
        batch->items[i]->asked = 1;
    }
    batch->asked = batch->count;

    query = db_query(batch->way->statement, 0, batch_on_done, batch);
    if (query != NULL) {
        batch->way->ask(batch, query);
    }

    if (batch->asked == 0) {
        db_drop(query);
        batch->way = batch->way->rest;
        batch_send(batch);

    } else if (db_submit(batch->db, query) != CSC_OK) {
        batch_on_done(batch, DB_UNAVAILABLE, NULL);
    }
}

/* What is left of the batch, or else the next one. */
static void
batch_next(batch_t *batch)
{
    if (batch->count == 0 && !batch_early(batch)) {
        batch_gather(batch);
    }

    if (batch->count > 0) {
        batch_send(batch);
    }
}

static void
batch_on_check(uv_check_t *check)
{
    batch_t *batch = check->data;

    uv_check_stop(check);
    if (batch->count == 0) {
        batch_next(batch);
    }
}

uint64_t
batch_waited(const batch_t *batch)
{
    const batch_item_t *next = batch->waiting.head;

    return next != NULL ? (uv_hrtime() - next->request->received) / 1000000 : 0;
}

void
batch_add(batch_t *batch, batch_item_t *item)
{
    batch_push(&batch->waiting, item);

    /* requests arrive while the loop polls, and the check comes right after:
       what arrived together is sent together */
    if (batch->count == 0) {
        uv_check_start(&batch->check, batch_on_check);
    }
}

int
batch_init(batch_t *batch, uv_loop_t *loop, db_t *db, const batch_kind_t *kind,
    uint64_t max, uint64_t pause)
{
    memset(batch, 0, sizeof(*batch));
    batch->kind = kind;
    batch->db = db;
    batch->max = max;
    batch->pause = pause * BATCH_MS;
    batch->check.data = batch;
    batch->timer.data = batch;
    batch_queue_init(&batch->waiting);
    batch_queue_init(&batch->alone);
    batch->items = calloc((size_t) max, sizeof(*batch->items));
    batch->chats = calloc((size_t) max, sizeof(*batch->chats));

    return batch->items != NULL && batch->chats != NULL
                   && uv_check_init(loop, &batch->check) == 0
                   && uv_timer_init(loop, &batch->timer) == 0
               ? CSC_OK
               : CSC_ERROR;
}

void
batch_stop(batch_t *batch)
{
    uv_close((uv_handle_t *) &batch->check, NULL);
    uv_close((uv_handle_t *) &batch->timer, NULL);
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
    free(batch->chats);
    buffer_free(&batch->body);
    buffer_free(&batch->topics);
}
