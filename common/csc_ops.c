/* The operations and their names. */

#include "csc_ops.h"

typedef struct {
    csc_str_t name;
    csc_str_t event; /* empty: HTTP or the worker itself asks for it */
} csc_op_t;

#define CSC_OP(name)                                                           \
    {                                                                          \
        CSC_STR(name), CSC_STR_NULL                                            \
    }

#define CSC_OP_EVENT(name, event)                                              \
    {                                                                          \
        CSC_STR(name), CSC_STR(event)                                          \
    }


static const csc_op_t csc_ops[CSC_OP_MAX] = {
    [CSC_OP_NONE] = CSC_OP("none"),
    [CSC_OP_AUTH_LOGIN] = CSC_OP("auth.login"),
    [CSC_OP_AUTH_REGISTER] = CSC_OP("auth.register"),
    [CSC_OP_AUTH_REFRESH] = CSC_OP("auth.refresh"),
    [CSC_OP_USERS_ME] = CSC_OP("users.me"),
    [CSC_OP_USERS_LIST] = CSC_OP("users.list"),
    [CSC_OP_USERS_STATUS] = CSC_OP("users.status"),
    [CSC_OP_CHATS_LIST] = CSC_OP("chats.list"),
    [CSC_OP_CHATS_ARCHIVED] = CSC_OP("chats.archived"),
    [CSC_OP_CHATS_CREATE] = CSC_OP("chats.create"),
    [CSC_OP_CHATS_GET] = CSC_OP("chats.get"),
    [CSC_OP_CHATS_STATUS] = CSC_OP("chats.status"),
    [CSC_OP_CHATS_ARCHIVE] = CSC_OP("chats.archive"),
    [CSC_OP_CHATS_UNARCHIVE] = CSC_OP("chats.unarchive"),
    [CSC_OP_CHATS_DELETE] = CSC_OP("chats.delete"),
    [CSC_OP_CHATS_ASSIGN] = CSC_OP("chats.assign"),
    [CSC_OP_CHATS_JOIN] = CSC_OP_EVENT("chats.join", "join_chat"),
    [CSC_OP_CHATS_LEAVE] = CSC_OP_EVENT("chats.leave", "leave_chat"),
    [CSC_OP_CHATS_RESUME] = CSC_OP_EVENT("chats.resume", "resume"),
    [CSC_OP_TYPING_START] = CSC_OP_EVENT("typing.start", "typing_start"),
    [CSC_OP_TYPING_STOP] = CSC_OP_EVENT("typing.stop", "typing_stop"),
    [CSC_OP_CHATS_READ] = CSC_OP_EVENT("chats.read", "mark_read"),
    [CSC_OP_MESSAGES_SEND] = CSC_OP_EVENT("messages.send", "send_message"),
    [CSC_OP_MESSAGES_LIST] = CSC_OP("messages.list"),
    [CSC_OP_MESSAGES_REPEAT] = CSC_OP("messages.repeat"),
    [CSC_OP_AGENTS_AVAILABLE] = CSC_OP("agents.available"),
    [CSC_OP_CUSTOMERS_AVAILABLE] = CSC_OP("customers.available"),
    [CSC_OP_PRESENCE_UPDATE] = CSC_OP("presence.update"),
    [CSC_OP_PRESENCE_LOGIN] = CSC_OP("presence.login"),
    [CSC_OP_HEALTH] = CSC_OP("health"),
};


const char *
csc_op_name(csc_op_e op)
{
    return (const char *) csc_ops[op].name.data;
}


csc_op_e
csc_op_by_name(csc_str_t name)
{
    int op;

    for (op = CSC_OP_NONE + 1; op < CSC_OP_MAX; op++) {
        if (csc_str_eq(name, csc_ops[op].name)) {
            return (csc_op_e) op;
        }
    }

    return CSC_OP_NONE;
}


const char *
csc_op_event(csc_op_e op)
{
    return (const char *) csc_ops[op].event.data;
}


csc_op_e
csc_op_by_event(csc_str_t type)
{
    int op;

    for (op = CSC_OP_NONE + 1; op < CSC_OP_MAX; op++) {
        if (type.len > 0 && csc_str_eq(type, csc_ops[op].event)) {
            return (csc_op_e) op;
        }
    }

    return CSC_OP_NONE;
}
