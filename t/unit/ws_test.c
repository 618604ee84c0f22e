/*
 * The WebSocket codec: RFC 6455's examples, its errors, and any split of the
 * bytes.  What the parser says is written down as a line of words, which a
 * split may not change: "text(Hello) ping(x) close(1000,bye) error(1002)".
 */

#include "unit.h"

#include "csc_ws.h"

#define WS_MAX_MESSAGE 200000
#define WS_TRANSCRIPT 512

typedef struct {
    const char *what;
    const char *bytes;
    size_t len;
    const char *wanted;
} ws_vector_t;

/* What came of the bytes. */
typedef struct {
    char text[WS_TRANSCRIPT];
    size_t len;
    unsigned char *message; /* the one that is incomplete */
    size_t message_len;
    int within; /* a message has begun */
    int over;   /* an error or a close came */
} ws_transcript_t;

#define BYTES(bytes) bytes, sizeof(bytes) - 1

/* A mask that changes nothing, to read the payload, and one that does. */
#define NOMASK "\0\0\0\0"
#define MASK "\x37\xfa\x21\x3d"


/* What is being checked, for the message of a failure. */
static const char *ws_what;


/* --- the transcript --- */

static void
ws_say(ws_transcript_t *t, const char *format, ...)
{
    int n;
    va_list args;

    va_start(args, format);
    n = vsnprintf(t->text + t->len, sizeof(t->text) - t->len, format, args);
    va_end(args);

    assert_in_range(n, 0, sizeof(t->text) - t->len - 1);
    t->len += (size_t) n;
}


/* A long text as its length and a sum. */
static void
ws_say_payload(ws_transcript_t *t, const unsigned char *data, size_t len)
{
    size_t i;
    uint32_t sum;

    if (len <= 64) {
        ws_say(t, "%.*s", (int) len, len > 0 ? (const char *) data : "");
        return;
    }

    sum = 0;

    for (i = 0; i < len; i++) {
        sum = sum * 31 + data[i];
    }

    ws_say(t, "%u bytes, %08x", (unsigned) len, (unsigned) sum);
}


static void
ws_note_data(ws_transcript_t *t, const csc_ws_event_t *event)
{
    assert_int_equal(event->first, !t->within);
    t->within = 1;

    assert_in_range(t->message_len + event->payload.len, 0, WS_MAX_MESSAGE);

    if (event->payload.len > 0) {
        memcpy(t->message + t->message_len, event->payload.data,
            event->payload.len);
        t->message_len += event->payload.len;

    } else {
        assert_true(event->last);
    }

    if (event->last) {
        ws_say(t, "%stext(", t->len > 0 ? " " : "");
        ws_say_payload(t, t->message, t->message_len);
        ws_say(t, ")");

        t->within = 0;
        t->message_len = 0;
    }
}


static void
ws_note(ws_transcript_t *t, const csc_ws_event_t *event)
{
    static const char *const names[] = {
        [CSC_WS_EVENT_PING] = "ping",
        [CSC_WS_EVENT_PONG] = "pong",
        [CSC_WS_EVENT_CLOSE] = "close",
        [CSC_WS_EVENT_ERROR] = "error",
    };

    if (event->type == CSC_WS_EVENT_DATA) {
        ws_note_data(t, event);
        return;
    }

    ws_say(t, "%s%s(", t->len > 0 ? " " : "", names[event->type]);

    if (event->type == CSC_WS_EVENT_ERROR) {
        assert_non_null(event->reason);
        ws_say(t, "%d)", event->code);
        t->over = 1;
        return;
    }

    if (event->type == CSC_WS_EVENT_CLOSE) {
        ws_say(t, "%d,", event->code);
        t->over = 1;
    }

    ws_say_payload(t, event->payload.data, event->payload.len);
    ws_say(t, ")");
}


/* Feeds a copy of one piece and notes all its events. */
static void
ws_feed(
    csc_ws_parser_t *parser, ws_transcript_t *t, const char *bytes, size_t len)
{
    int rc;
    csc_str_t copy, input;
    csc_ws_event_t event;

    copy = unit_copy(unit_view(bytes, len));
    input = copy;

    for (;;) {
        rc = csc_ws_parse(parser, &input, &event);

        if (t->over) {
            assert_int_equal(rc, CSC_ERROR);
            break;
        }

        if (rc == CSC_AGAIN) {
            assert_int_equal(input.len, 0);
            break;
        }

        assert_int_equal(rc, CSC_OK);
        ws_note(t, &event);
    }

    unit_free(copy);
}


/* The bytes in pieces: one up to `at`, then of `step` bytes each. */
static void
ws_check(const char *bytes, size_t len, size_t at, size_t step,
    uint32_t max_message, const char *wanted)
{
    size_t n;
    ws_transcript_t t;
    csc_ws_parser_t parser;

    memset(&t, 0, sizeof(t));
    t.message = malloc(WS_MAX_MESSAGE);
    assert_non_null(t.message);

    csc_ws_parser_init(&parser, max_message);

    ws_feed(&parser, &t, bytes, at);

    for (; at < len; at += n) {
        n = step < len - at ? step : len - at;
        ws_feed(&parser, &t, bytes + at, n);
    }

    free(t.message);

    if (strcmp(t.text, wanted) != 0) {
        fail_msg("%s: got \"%s\", wanted \"%s\"", ws_what, t.text, wanted);
    }
}


/* Every split in two, and pieces of one byte and of a few. */
static void
ws_check_splits(
    const char *bytes, size_t len, uint32_t max_message, const char *wanted)
{
    size_t at;

    for (at = 0; at <= len; at++) {
        /* of a long one only the ends, where the headers are */
        if (len <= 600 || at < 32 || at > len - 32) {
            ws_check(bytes, len, at, len, max_message, wanted);
        }
    }

    ws_check(bytes, len, 0, 1, max_message, wanted);
    ws_check(bytes, len, 0, 2, max_message, wanted);
    ws_check(bytes, len, 0, 3, max_message, wanted);
    ws_check(bytes, len, 0, 7, max_message, wanted);
    ws_check(bytes, len, len / 3, 16, max_message, wanted);
}


static void
ws_check_vectors(const ws_vector_t *vectors, size_t n, uint32_t max_message)
{
    size_t i;

    for (i = 0; i < n; i++) {
        ws_what = vectors[i].what;
        ws_check_splits(
            vectors[i].bytes, vectors[i].len, max_message, vectors[i].wanted);
    }
}


/* --- what is taken --- */

static void
test_messages(void **state)
{
    static const ws_vector_t vectors[] = {
        { "RFC 6455, 5.7: a masked text message",
            BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
            "text(Hello)" },
        { "RFC 6455, 5.7: a masked pong",
            BYTES("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
            "pong(Hello)" },
        { "RFC 6455, 5.7: a ping, here with a mask",
            BYTES("\x89\x85" NOMASK "Hello"), "ping(Hello)" },
        { "RFC 6455, 5.7: a fragmented message, here with masks",
            BYTES("\x01\x83" NOMASK "Hel\x80\x82" NOMASK "lo"), "text(Hello)" },
        { "nothing", BYTES(""), "" },
        { "half a message", BYTES("\x81\x85" NOMASK "Hell"), "" },
        { "two messages", BYTES("\x81\x81" NOMASK "a\x81\x81" NOMASK "b"),
            "text(a) text(b)" },
        { "an empty message", BYTES("\x81\x80" MASK), "text()" },
        { "an empty message between others",
            BYTES("\x81\x81" NOMASK "a\x81\x80" MASK "\x81\x81" NOMASK "b"),
            "text(a) text() text(b)" },
        { "empty fragments",
            BYTES("\x01\x80" MASK "\x00\x80" MASK "\x80\x80" MASK), "text()" },
        { "empty fragments around one that is not",
            BYTES("\x01\x80" MASK "\x00\x81" NOMASK "a\x80\x80" MASK),
            "text(a)" },
        { "control frames between fragments",
            BYTES("\x01\x82" NOMASK "He\x89\x81" NOMASK "1\x00\x82" NOMASK
                  "ll\x8a\x80" MASK "\x80\x81" NOMASK "o\x89\x80" MASK),
            "ping(1) pong() text(Hello) ping()" },
        { "a character split between fragments, a ping within",
            BYTES("\x01\x82" NOMASK "\xf0\x9f\x89\x80" NOMASK "\x80\x82" NOMASK
                  "\x98\x80"),
            "ping() text(\xf0\x9f\x98\x80)" },
        { "a ping that is no text", BYTES("\x89\x82" NOMASK "\xff\xfe"),
            "ping(\xff\xfe)" },
        { "a close without a body", BYTES("\x88\x80" MASK), "close(1005,)" },
        { "a close with a code", BYTES("\x88\x82" NOMASK "\x03\xe8"),
            "close(1000,)" },
        { "a close with a reason",
            BYTES("\x88\x85" NOMASK "\x03\xe9"
                  "bye"),
            "close(1001,bye)" },
        { "a close with a masked reason",
            BYTES("\x88\x85" MASK "\x34\x13\x43\x44\x52"), "close(1001,bye)" },
        { "a close, and nothing behind it counts",
            BYTES("\x88\x80" MASK "\x81\x81" NOMASK "a\xff\xff"),
            "close(1005,)" },
        { "a close within a message",
            BYTES("\x01\x81" NOMASK "a\x88\x82" NOMASK "\x0f\xa1"),
            "close(4001,)" },
    };

    (void) state;

    ws_check_vectors(vectors, UNIT_COUNT(vectors), 1000);
}


/* --- what is refused --- */

static void
test_protocol_errors(void **state)
{
    static const ws_vector_t vectors[] = {
        { "RSV1", BYTES("\xc1"), "error(1002)" },
        { "RSV2", BYTES("\xa1"), "error(1002)" },
        { "RSV3", BYTES("\x91"), "error(1002)" },
        { "RSV1 on a continuation",
            BYTES("\x01\x81" NOMASK "a\xc0\x81" NOMASK "b"), "error(1002)" },
        { "RFC 6455, 5.7: a text message without a mask",
            BYTES("\x81\x05Hello"), "error(1002)" },
        { "a ping without a mask", BYTES("\x89\x00"), "error(1002)" },
        { "opcode 3", BYTES("\x83"), "error(1002)" },
        { "opcode 7", BYTES("\x87"), "error(1002)" },
        { "opcode 11", BYTES("\x8b"), "error(1002)" },
        { "opcode 15", BYTES("\x8f"), "error(1002)" },
        { "a fragmented ping", BYTES("\x09\x80"), "error(1002)" },
        { "a fragmented close", BYTES("\x08\x80"), "error(1002)" },
        { "a long ping", BYTES("\x89\xfe"), "error(1002)" },
        { "a very long close", BYTES("\x88\xff"), "error(1002)" },
        { "a continuation of nothing", BYTES("\x80"), "error(1002)" },
        { "a continuation behind a whole message",
            BYTES("\x81\x81" NOMASK "a\x80"), "text(a) error(1002)" },
        { "a message within a message", BYTES("\x01\x81" NOMASK "a\x81"),
            "error(1002)" },
        { "a message within one that is empty so far",
            BYTES("\x01\x80" NOMASK "\x81"), "error(1002)" },
        { "a binary frame within a message", BYTES("\x01\x81" NOMASK "a\x82"),
            "error(1002)" },
        { "a binary frame", BYTES("\x82\x81" NOMASK "a"), "error(1003)" },
        { "a binary fragment", BYTES("\x02"), "error(1003)" },
        { "125 as 16 bits", BYTES("\x81\xfe\x00\x7d"), "error(1002)" },
        { "0 as 16 bits", BYTES("\x81\xfe\x00\x00"), "error(1002)" },
        { "65535 as 64 bits", BYTES("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff"),
            "error(1002)" },
        { "5 as 64 bits", BYTES("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05"),
            "error(1002)" },
        { "the highest bit of a length", BYTES("\x81\xff\x80"), "error(1002)" },
        { "all bits of a length",
            BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "error(1002)" },
        { "half a close code", BYTES("\x88\x81" NOMASK "\x03"), "error(1002)" },
    };

    (void) state;

    ws_check_vectors(vectors, UNIT_COUNT(vectors), 1000);
}


static void
test_utf8_errors(void **state)
{
    static const ws_vector_t vectors[] = {
        { "an invalid byte",
            BYTES("\x81\x83" NOMASK "a\xff"
                  "b"),
            "error(1007)" },
        { "at once, though more is to come",
            BYTES("\x01\xfe\x01\x00" NOMASK "a\xc0"), "error(1007)" },
        { "a surrogate", BYTES("\x81\x83" NOMASK "\xed\xa0\x80"),
            "error(1007)" },
        { "above U+10FFFF", BYTES("\x81\x84" NOMASK "\xf4\x90\x80\x80"),
            "error(1007)" },
        { "broken off", BYTES("\x81\x82" NOMASK "a\xc3"), "error(1007)" },
        { "broken off in the last fragment",
            BYTES("\x01\x81" NOMASK "a\x80\x81" NOMASK "\xc3"), "error(1007)" },
        { "broken off before an empty last fragment",
            BYTES("\x01\x81" NOMASK "\xc3\x80\x80" NOMASK), "error(1007)" },
        { "broken off between fragments",
            BYTES("\x01\x81" NOMASK "\xc3\x80\x81" NOMASK "a"), "error(1007)" },
        { "a close reason", BYTES("\x88\x83" NOMASK "\x03\xe8\xff"),
            "error(1007)" },
        { "a close reason broken off",
            BYTES("\x88\x84" NOMASK "\x03\xe8"
                  "a\xc3"),
            "error(1007)" },
    };

    (void) state;

    ws_check_vectors(vectors, UNIT_COUNT(vectors), 1000);
}


static void
test_close_codes(void **state)
{
    int code, valid;
    char bytes[8], wanted[32];

    (void) state;

    ws_what = "a close code";

    for (code = 0; code <= 0xffff; code++) {
        valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
                || (code >= 3000 && code <= 4999);

        memcpy(bytes, "\x88\x82" NOMASK, 6);
        bytes[6] = (char) (code >> 8);
        bytes[7] = (char) code;

        sprintf(wanted, valid ? "close(%d,)" : "error(1002)", code);
        ws_check(bytes, 8, 0, 8, 100, wanted);
    }
}


/* --- sizes --- */

static const char ws_mask[] = MASK;


/* A masked frame of len bytes of text; the length of all. */
static size_t
ws_make(char *out, int first, size_t len)
{
    size_t n, i;

    n = csc_ws_frame_header(CSC_WS_TEXT, len, (unsigned char *) out);
    out[0] = (char) first;
    out[1] = (char) (out[1] | 0x80);

    memcpy(out + n, ws_mask, 4);
    n += 4;

    for (i = 0; i < len; i++) {
        out[n + i] = (char) (('a' + i % 26) ^ ws_mask[i % 4]);
    }

    return n + len;
}


static void
ws_say_wanted(ws_transcript_t *t, size_t len)
{
    size_t i;
    unsigned char *text;

    text = malloc(len + 1);
    assert_non_null(text);

    for (i = 0; i < len; i++) {
        text[i] = (unsigned char) ('a' + i % 26);
    }

    ws_say(t, "%stext(", t->len > 0 ? " " : "");
    ws_say_payload(t, text, len);
    ws_say(t, ")");

    free(text);
}


static void
test_lengths(void **state)
{
    size_t i, n;
    char *bytes;
    ws_transcript_t wanted;

    static const size_t lengths[] = { 0, 1, 7, 8, 9, 125, 126, 127, 255, 256,
        65535, 65536, 65537 };

    (void) state;

    ws_what = "a length";
    bytes = malloc((size_t) 2 * WS_MAX_MESSAGE);
    assert_non_null(bytes);

    for (i = 0; i < UNIT_COUNT(lengths); i++) {
        memset(&wanted, 0, sizeof(wanted));

        /* just as large as allowed, and another behind it */
        n = ws_make(bytes, 0x81, lengths[i]);
        n += ws_make(bytes + n, 0x81, lengths[i]);

        ws_say_wanted(&wanted, lengths[i]);
        ws_say_wanted(&wanted, lengths[i]);

        ws_check_splits(bytes, n, (uint32_t) lengths[i], wanted.text);
    }

    free(bytes);
}


static void
test_longest_control(void **state)
{
    char bytes[6 + CSC_WS_MAX_CONTROL];
    ws_transcript_t wanted;

    (void) state;

    ws_what = "the longest control frame";
    memset(&wanted, 0, sizeof(wanted));
    ws_say_wanted(&wanted, CSC_WS_MAX_CONTROL);
    memcpy(wanted.text, "ping", 4);

    assert_int_equal(ws_make(bytes, 0x89, CSC_WS_MAX_CONTROL), sizeof(bytes));
    ws_check_splits(bytes, sizeof(bytes), 0, wanted.text);
}


/* Refused at the header, before any of it came. */
static void
test_too_large(void **state)
{
    static const ws_vector_t vectors[] = {
        { "11 bytes", BYTES("\x81\x8b"), "error(1009)" },
        { "10 bytes", BYTES("\x81\x8a" NOMASK "0123456789"),
            "text(0123456789)" },
        { "a 16-bit length", BYTES("\x81\xfe\x00\x7e"), "error(1009)" },
        { "a 64-bit length", BYTES("\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00"),
            "error(1009)" },
        { "the largest length",
            BYTES("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), "error(1009)" },
        { "the sum of the fragments",
            BYTES("\x01\x85" NOMASK "01234\x00\x85" NOMASK "56789\x80\x81"),
            "error(1009)" },
        { "just the sum",
            BYTES("\x01\x85" NOMASK "01234\x00\x85" NOMASK "56789"
                  "\x80\x80" MASK "\x81\x81" NOMASK "a"),
            "text(0123456789) text(a)" },
        { "a fragment that makes the sum overflow",
            BYTES("\x01\x85" NOMASK
                  "01234\x00\xff\x7f\xff\xff\xff\xff\xff\xff\xff"),
            "error(1009)" },
        { "a control frame is no part of it",
            BYTES("\x01\x8a" NOMASK "0123456789\x89\x8b" NOMASK
                  "0123456789a\x80\x80" MASK),
            "ping(0123456789a) text(0123456789)" },
    };

    (void) state;

    ws_check_vectors(vectors, UNIT_COUNT(vectors), 10);
}


/* The pieces are views of the input, unmasked in place. */
static void
test_pieces(void **state)
{
    csc_str_t input;
    csc_ws_event_t event;
    csc_ws_parser_t parser;
    char bytes[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

    (void) state;

    csc_ws_parser_init(&parser, 100);

    input = unit_view(bytes, 8);
    assert_int_equal(csc_ws_parse(&parser, &input, &event), CSC_OK);
    assert_int_equal(event.type, CSC_WS_EVENT_DATA);
    assert_true(event.first);
    assert_false(event.last);
    unit_assert_str(event.payload, "He");
    assert_ptr_equal(event.payload.data, bytes + 6);
    assert_int_equal(csc_ws_parse(&parser, &input, &event), CSC_AGAIN);

    input = unit_view(bytes + 8, 3);
    assert_int_equal(csc_ws_parse(&parser, &input, &event), CSC_OK);
    assert_false(event.first);
    assert_true(event.last);
    unit_assert_str(event.payload, "llo");
    assert_ptr_equal(event.payload.data, bytes + 8);
    assert_int_equal(csc_ws_parse(&parser, &input, &event), CSC_AGAIN);

    input = unit_view(bytes, 0);
    assert_int_equal(csc_ws_parse(&parser, &input, &event), CSC_AGAIN);
}


/* --- what is sent --- */

static void
check_header(uint64_t payload, csc_str_t wanted)
{
    unsigned char out[CSC_WS_MAX_HEADER];

    unit_assert_bytes(
        unit_view((char *) out, csc_ws_frame_header(CSC_WS_TEXT, payload, out)),
        wanted);
}


static void
test_frame_header(void **state)
{
    unsigned char out[CSC_WS_MAX_HEADER];

    (void) state;

    check_header(0, UNIT_BYTES("\x81\x00"));
    check_header(5, UNIT_BYTES("\x81\x05"));
    check_header(125, UNIT_BYTES("\x81\x7d"));
    check_header(126, UNIT_BYTES("\x81\x7e\x00\x7e"));
    check_header(256, UNIT_BYTES("\x81\x7e\x01\x00"));
    check_header(65535, UNIT_BYTES("\x81\x7e\xff\xff"));
    check_header(65536, UNIT_BYTES("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"));
    check_header(0x7f23456789abcdefULL,
        UNIT_BYTES("\x81\x7f\x7f\x23\x45\x67\x89\xab\xcd\xef"));

    assert_int_equal(csc_ws_frame_header(CSC_WS_PONG, 1, out), 2);
    assert_memory_equal(out, "\x8a\x01", 2);
}


static void
test_close_frame(void **state)
{
    size_t i;
    char reason[200];
    unsigned char *out;

    (void) state;

    out = malloc(2 + CSC_WS_MAX_CONTROL);
    assert_non_null(out);

    assert_int_equal(csc_ws_close_frame(1005, csc_str("unused"), out), 2);
    assert_memory_equal(out, "\x88\x00", 2);

    assert_int_equal(csc_ws_close_frame(1000, csc_str(NULL), out), 4);
    assert_memory_equal(out, "\x88\x02\x03\xe8", 4);

    assert_int_equal(csc_ws_close_frame(4002, csc_str("bye"), out), 7);
    assert_memory_equal(out,
        "\x88\x05\x0f\xa2"
        "bye",
        7);

    memset(reason, 'a', sizeof(reason));

    assert_int_equal(
        csc_ws_close_frame(1001, unit_view(reason, 123), out), 127);
    assert_int_equal(out[1], 125);
    assert_int_equal(
        csc_ws_close_frame(1001, unit_view(reason, 124), out), 127);
    assert_int_equal(out[1], 125);

    /* a character of four bytes is cut whole wherever it stands */
    for (i = 120; i < 124; i++) {
        memset(reason, 'a', sizeof(reason));
        memcpy(reason + i, "\xf0\x9f\x98\x80", 4);
        assert_int_equal(
            csc_ws_close_frame(1001, unit_view(reason, 150), out), 4 + i);
        assert_int_equal(out[1], 2 + i);
        assert_true(csc_utf8_valid(unit_view((char *) out + 4, i)));
    }

    free(out);
}


static void
test_accept(void **state)
{
    size_t i;
    unsigned char out[CSC_WS_ACCEPT_LEN + 1] = { 0 };

    static const char *const refused[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQ==\n",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25jZQA=",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSB b25jZQ==",
        "dGhlIHNhbXBsZSB-b25jZQ==",
        "dGhlIHNhbXBsZSB_b25jZQ==",
        "YQ==",
    };

    (void) state;

    /* RFC 6455, 1.3 */
    assert_int_equal(
        csc_ws_accept(csc_str("dGhlIHNhbXBsZSBub25jZQ=="), out), CSC_OK);
    assert_string_equal((char *) out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

    assert_int_equal(
        csc_ws_accept(csc_str("+/0123456789abcdefghAA=="), out), CSC_OK);

    for (i = 0; i < UNIT_COUNT(refused); i++) {
        assert_int_equal(csc_ws_accept(csc_str(refused[i]), out), CSC_ERROR);
    }

    /* what it keeps for the next time makes no difference */
    for (i = 0; i < 3; i++) {
        if (i == 1) {
            csc_ws_accept_end();
        }
        assert_int_equal(
            csc_ws_accept(csc_str("dGhlIHNhbXBsZSBub25jZQ=="), out), CSC_OK);
        assert_string_equal((char *) out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    csc_ws_accept_end();
    csc_ws_accept_end();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_protocol_errors),
        cmocka_unit_test(test_utf8_errors),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_longest_control),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_frame_header),
        cmocka_unit_test(test_close_frame),
        cmocka_unit_test(test_accept),
    };

    return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
