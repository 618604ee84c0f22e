/*
 * Messages on their way into the database.  While one batch is there the
 * next gathers; all of a batch are stored by one statement and one commit.
 */

#ifndef BATCH_H
#define BATCH_H

#include <uv.h>

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
} batch_item_t;

typedef struct {
    batch_item_t *head;
    batch_item_t **tail;
} batch_queue_t;

typedef struct {
    db_t *db;
    uint64_t max;
    uv_check_t check; /* end of the loop's turn: what it read is a batch */
    batch_queue_t waiting;
    batch_queue_t alone;  /* their batch failed: one by one */
    batch_item_t **items; /* on the way; room for max */
    size_t count;
    uint64_t batches;
    uint64_t messages;
} batch_t;

int batch_init(batch_t *batch, uv_loop_t *loop, db_t *db, uint64_t max);

/* Takes the item over; its request is answered and finished. */
void batch_add(batch_t *batch, batch_item_t *item);

void batch_stop(batch_t *batch);
void batch_free(batch_t *batch);

#endif /* BATCH_H */
