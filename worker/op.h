/*
 * The operations: from a request to a statement and from its outcome to a
 * reply and events.  op.c has the table, the op_*.c files a family each.
 */

#ifndef OP_H
#define OP_H

#include "../common/csc_error.h"
#include "../common/csc_json.h"
#include "../common/csc_ops.h"
#include "batch.h"
#include "bus.h"
#include "config.h"
#include "db.h"
#include "password.h"
#include "presence.h"

typedef struct ops_s {
    const config_t *config;
    bus_t *bus;
    db_t *db;
    passwords_t *passwords;
    batch_t *messages;
    batch_t *marks;
    batch_t *users;
    presence_t *presence;
    csc_json_writer_t *writer; /* for one answer at a time */
    buffer_t lines;            /* the same: messages for a WebSocket */
    buffer_t replay;           /* the same: those ahead of the answer */
    buffer_t list;             /* the same: its data */
} ops_t;

/* CSC_ERROR when out of memory; the other members are set by the caller. */
int ops_init(ops_t *ops);
void ops_free(ops_t *ops);

/*
 * Carries out a request that came over the bus: it is answered, now or
 * later, and finished.  serving is 0 where the shard is not held any more.
 */
void ops_request(ops_t *ops, request_t *request, int serving);

/*
 * A handler checks the input and starts the work.  CSC_OK: it has taken the
 * request over.  CSC_ERROR: the fault is to be answered.
 */
typedef int (*op_handler_fn)(request_t *request, csc_fault_t *fault);

/* A query whose outcome answers the request, with the caller as $1. */
db_query_t *op_query(request_t *request, statement_e statement);

/* A query whose result is another, for done with the request as its data. */
db_query_t *op_query_for(
    request_t *request, statement_e statement, db_done_fn done);

/* Sends a query from one of these; CSC_OK, as a handler returns. */
int op_submit(request_t *request, db_query_t *query);

/* auth.* */
int op_auth_login(request_t *request, csc_fault_t *fault);
int op_auth_register(request_t *request, csc_fault_t *fault);
int op_auth_refresh(request_t *request, csc_fault_t *fault);

/* users.*, agents.*, customers.* */
int op_users_me(request_t *request, csc_fault_t *fault);
int op_users_list(request_t *request, csc_fault_t *fault);
int op_users_status(request_t *request, csc_fault_t *fault);
int op_agents_available(request_t *request, csc_fault_t *fault);
int op_customers_available(request_t *request, csc_fault_t *fault);

/* chats.* */
int op_chats_list(request_t *request, csc_fault_t *fault);
int op_chats_create(request_t *request, csc_fault_t *fault);
int op_chats_get(request_t *request, csc_fault_t *fault);
int op_chats_status(request_t *request, csc_fault_t *fault);
int op_chats_archive(request_t *request, csc_fault_t *fault);
int op_chats_unarchive(request_t *request, csc_fault_t *fault);
int op_chats_delete(request_t *request, csc_fault_t *fault);
int op_chats_assign(request_t *request, csc_fault_t *fault);
int op_chats_join(request_t *request, csc_fault_t *fault);
int op_chats_leave(request_t *request, csc_fault_t *fault);
int op_chats_resume(request_t *request, csc_fault_t *fault);
int op_chats_typing(request_t *request, csc_fault_t *fault);
int op_chats_read(request_t *request, csc_fault_t *fault);

/* messages.* */
int op_messages_send(request_t *request, csc_fault_t *fault);
int op_messages_list(request_t *request, csc_fault_t *fault);
int op_messages_repeat(request_t *request, csc_fault_t *fault);

/* presence.* and health */
int op_presence_update(request_t *request, csc_fault_t *fault);
int op_presence_login(request_t *request, csc_fault_t *fault);
int op_health(request_t *request, csc_fault_t *fault);

#endif /* OP_H */
