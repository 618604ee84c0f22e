/* The operations and their names. */

#include "csc_ops.h"

typedef struct {
    const char *name;
    const char *event; /* NULL: HTTP or the worker itself asks for it */
} csc_op_t;


static const csc_op_t csc_ops[CSC_OP_MAX] = {
    [CSC_OP_NONE] = { "none", NULL },
    [CSC_OP_AUTH_LOGIN] = { "auth.login", NULL },
    [CSC_OP_AUTH_REGISTER] = { "auth.register", NULL },
    [CSC_OP_AUTH_REFRESH] = { "auth.refresh", NULL },
    [CSC_OP_USERS_ME] = { "users.me", NULL },
    [CSC_OP_USERS_LIST] = { "users.list", NULL },
    [CSC_OP_USERS_STATUS] = { "users.status", NULL },
    [CSC_OP_CHATS_LIST] = { "chats.list", NULL },
    [CSC_OP_CHATS_ARCHIVED] = { "chats.archived", NULL },
    [CSC_OP_CHATS_CREATE] = { "chats.create", NULL },
    [CSC_OP_CHATS_GET] = { "chats.get", NULL },
    [CSC_OP_CHATS_STATUS] = { "chats.status", NULL },
    [CSC_OP_CHATS_ARCHIVE] = { "chats.archive", NULL },
    [CSC_OP_CHATS_UNARCHIVE] = { "chats.unarchive", NULL },
    [CSC_OP_CHATS_DELETE] = { "chats.delete", NULL },
    [CSC_OP_CHATS_ASSIGN] = { "chats.assign", NULL },
    [CSC_OP_CHATS_JOIN] = { "chats.join", "join_chat" },
    [CSC_OP_CHATS_LEAVE] = { "chats.leave", "leave_chat" },
    [CSC_OP_CHATS_RESUME] = { "chats.resume", "resume" },
    [CSC_OP_TYPING_START] = { "typing.start", "typing_start" },
    [CSC_OP_TYPING_STOP] = { "typing.stop", "typing_stop" },
    [CSC_OP_CHATS_READ] = { "chats.read", "mark_read" },
    [CSC_OP_MESSAGES_SEND] = { "messages.send", "send_message" },
    [CSC_OP_MESSAGES_LIST] = { "messages.list", NULL },
    [CSC_OP_MESSAGES_REPEAT] = { "messages.repeat", NULL },
    [CSC_OP_AGENTS_AVAILABLE] = { "agents.available", NULL },
    [CSC_OP_CUSTOMERS_AVAILABLE] = { "customers.available", NULL },
    [CSC_OP_PRESENCE_UPDATE] = { "presence.update", NULL },
    [CSC_OP_PRESENCE_LOGIN] = { "presence.login", NULL },
    [CSC_OP_HEALTH] = { "health", NULL },
};


const char *
csc_op_name(csc_op_e op)
{
    return csc_ops[op].name;
}


csc_op_e
csc_op_by_name(csc_str_t name)
{
    int op;

    for (op = CSC_OP_NONE + 1; op < CSC_OP_MAX; op++) {
        if (csc_str_is(name, csc_ops[op].name)) {
            return (csc_op_e) op;
        }
    }

    return CSC_OP_NONE;
}


const char *
csc_op_event(csc_op_e op)
{
    return csc_ops[op].event;
}


csc_op_e
csc_op_by_event(csc_str_t type)
{
    int op;

    for (op = CSC_OP_NONE + 1; op < CSC_OP_MAX; op++) {
        if (csc_ops[op].event != NULL && csc_str_is(type, csc_ops[op].event)) {
            return (csc_op_e) op;
        }
    }

    return CSC_OP_NONE;
}
