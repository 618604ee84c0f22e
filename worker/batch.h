/*
 * Many small requests on their way to the database: messages, marks of what is
 * read, people who ask for their own account.  While one batch is there the
 * next gathers, and where many come it goes on gathering for a few milliseconds;
 * all of a batch are one statement and one commit.
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
    int64_t seq;         /* of a mark */
    uint64_t received;   /* uv_hrtime(), ns */
    size_t place;        /* in the batch */
    unsigned asked : 1;  /* the statement is about it */
} batch_item_t;

/* The messages of one chat, which stand side by side in the batch. */
typedef struct {
    size_t first;
    size_t count;
    const batch_item_t *writer; /* of the last one */
    const batch_item_t *other;  /* the other writer's last one, or NULL */
} batch_chat_t;

typedef struct {
    batch_item_t *head;
    batch_item_t **tail;
    size_t count;
} batch_queue_t;

struct batch_s;

/* What a batch is made of, and the way it takes. */
typedef struct batch_kind_s {
    statement_e statement;
    /* Adds the parameters.  It may change the order, and leave some out. */
    void (*ask)(struct batch_s *batch, db_query_t *query);
    void (*answer)(struct batch_s *batch, const PGresult *result);
    /* takes those that this one did not answer, or all where it failed */
    const struct batch_kind_s *rest;
} batch_kind_t;

extern const batch_kind_t batch_store;    /* batch_store.c */
extern const batch_kind_t batch_messages; /* batch_messages.c */
extern const batch_kind_t batch_marks;    /* batch_marks.c */
extern const batch_kind_t batch_users;    /* batch_users.c */

typedef struct batch_s {
    const batch_kind_t *kind;
    const batch_kind_t *way; /* that the batch just now takes */
    db_t *db;
    uint64_t max;
    uint64_t pause;   /* that there is at most between the starts of two, ns */
    uint64_t due;     /* when the next one may go, ns */
    uv_timer_t timer; /* until then */
    uv_check_t check; /* end of the loop's turn: what it read is a batch */
    batch_queue_t waiting;
    batch_queue_t alone;  /* their batch failed: one by one */
    batch_item_t **items; /* on the way; room for max */
    size_t count;
    size_t asked;
    batch_chat_t *chats; /* of batch_store; room for max */
    size_t chat_count;
    buffer_t body; /* an event that is being made, and for whom it is */
    buffer_t topics;
    uint64_t batches;
    uint64_t items_sent;
    csc_histogram_t sizes; /* of batches */
    csc_histogram_t times; /* from the receipt of an item to its result, us */
} batch_t;

/*
 * A batch has max items at most.  Where many come, up to pause ms lie between
 * the starts of two; 0: nothing waits but for the batch before it.
 */
int batch_init(batch_t *batch, uv_loop_t *loop, db_t *db,
    const batch_kind_t *kind, uint64_t max, uint64_t pause);

/* How long, in ms, the next item has been waiting; 0 where there is none. */
uint64_t batch_waited(const batch_t *batch);

/* Takes the item over; its request is answered and finished. */
void batch_add(batch_t *batch, batch_item_t *item);

void batch_stop(batch_t *batch);
void batch_free(batch_t *batch);

/* --- for the kinds --- */

/* Adds an array as a parameter: an element for each that is asked, in order. */
void batch_array(const batch_t *batch, db_query_t *query, db_type_e type,
    csc_str_t (*element)(const batch_item_t *item));

csc_str_t batch_id(const batch_item_t *item);
csc_str_t batch_chat(const batch_item_t *item);
csc_str_t batch_user(const batch_item_t *item);
csc_str_t batch_content(const batch_item_t *item);
csc_str_t batch_type(const batch_item_t *item);
csc_str_t batch_client_id(const batch_item_t *item); /* data NULL: none */

/*
 * The item that a row of the result is about, NULL where there is none.  Once
 * its request is answered that is NULL.
 */
batch_item_t *batch_item(const batch_t *batch, const PGresult *result, int row);

/* Answers each request that a row of kind "reply" is about. */
void batch_replies(batch_t *batch, const PGresult *result);

#endif /* BATCH_H */
