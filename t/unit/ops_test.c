/* The operations and their names. */

#include "unit.h"

#include "csc_ops.h"

/* As docs/bus.md lists them. */
static const char *const ops_names[] = { "auth.login", "auth.register",
    "auth.refresh", "users.me", "users.list", "users.status", "chats.list",
    "chats.archived", "chats.create", "chats.get", "chats.status",
    "chats.archive", "chats.unarchive", "chats.delete", "chats.assign",
    "chats.join", "chats.leave", "chats.resume", "typing.start", "typing.stop",
    "chats.read", "messages.send", "messages.list", "messages.repeat",
    "agents.available", "customers.available", "presence.update",
    "presence.login", "health" };


static void
test_names(void **state)
{
    size_t i;
    csc_op_e op;

    (void) state;

    assert_int_equal(UNIT_COUNT(ops_names), CSC_OP_MAX - 1);

    for (i = 0; i < UNIT_COUNT(ops_names); i++) {
        op = csc_op_by_name(csc_str(ops_names[i]));
        assert_int_equal(op, i + 1);
        assert_string_equal(csc_op_name(op), ops_names[i]);
    }

    assert_int_equal(csc_op_by_name(csc_str("")), CSC_OP_NONE);
    assert_int_equal(csc_op_by_name(csc_str("none")), CSC_OP_NONE);
    assert_int_equal(csc_op_by_name(csc_str("chats")), CSC_OP_NONE);
    assert_int_equal(csc_op_by_name(csc_str("chats.joins")), CSC_OP_NONE);
    assert_int_equal(csc_op_by_name(csc_str("Chats.join")), CSC_OP_NONE);
}


static void
test_events(void **state)
{
    int op, events;

    (void) state;

    assert_string_equal(csc_op_event(CSC_OP_MESSAGES_SEND), "send_message");
    assert_string_equal(csc_op_event(CSC_OP_CHATS_JOIN), "join_chat");
    assert_string_equal(csc_op_event(CSC_OP_CHATS_LEAVE), "leave_chat");
    assert_string_equal(csc_op_event(CSC_OP_CHATS_RESUME), "resume");
    assert_string_equal(csc_op_event(CSC_OP_CHATS_READ), "mark_read");

    events = 0;

    for (op = CSC_OP_NONE; op < CSC_OP_MAX; op++) {
        if (csc_op_event((csc_op_e) op) != NULL) {
            events++;
            assert_int_equal(
                csc_op_by_event(csc_str(csc_op_event((csc_op_e) op))), op);
        }
    }

    assert_int_equal(events, 7);

    assert_int_equal(csc_op_by_event(csc_str("ping")), CSC_OP_NONE);
    assert_int_equal(csc_op_by_event(csc_str("")), CSC_OP_NONE);
    assert_int_equal(csc_op_by_event(csc_str("chats.join")), CSC_OP_NONE);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
