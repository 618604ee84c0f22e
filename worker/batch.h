/*
 * Many small requests on their way to the database: messages, marks of what is
 * read, people who ask for their own account.  While one batch is there the
 * next gathers; all of a batch are one statement and one commit.
 */

#ifndef BATCH_H
#define BATCH_H

#include <uv.h>

#include "../common/csc_metrics.h"
#include "../common/csc_uuid.h"
#include "bus.h"
#include "db.h"

typedef struct batch_item_s {
    struct batch_item_s *next;
    request_t *request;
    unsigned char id[CSC_UUID_LEN];
    unsigned char sender[CSC_UUID_LEN]; /* outlives the request */
    csc_str_t content;                  /* views of the request */
    csc_str_t type;
    csc_str_t client_id; /* data NULL: none */
    csc_str_t seq;       /* of a mark, as digits */
} batch_item_t;

typedef struct {
    batch_item_t *head;
    batch_item_t **tail;
    size_t count;
} batch_queue_t;

struct batch_s;

/* What a batch is made of. */
typedef struct {
    statement_e statement;
    void (*ask)(const struct batch_s *batch, db_query_t *query);
    void (*answer)(struct batch_s *batch, const PGresult *result);
} batch_kind_t;

extern const batch_kind_t batch_messages; /* batch_messages.c */
extern const batch_kind_t batch_marks;    /* batch_marks.c */
extern const batch_kind_t batch_users;    /* batch_users.c */

typedef struct batch_s {
    const batch_kind_t *kind;
    db_t *db;
    uint64_t max;
    uv_check_t check; /* end of the loop's turn: what it read is a batch */
    batch_queue_t waiting;
    batch_queue_t alone;  /* their batch failed: one by one */
    batch_item_t **items; /* on the way; room for max */
    size_t count;
    uint64_t batches;
    uint64_t items_sent;
    csc_histogram_t sizes; /* of batches */
    csc_histogram_t times; /* from the receipt of an item to its result, us */
} batch_t;

int batch_init(batch_t *batch, uv_loop_t *loop, db_t *db,
    const batch_kind_t *kind, uint64_t max);

/* Takes the item over; its request is answered and finished. */
void batch_add(batch_t *batch, batch_item_t *item);

void batch_stop(batch_t *batch);
void batch_free(batch_t *batch);

/* --- for the kinds --- */

/* Adds an array as a parameter: one element for each item, in order. */
void batch_array(const batch_t *batch, db_query_t *query,
    csc_str_t (*element)(const batch_item_t *item));

csc_str_t batch_chat(const batch_item_t *item);
csc_str_t batch_user(const batch_item_t *item);

/*
 * The item that a row of the result is about, NULL where there is none.  Once
 * its request is answered that is NULL.
 */
batch_item_t *batch_item(const batch_t *batch, const PGresult *result, int row);

/* Answers each request that a row of kind "reply" is about. */
void batch_replies(batch_t *batch, const PGresult *result);

#endif /* BATCH_H */
