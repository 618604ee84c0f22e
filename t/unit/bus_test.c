/* The bus: golden vectors both ways, and all that the decoder refuses. */

#include "unit.h"

#include "csc_bus.h"

#define CHAT "01920000-0000-7000-8000-000000000001"
#define USER "01920000-0000-7000-8000-000000000002"


/* The message is encoded as wanted, and that is decoded to the same. */
static void
check_golden(const csc_bus_message_t *message, csc_str_t wanted)
{
    size_t size;
    csc_str_t copy;
    const char *why;
    csc_bus_message_t back;
    unsigned char *out, *again;

    size = csc_bus_size(message);
    assert_int_equal(size, wanted.len);

    out = malloc(size);
    assert_non_null(out);

    csc_bus_encode(message, out);
    unit_assert_bytes(unit_view((char *) out, size), wanted);

    copy = unit_copy(wanted);
    why = "not set";

    assert_int_equal(csc_bus_decode(copy, &back, &why), CSC_OK);

    assert_int_equal(back.kind, message->kind);
    assert_true(back.id == message->id);
    unit_assert_bytes(back.from, message->from);
    unit_assert_bytes(back.op, message->op);
    unit_assert_bytes(back.user, message->user);
    unit_assert_bytes(back.role, message->role);
    unit_assert_bytes(back.name, message->name);
    unit_assert_bytes(back.chat, message->chat);
    unit_assert_bytes(back.msg, message->msg);
    unit_assert_bytes(back.key, message->key);
    unit_assert_bytes(back.conn, message->conn);
    assert_true(back.ttl == message->ttl);
    assert_true(back.min_password == message->min_password);
    assert_int_equal(back.ws, message->ws);
    assert_true(back.status == message->status);
    assert_true(back.us == message->us);
    unit_assert_bytes(back.src, message->src);
    assert_true(back.n == message->n);
    unit_assert_bytes(back.topics, message->topics);
    unit_assert_bytes(back.keep, message->keep);
    unit_assert_bytes(back.type, message->type);
    unit_assert_bytes(back.except, message->except);
    assert_true(back.seq == message->seq);
    assert_int_equal(back.restrict_followers, message->restrict_followers);
    assert_true(back.expires == message->expires);
    unit_assert_bytes(back.body, message->body);

    /* and encoded again it is what it was */
    assert_int_equal(csc_bus_size(&back), size);

    again = malloc(size);
    assert_non_null(again);

    csc_bus_encode(&back, again);
    assert_memory_equal(again, out, size);

    unit_free(copy);
    free(again);
    free(out);
}


static void
test_request(void **state)
{
    csc_bus_message_t m = { .kind = CSC_BUS_REQUEST };

    (void) state;

    m.op = csc_str("health");
    check_golden(&m, csc_str("CSC1 Q op=health\n"));

    m.id = 0x1a;
    m.from = csc_str("4f0c2a9be1d07733");
    m.op = csc_str("messages.send");
    m.user = csc_str(USER);
    m.role = csc_str("agent");
    m.chat = csc_str(CHAT);
    m.msg = csc_str("01920000-0000-7000-8000-000000000003");
    m.ttl = 5000;
    m.body = csc_str("{\"content\":\"Hello\",\"type\":\"text\"}");

    check_golden(
        &m, csc_str("CSC1 Q id=1a from=4f0c2a9be1d07733 op=messages.send "
                    "user=" USER " role=agent chat=" CHAT
                    " msg=01920000-0000-7000-8000-000000000003 ttl=5000\n"
                    "{\"content\":\"Hello\",\"type\":\"text\"}"));

    m.id = UINT64_MAX;
    m.key = csc_str("a%20key");
    m.conn = csc_str("c1");
    m.min_password = 8;
    m.ws = 1;
    m.msg = csc_str(NULL);
    m.body = UNIT_BYTES("\n\0 two\nlines\n");

    check_golden(
        &m, UNIT_BYTES("CSC1 Q id=ffffffffffffffff from=4f0c2a9be1d07733 "
                       "op=messages.send user=" USER " role=agent chat=" CHAT
                       " key=a%20key conn=c1 ttl=5000 minpw=8 as=ws\n"
                       "\n\0 two\nlines\n"));
}


/* No number, for there is no reply; seq in a request. */
static void
test_repeat(void **state)
{
    csc_bus_message_t m = { .kind = CSC_BUS_REQUEST };

    (void) state;

    m.op = csc_str("messages.repeat");
    m.from = csc_str("4f0c2a9be1d07733");
    m.chat = csc_str(CHAT);
    m.seq = 17;

    check_golden(&m, csc_str("CSC1 Q from=4f0c2a9be1d07733 op=messages.repeat "
                             "chat=" CHAT " seq=17\n"));
}


static void
test_reply(void **state)
{
    csc_bus_message_t m = { .kind = CSC_BUS_REPLY };

    (void) state;

    /* required numbers are written even if they are zero */
    check_golden(&m, csc_str("CSC1 R id=0 status=0\n"));

    m.id = 0xabcdef0123456789ULL;
    m.status = 201;
    m.us = 1234;
    m.user = csc_str(USER);
    m.role = csc_str("super-agent");
    m.name = csc_str("J%C3%BCrgen");
    m.chat = csc_str(CHAT);
    m.seq = UINT64_MAX;
    m.body = csc_str("{\"success\":true}");

    check_golden(&m, csc_str("CSC1 R id=abcdef0123456789 user=" USER
                             " role=super-agent name=J%C3%BCrgen chat=" CHAT
                             " status=201 us=1234 seq=18446744073709551615\n"
                             "{\"success\":true}"));
}


static void
test_event(void **state)
{
    csc_bus_message_t m = { .kind = CSC_BUS_EVENT };

    (void) state;

    m.src = csc_str("w1");
    m.n = 1;
    m.topics = csc_str("role:agent");

    check_golden(&m, csc_str("CSC1 E src=w1 n=1 topics=role:agent\n"));

    m.restrict_followers = 1;
    check_golden(&m, csc_str("CSC1 E src=w1 n=1 topics=role:agent keep=\n"));

    m.keep = csc_str("user:" USER ",role:super-agent");
    m.topics = csc_str("user:" USER ",role:super-agent,chat:" CHAT);
    m.chat = csc_str(CHAT);
    m.type = csc_str("message");
    m.except = csc_str("c9");
    m.seq = 17;
    m.at = 1758882600123;
    m.body = csc_str("{}");

    check_golden(&m, csc_str("CSC1 E chat=" CHAT " src=w1 n=1 topics=user:" USER
                             ",role:super-agent,chat:" CHAT " keep=user:" USER
                             ",role:super-agent type=message except=c9 seq=17 "
                             "at=1758882600123\n{}"));

    m.n = 0;
    m.at = 0;
    m.restrict_followers = 0;
    m.keep = csc_str(NULL);
    m.except = csc_str(NULL);

    check_golden(
        &m, csc_str("CSC1 E chat=" CHAT " src=w1 n=0 topics=user:" USER
                    ",role:super-agent,chat:" CHAT " type=message seq=17\n{}"));
}


static void
test_control_and_heartbeat(void **state)
{
    csc_bus_message_t control = { .kind = CSC_BUS_CONTROL };
    csc_bus_message_t heartbeat = { .kind = CSC_BUS_HEARTBEAT };

    (void) state;

    control.op = csc_str("token.revoked");
    control.key = csc_str("jti%3D1");
    control.expires = 1758882600;

    check_golden(&control,
        csc_str("CSC1 C op=token.revoked key=jti%3D1 expires=1758882600\n"));

    heartbeat.src = csc_str("w1");
    check_golden(&heartbeat, csc_str("CSC1 H src=w1 n=0\n"));

    heartbeat.n = 10;
    check_golden(&heartbeat, csc_str("CSC1 H src=w1 n=10\n"));
}


/* Any order, and fields of a later version. */
static void
test_lenient(void **state)
{
    const char *why;
    csc_bus_message_t m;

    (void) state;

    assert_int_equal(
        csc_bus_decode(csc_str("CSC1 R future=1 us=5 status=200 later= "
                               "id=ff future=2 x==\nbody"),
            &m, &why),
        CSC_OK);
    assert_true(m.id == 255);
    assert_true(m.status == 200);
    assert_true(m.us == 5);
    unit_assert_str(m.body, "body");

    assert_int_equal(
        csc_bus_decode(csc_str("CSC1 Q op=a=b\n"), &m, &why), CSC_OK);
    unit_assert_str(m.op, "a=b");
}


static void
test_refused(void **state)
{
    size_t i;
    csc_str_t copy;
    const char *why;
    csc_bus_message_t m;

    static const struct {
        const char *text;
        const char *why;
    } refused[] = {
        { "", "no line feed" },
        { "CSC1 Q op=health", "no line feed" },
        { "\n", "unknown version" },
        { "CSC1\n", "unknown version" },
        { "CSC1 \n", "unknown version" },
        { "CSC2 Q op=health\n", "unknown version" },
        { "csc1 Q op=health\n", "unknown version" },
        { "CSC1_Q op=health\n", "unknown version" },
        { "CSC1 X op=health\n", "unknown kind" },
        { "CSC1 q op=health\n", "unknown kind" },
        { "CSC1  op=health\n", "unknown kind" },
        { "CSC1 Q\n", "missing field" },
        { "CSC1 Q \n", "malformed field" },
        { "CSC1 Qop=health\n", "malformed field" },
        { "CSC1 QQ op=health\n", "malformed field" },
        { "CSC1 Q  op=health\n", "malformed field" },
        { "CSC1 Q op=health \n", "malformed field" },
        { "CSC1 Q op=health  id=1\n", "malformed field" },
        { "CSC1 Q op\n", "malformed field" },
        { "CSC1 Q =health\n", "malformed field" },
        { "CSC1 Q op=health =\n", "malformed field" },
        { "CSC1 Q op=hea\tlth\n", "malformed field" },
        { "CSC1 Q op=health\r\n", "malformed field" },
        { "CSC1 Q op=h\xc3\xa9\n", "malformed field" },
        { "CSC1 Q op=h\x7f\n", "malformed field" },
        { "CSC1 Q op=health unknown=\x01\n", "malformed field" },
        { "CSC1 Q op=\n", "empty value" },
        { "CSC1 Q op=health user=\n", "empty value" },
        { "CSC1 Q op=health ttl=\n", "empty value" },
        { "CSC1 Q op=health op=health\n", "field twice" },
        { "CSC1 Q op=health id=1 id=1\n", "field twice" },
        { "CSC1 Q op=health as=ws as=ws\n", "field twice" },
        { "CSC1 E src=w n=1 topics=t keep= keep=\n", "field twice" },
        { "CSC1 Q op=health as=http\n", "unknown form of reply" },
        { "CSC1 Q op=health ttl=-1\n", "malformed number" },
        { "CSC1 Q op=health ttl=1a\n", "malformed number" },
        { "CSC1 Q op=health ttl=01\n", "malformed number" },
        { "CSC1 Q op=health ttl=00\n", "malformed number" },
        { "CSC1 Q op=health ttl=18446744073709551616\n", "malformed number" },
        { "CSC1 Q op=health ttl=99999999999999999999\n", "malformed number" },
        { "CSC1 Q op=health ttl=999999999999999999999\n", "malformed number" },
        { "CSC1 Q op=health id=1A\n", "malformed number" },
        { "CSC1 Q op=health id=0x1\n", "malformed number" },
        { "CSC1 Q op=health id=g\n", "malformed number" },
        { "CSC1 Q op=health id=10000000000000000\n", "malformed number" },
        { "CSC1 R id=1\n", "missing field" },
        { "CSC1 R status=200\n", "missing field" },
        { "CSC1 E n=1 topics=t\n", "missing field" },
        { "CSC1 E src=w topics=t\n", "missing field" },
        { "CSC1 E src=w n=1\n", "missing field" },
        { "CSC1 C key=k\n", "missing field" },
        { "CSC1 H src=w\n", "missing field" },
        { "CSC1 H n=1\n", "missing field" },
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(refused); i++) {
        copy = unit_copy(csc_str(refused[i].text));
        why = NULL;

        if (csc_bus_decode(copy, &m, &why) != CSC_ERROR) {
            fail_msg("taken: %s", refused[i].text);
        }

        assert_string_equal(why, refused[i].why);

        unit_free(copy);
    }

    assert_int_equal(
        csc_bus_decode(UNIT_BYTES("CSC1 Q op=a\0b\n"), &m, &why), CSC_ERROR);
}


/* A header of just so many bytes, line feed included. */
static void
check_long_header(size_t size, int fits)
{
    char *text, *value;
    size_t len;
    const char *why;
    csc_bus_message_t m = { .kind = CSC_BUS_REQUEST };

    len = size - strlen("CSC1 Q op=\n");

    text = malloc(size + 4);
    assert_non_null(text);

    memcpy(text, "CSC1 Q op=", 10);
    value = text + 10;
    memset(value, 'a', len);
    memcpy(value + len, "\nbody", 5);

    m.op = unit_view(value, len);
    m.body = csc_str("body");

    assert_int_equal(csc_bus_size(&m), fits ? size + 4 : 0);
    assert_int_equal(csc_bus_decode(unit_view(text, size + 4), &m, &why),
        fits ? CSC_OK : CSC_ERROR);

    if (!fits) {
        assert_string_equal(why, "long header");
    }

    free(text);
}


static void
test_long_header(void **state)
{
    size_t left;
    char op[CSC_BUS_MAX_HEADER];
    csc_bus_message_t m = { .kind = CSC_BUS_REQUEST };

    (void) state;

    check_long_header(CSC_BUS_MAX_HEADER - 1, 1);
    check_long_header(CSC_BUS_MAX_HEADER, 1);
    check_long_header(CSC_BUS_MAX_HEADER + 1, 0);
    check_long_header((size_t) 3 * CSC_BUS_MAX_HEADER, 0);

    /* a second field, of seven bytes, where fewer are left */
    memset(op, 'a', sizeof(op));
    m.user = csc_str("u");

    for (left = 0; left < 9; left++) {
        m.op = unit_view(
            op, CSC_BUS_MAX_HEADER - strlen("CSC1 Q op=\n") - left);
        assert_int_equal(csc_bus_size(&m),
            left < strlen(" user=u") ? 0 : CSC_BUS_MAX_HEADER - left + 7);
    }
}


static void
test_not_encoded(void **state)
{
    size_t i;
    char value[4] = "x?y";
    csc_bus_message_t m;

    static const csc_bus_kind_e kinds[] = { CSC_BUS_REQUEST, CSC_BUS_EVENT,
        CSC_BUS_CONTROL, CSC_BUS_HEARTBEAT };

    (void) state;

    /* a byte that may not stand in a header */
    for (i = 0; i < 256; i++) {
        memset(&m, 0, sizeof(m));
        value[1] = (char) i;

        m.kind = CSC_BUS_CONTROL;
        m.op = csc_str("o");
        m.key = unit_view(value, 3);

        assert_int_equal(csc_bus_size(&m),
            i > 0x20 && i < 0x7f ? strlen("CSC1 C op=o key=x?y\n") : 0);
    }

    memset(&m, 0, sizeof(m));
    m.kind = CSC_BUS_EVENT;
    m.src = csc_str("w");
    m.topics = csc_str("t");
    m.restrict_followers = 1;
    m.keep = csc_str("a b");
    assert_int_equal(csc_bus_size(&m), 0);

    /* a required text that is empty */
    for (i = 0; i < UNIT_COUNT(kinds); i++) {
        memset(&m, 0, sizeof(m));
        m.kind = kinds[i];
        assert_int_equal(csc_bus_size(&m), 0);
    }

    /* no kind */
    memset(&m, 0, sizeof(m));
    m.op = csc_str("o");
    assert_int_equal(csc_bus_size(&m), 0);
}


/* The published test values of FNV-1a with 32 bits. */
static void
test_shard(void **state)
{
    (void) state;

    assert_int_equal(csc_bus_shard(csc_str("")), 0x811c9dc5U % 64);
    assert_int_equal(csc_bus_shard(csc_str("a")), 0xe40c292cU % 64);
    assert_int_equal(csc_bus_shard(csc_str("b")), 0xe70c2de5U % 64);
    assert_int_equal(csc_bus_shard(csc_str("foobar")), 0xbf9cf968U % 64);
    assert_int_equal(
        csc_bus_shard(csc_str("chongo was here!\n")), 0xd49930d5U % 64);
}


static void
test_names(void **state)
{
    char out[32];
    csc_str_t prefix = CSC_STR("cs_chat:");

    (void) state;

    assert_int_equal(csc_bus_request_channel(prefix, 0, out, sizeof(out)), 13);
    assert_string_equal(out, "cs_chat:req:0");
    assert_int_equal(csc_bus_request_channel(prefix, 63, out, sizeof(out)), 14);
    assert_string_equal(out, "cs_chat:req:63");

    assert_int_equal(
        csc_bus_reply_channel(prefix, csc_str("4f0c"), out, sizeof(out)), 16);
    assert_string_equal(out, "cs_chat:rep:4f0c");

    assert_int_equal(csc_bus_events_channel(prefix, out, sizeof(out)), 14);
    assert_string_equal(out, "cs_chat:events");

    assert_int_equal(csc_bus_revoked_key(prefix, out, sizeof(out)), 15);
    assert_string_equal(out, "cs_chat:revoked");

    assert_int_equal(csc_bus_roles_key(prefix, out, sizeof(out)), 13);
    assert_string_equal(out, "cs_chat:roles");

    assert_int_equal(
        csc_bus_ticket_key(prefix, csc_str("ab12"), out, sizeof(out)), 19);
    assert_string_equal(out, "cs_chat:ticket:ab12");

    assert_int_equal(csc_bus_events_channel(csc_str(""), out, sizeof(out)), 6);
    assert_string_equal(out, "events");
}


/* The NUL has to fit too. */
static void
test_names_do_not_fit(void **state)
{
    char *out;
    csc_str_t prefix = CSC_STR("cs_chat:");

    (void) state;

    out = malloc(15);
    assert_non_null(out);

    assert_int_equal(csc_bus_events_channel(prefix, out, 15), 14);
    assert_int_equal(csc_bus_events_channel(prefix, out, 14), 0);
    assert_int_equal(csc_bus_events_channel(prefix, out, 0), 0);
    assert_int_equal(csc_bus_request_channel(prefix, 63, out, 15), 14);
    assert_int_equal(csc_bus_request_channel(prefix, 63, out, 14), 0);
    assert_int_equal(csc_bus_revoked_key(prefix, out, 15), 0);
    assert_int_equal(csc_bus_roles_key(prefix, out, 13), 0);
    assert_int_equal(csc_bus_reply_channel(prefix, csc_str("123"), out, 15), 0);
    assert_int_equal(csc_bus_ticket_key(prefix, csc_str(""), out, 15), 0);

    free(out);
}


static void
test_next(void **state)
{
    csc_str_t list, element;

    (void) state;

    list = csc_str(",user:1,,chat:2,role:agent,");

    assert_int_equal(csc_bus_next(&list, &element), CSC_OK);
    unit_assert_str(element, "user:1");
    assert_int_equal(csc_bus_next(&list, &element), CSC_OK);
    unit_assert_str(element, "chat:2");
    assert_int_equal(csc_bus_next(&list, &element), CSC_OK);
    unit_assert_str(element, "role:agent");
    assert_int_equal(csc_bus_next(&list, &element), CSC_AGAIN);
    assert_int_equal(csc_bus_next(&list, &element), CSC_AGAIN);

    list = csc_str(NULL);
    assert_int_equal(csc_bus_next(&list, &element), CSC_AGAIN);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_reply),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_control_and_heartbeat),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_header),
        cmocka_unit_test(test_not_encoded),
        cmocka_unit_test(test_shard),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_do_not_fit),
        cmocka_unit_test(test_next),
    };

    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
