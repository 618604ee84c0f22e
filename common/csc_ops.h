/*
 * The operations: every thing that a client can ask for, over HTTP or by a
 * WebSocket event, under the one name it has on the bus.
 */

#ifndef CSC_OPS_H
#define CSC_OPS_H

#include "csc_core.h"

typedef enum {
    CSC_OP_NONE = 0,
    CSC_OP_AUTH_LOGIN,
    CSC_OP_AUTH_REGISTER,
    CSC_OP_AUTH_REFRESH,
    CSC_OP_USERS_ME,
    CSC_OP_USERS_LIST,
    CSC_OP_USERS_STATUS,
    CSC_OP_CHATS_LIST,
    CSC_OP_CHATS_ARCHIVED,
    CSC_OP_CHATS_CREATE,
    CSC_OP_CHATS_GET,
    CSC_OP_CHATS_STATUS,
    CSC_OP_CHATS_ARCHIVE,
    CSC_OP_CHATS_UNARCHIVE,
    CSC_OP_CHATS_DELETE,
    CSC_OP_CHATS_ASSIGN,
    CSC_OP_CHATS_JOIN,
    CSC_OP_CHATS_LEAVE,
    CSC_OP_CHATS_RESUME,
    CSC_OP_TYPING_START,
    CSC_OP_TYPING_STOP,
    CSC_OP_CHATS_READ,
    CSC_OP_MESSAGES_SEND,
    CSC_OP_MESSAGES_LIST,
    CSC_OP_MESSAGES_REPEAT,
    CSC_OP_AGENTS_AVAILABLE,
    CSC_OP_CUSTOMERS_AVAILABLE,
    CSC_OP_PRESENCE_UPDATE,
    CSC_OP_PRESENCE_LOGIN,
    CSC_OP_HEALTH,
    CSC_OP_MAX
} csc_op_e;

/* "messages.send" and so on. */
const char *csc_op_name(csc_op_e op);

/* CSC_OP_NONE for a name that is not known. */
csc_op_e csc_op_by_name(csc_str_t name);

/*
 * The type of the client's WebSocket event that asks for the operation
 * ("send_message"), NULL where there is none.
 */
const char *csc_op_event(csc_op_e op);

/* CSC_OP_NONE where no operation of the worker answers that type. */
csc_op_e csc_op_by_event(csc_str_t type);

#endif /* CSC_OPS_H */
