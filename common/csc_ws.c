/*
 * The WebSocket parser.  It goes through a frame in states; everything before
 * the payload is taken a byte at a time, so that a split can't matter, the
 * payload in runs as long as the input allows.
 */

#include "csc_ws.h"

#include <string.h>

#define CSC_WS_FIN 0x80
#define CSC_WS_RSV 0x70
#define CSC_WS_OPCODE 0x0f
#define CSC_WS_MASKED 0x80
#define CSC_WS_LENGTH 0x7f
#define CSC_WS_IS_CONTROL 0x08

#define CSC_WS_LENGTH_16 126 /* 16 bits of length follow */
#define CSC_WS_LENGTH_64 127

enum {
    CSC_WS_ON_OPCODE = 0, /* the first byte of a frame */
    CSC_WS_ON_LENGTH,     /* the second */
    CSC_WS_ON_LENGTH_16,
    CSC_WS_ON_LENGTH_64,
    CSC_WS_ON_MASK,
    CSC_WS_ON_PAYLOAD
};

static int csc_ws_header_byte(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event);
static int csc_ws_opcode(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event);
static int csc_ws_length(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event);
static int csc_ws_long_length(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event);
static int csc_ws_check_size(csc_ws_parser_t *parser, csc_ws_event_t *event);
static int csc_ws_payload(
    csc_ws_parser_t *parser, csc_str_t *input, csc_ws_event_t *event);
static int csc_ws_data(
    csc_ws_parser_t *parser, csc_str_t piece, csc_ws_event_t *event);
static int csc_ws_control(
    csc_ws_parser_t *parser, csc_str_t piece, csc_ws_event_t *event);
static int csc_ws_closing(csc_ws_parser_t *parser, csc_ws_event_t *event);
static int csc_ws_close_code_valid(int code);
static void csc_ws_unmask(
    csc_ws_parser_t *parser, unsigned char *p, size_t len);
static int csc_ws_fail(csc_ws_parser_t *parser, csc_ws_event_t *event, int code,
    const char *reason);


void
csc_ws_parser_init(csc_ws_parser_t *parser, uint32_t max_message)
{
    memset(parser, 0, sizeof(csc_ws_parser_t));

    parser->max_message = max_message;
}


int
csc_ws_parse(csc_ws_parser_t *parser, csc_str_t *input, csc_ws_event_t *event)
{
    int rc;
    unsigned char byte;

    if (parser->failed) {
        return CSC_ERROR;
    }

    memset(event, 0, sizeof(csc_ws_event_t));

    for (;;) {
        /* a frame without payload ends with its mask: no byte is needed */
        if (parser->state == CSC_WS_ON_PAYLOAD
            && (input->len > 0 || parser->remaining == 0))
        {
            rc = csc_ws_payload(parser, input, event);

        } else if (input->len > 0) {
            byte = *input->data++;
            input->len--;

            rc = csc_ws_header_byte(parser, byte, event);

        } else {
            return CSC_AGAIN;
        }

        if (rc != CSC_AGAIN) {
            return rc;
        }
    }
}


/* CSC_AGAIN to go on; CSC_OK when there is an event, which is an error. */
static int
csc_ws_header_byte(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event)
{
    switch (parser->state) {
    case CSC_WS_ON_OPCODE:
        return csc_ws_opcode(parser, byte, event);

    case CSC_WS_ON_LENGTH:
        return csc_ws_length(parser, byte, event);

    case CSC_WS_ON_MASK:
        parser->mask[sizeof(parser->mask) - parser->need] = byte;

        if (--parser->need == 0) {
            parser->mask_offset = 0;
            parser->state = CSC_WS_ON_PAYLOAD;
        }

        return CSC_AGAIN;

    default:
        return csc_ws_long_length(parser, byte, event);
    }
}


static int
csc_ws_opcode(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event)
{
    if (byte & CSC_WS_RSV) {
        return csc_ws_fail(
            parser, event, CSC_WS_CLOSE_PROTOCOL, "reserved bit set");
    }

    parser->opcode = byte & CSC_WS_OPCODE;
    parser->fin = (byte & CSC_WS_FIN) != 0;
    parser->state = CSC_WS_ON_LENGTH;

    switch (parser->opcode) {
    case CSC_WS_CONTINUATION:
        if (!parser->fragmented) {
            return csc_ws_fail(parser, event, CSC_WS_CLOSE_PROTOCOL,
                "continuation of nothing");
        }

        return CSC_AGAIN;

    case CSC_WS_TEXT:
    case CSC_WS_BINARY:
        if (parser->fragmented) {
            return csc_ws_fail(parser, event, CSC_WS_CLOSE_PROTOCOL,
                "message within a message");
        }

        if (parser->opcode == CSC_WS_BINARY) {
            return csc_ws_fail(
                parser, event, CSC_WS_CLOSE_UNSUPPORTED, "binary frame");
        }

        return CSC_AGAIN;

    case CSC_WS_CLOSE:
    case CSC_WS_PING:
    case CSC_WS_PONG:
        if (!parser->fin) {
            return csc_ws_fail(parser, event, CSC_WS_CLOSE_PROTOCOL,
                "fragmented control frame");
        }

        parser->control_len = 0;

        return CSC_AGAIN;

    default:
        return csc_ws_fail(
            parser, event, CSC_WS_CLOSE_PROTOCOL, "unknown opcode");
    }
}


static int
csc_ws_length(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event)
{
    unsigned length;

    if (!(byte & CSC_WS_MASKED)) {
        return csc_ws_fail(
            parser, event, CSC_WS_CLOSE_PROTOCOL, "frame without a mask");
    }

    length = byte & CSC_WS_LENGTH;

    if ((parser->opcode & CSC_WS_IS_CONTROL) && length > CSC_WS_MAX_CONTROL) {
        return csc_ws_fail(
            parser, event, CSC_WS_CLOSE_PROTOCOL, "long control frame");
    }

    parser->remaining = 0;

    switch (length) {
    case CSC_WS_LENGTH_16:
        parser->state = CSC_WS_ON_LENGTH_16;
        parser->need = 2;
        return CSC_AGAIN;

    case CSC_WS_LENGTH_64:
        parser->state = CSC_WS_ON_LENGTH_64;
        parser->need = 8;
        return CSC_AGAIN;

    default:
        parser->remaining = length;
        return csc_ws_check_size(parser, event);
    }
}


/* The 16 or 64 bits of length, most significant byte first. */
static int
csc_ws_long_length(
    csc_ws_parser_t *parser, unsigned char byte, csc_ws_event_t *event)
{
    uint64_t smallest;

    if (parser->state == CSC_WS_ON_LENGTH_64 && parser->need == 8
        && (byte & 0x80)) {
        return csc_ws_fail(
            parser, event, CSC_WS_CLOSE_PROTOCOL, "length beyond 63 bits");
    }

    parser->remaining = parser->remaining << 8 | byte;

    if (--parser->need > 0) {
        return CSC_AGAIN;
    }

    smallest = parser->state == CSC_WS_ON_LENGTH_16 ? CSC_WS_LENGTH_16
                                                    : UINT16_MAX + 1ULL;

    if (parser->remaining < smallest) {
        return csc_ws_fail(parser, event, CSC_WS_CLOSE_PROTOCOL,
            "length not in its shortest form");
    }

    return csc_ws_check_size(parser, event);
}


/* The length is known: refuses what is too much before it comes. */
static int
csc_ws_check_size(csc_ws_parser_t *parser, csc_ws_event_t *event)
{
    /* no overflow: 63 bits and what max_message allowed, 32 bits */
    if (!(parser->opcode & CSC_WS_IS_CONTROL)
        && parser->message + parser->remaining > parser->max_message)
    {
        return csc_ws_fail(
            parser, event, CSC_WS_CLOSE_TOO_BIG, "message too large");
    }

    parser->state = CSC_WS_ON_MASK;
    parser->need = sizeof(parser->mask);

    return CSC_AGAIN;
}


/* Takes what there is of the frame's payload. */
static int
csc_ws_payload(csc_ws_parser_t *parser, csc_str_t *input, csc_ws_event_t *event)
{
    csc_str_t piece;

    piece.data = input->data;
    piece.len = input->len;

    if (piece.len > parser->remaining) {
        piece.len = (size_t) parser->remaining;
    }

    if (piece.len > 0) {
        /* the caller's bytes are writable, as the header demands */
        csc_ws_unmask(parser, (unsigned char *) piece.data, piece.len);

        parser->remaining -= piece.len;
        input->data += piece.len;
        input->len -= piece.len;
    }

    if (parser->remaining == 0) {
        parser->state = CSC_WS_ON_OPCODE;
    }

    if (parser->opcode & CSC_WS_IS_CONTROL) {
        return csc_ws_control(parser, piece, event);
    }

    return csc_ws_data(parser, piece, event);
}


static int
csc_ws_data(csc_ws_parser_t *parser, csc_str_t piece, csc_ws_event_t *event)
{
    int last;

    last = parser->remaining == 0 && parser->fin;

    if (csc_utf8_feed(&parser->utf8, piece.data, piece.len) != CSC_OK
        || (last && !csc_utf8_complete(&parser->utf8)))
    {
        return csc_ws_fail(
            parser, event, CSC_WS_CLOSE_BAD_DATA, "text is not UTF-8");
    }

    parser->message += piece.len;
    parser->fragmented = 1;

    if (piece.len == 0 && !last) {
        return CSC_AGAIN;
    }

    event->type = CSC_WS_EVENT_DATA;
    event->payload = piece;
    event->first = !parser->begun;
    event->last = last != 0;

    parser->begun = 1;

    if (last) {
        parser->message = 0;
        parser->fragmented = 0;
        parser->begun = 0;
    }

    return CSC_OK;
}


/* Gathers the payload of a control frame, for it may come between two reads. */
static int
csc_ws_control(csc_ws_parser_t *parser, csc_str_t piece, csc_ws_event_t *event)
{
    if (piece.len > 0) {
        memcpy(parser->control + parser->control_len, piece.data, piece.len);
        parser->control_len = (uint8_t) (parser->control_len + piece.len);
    }

    if (parser->remaining > 0) {
        return CSC_AGAIN;
    }

    if (parser->opcode == CSC_WS_CLOSE) {
        return csc_ws_closing(parser, event);
    }

    event->type = parser->opcode == CSC_WS_PING ? CSC_WS_EVENT_PING
                                                : CSC_WS_EVENT_PONG;
    event->payload.data = parser->control;
    event->payload.len = parser->control_len;

    return CSC_OK;
}


/* A whole Close frame: 5.5.1 and 7.4. */
static int
csc_ws_closing(csc_ws_parser_t *parser, csc_ws_event_t *event)
{
    csc_str_t reason = CSC_STR_NULL;

    if (parser->control_len == 0) {
        event->code = CSC_WS_CLOSE_NO_STATUS;

    } else {
        if (parser->control_len == 1) {
            return csc_ws_fail(
                parser, event, CSC_WS_CLOSE_PROTOCOL, "half a close code");
        }

        event->code = parser->control[0] << 8 | parser->control[1];

        if (!csc_ws_close_code_valid(event->code)) {
            return csc_ws_fail(
                parser, event, CSC_WS_CLOSE_PROTOCOL, "invalid close code");
        }

        reason.data = parser->control + 2;
        reason.len = parser->control_len - 2U;

        if (!csc_utf8_valid(reason)) {
            return csc_ws_fail(parser, event, CSC_WS_CLOSE_BAD_DATA,
                "close reason is not UTF-8");
        }
    }

    event->type = CSC_WS_EVENT_CLOSE;
    event->payload = reason;

    parser->failed = 1;

    return CSC_OK;
}


/*
 * The codes that may stand on the wire: those that RFC 6455 or IANA's registry
 * defines for it, and the ranges of libraries and of applications.
 */
static int
csc_ws_close_code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
           || (code >= 3000 && code <= 4999);
}


/* Eight bytes at a time; the mask goes on where the last piece left it. */
static void
csc_ws_unmask(csc_ws_parser_t *parser, unsigned char *p, size_t len)
{
    size_t i;
    uint64_t mask, word;
    unsigned char turned[sizeof(mask)] = { 0 };

    for (i = 0; i < sizeof(turned); i++) {
        turned[i] = parser->mask[(parser->mask_offset + i) & 3];
    }

    memcpy(&mask, turned, sizeof(mask));

    /* whole words turn the mask by a multiple of its length */
    parser->mask_offset = (uint8_t) ((parser->mask_offset + len) & 3);

    while (len >= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        word ^= mask;
        memcpy(p, &word, sizeof(word));

        p += sizeof(word);
        len -= sizeof(word);
    }

    for (i = 0; i < len; i++) {
        p[i] ^= turned[i];
    }
}


/* The last event. */
static int
csc_ws_fail(csc_ws_parser_t *parser, csc_ws_event_t *event, int code,
    const char *reason)
{
    parser->failed = 1;

    event->type = CSC_WS_EVENT_ERROR;
    event->code = code;
    event->reason = reason;

    return CSC_OK;
}
