/*
 * The WebSocket protocol (RFC 6455), server side, as a codec without I/O: bytes
 * go in, events come out, and any split of the bytes gives the same events.
 */

#ifndef CSC_WS_H
#define CSC_WS_H

#include "csc_core.h"
#include "csc_utf8.h"

#define CSC_WS_ACCEPT_LEN 28   /* length of Sec-WebSocket-Accept */
#define CSC_WS_MAX_HEADER 10   /* of a frame that a server sends */
#define CSC_WS_MAX_CONTROL 125 /* payload of a control frame */

/* Opcodes (RFC 6455, 5.2). */
#define CSC_WS_CONTINUATION 0x0
#define CSC_WS_TEXT 0x1
#define CSC_WS_BINARY 0x2
#define CSC_WS_CLOSE 0x8
#define CSC_WS_PING 0x9
#define CSC_WS_PONG 0xA

/* Close codes: RFC 6455, 7.4.1, and the product's own. */
#define CSC_WS_CLOSE_NORMAL 1000
#define CSC_WS_CLOSE_GOING_AWAY 1001
#define CSC_WS_CLOSE_PROTOCOL 1002
#define CSC_WS_CLOSE_UNSUPPORTED 1003
#define CSC_WS_CLOSE_NO_STATUS 1005 /* never on the wire */
#define CSC_WS_CLOSE_BAD_DATA 1007
#define CSC_WS_CLOSE_POLICY 1008
#define CSC_WS_CLOSE_TOO_BIG 1009
#define CSC_WS_CLOSE_INTERNAL 1011
#define CSC_WS_CLOSE_RESTART 1012
#define CSC_WS_CLOSE_TRY_LATER 1013
#define CSC_WS_CLOSE_TOKEN_EXPIRED 4001
#define CSC_WS_CLOSE_TOKEN_REVOKED 4002
#define CSC_WS_CLOSE_TOO_MANY 4003

typedef enum {
    CSC_WS_EVENT_DATA,  /* a piece of a text message */
    CSC_WS_EVENT_PING,  /* payload: the application data */
    CSC_WS_EVENT_PONG,  /* payload: the application data */
    CSC_WS_EVENT_CLOSE, /* code (1005 when there was none), payload: reason */
    CSC_WS_EVENT_ERROR  /* code to close with, reason: static text */
} csc_ws_event_e;

typedef struct {
    csc_ws_event_e type;
    csc_str_t payload;  /* in the fed buffer, or in the parser (control) */
    unsigned first : 1; /* DATA: the message begins with this piece */
    unsigned last : 1;  /* DATA: the message is complete with this piece */
    int code;
    const char *reason;
} csc_ws_event_t;

/* Small on purpose: every open socket has one. */
typedef struct {
    uint64_t message;     /* bytes of the current message so far */
    uint64_t remaining;   /* payload bytes of the frame still to come */
    uint32_t max_message; /* above it: error 1009 */
    uint8_t mask[4];
    uint8_t state;
    uint8_t need;   /* header bytes still to come in this state */
    uint8_t opcode; /* of the current frame */
    uint8_t mask_offset;
    uint8_t control_len;
    csc_utf8_t utf8; /* of the current text message */
    unsigned fin : 1;
    unsigned fragmented : 1; /* between the fragments of a message */
    unsigned begun : 1;      /* the message's first piece was given */
    unsigned failed : 1;
    unsigned char control[CSC_WS_MAX_CONTROL];
} csc_ws_parser_t;

void csc_ws_parser_init(csc_ws_parser_t *parser, uint32_t max_message);

/*
 * Takes bytes from *input (advanced past what was used; the bytes are unmasked
 * in place, so they must be writable) until there is an event.
 *
 * CSC_OK and *event; CSC_AGAIN when the input is used up.  A message may have
 * a last piece of length 0.  After an ERROR or a CLOSE event nothing more is
 * taken: every further call gives CSC_ERROR.
 *
 * Checked: masking (5.1), reserved bits and opcodes, control frames short and
 * whole (5.5), fragmentation (5.4), minimal lengths and the 63-bit limit
 * (5.2), close codes and reasons (7.4), UTF-8 as it streams (8.1), the size.
 * A binary frame is an error 1003.
 */
int csc_ws_parse(
    csc_ws_parser_t *parser, csc_str_t *input, csc_ws_event_t *event);

/*
 * Writes the header of an unfragmented, unmasked frame to out (room for
 * CSC_WS_MAX_HEADER) and returns its length, 2, 4 or 10.
 */
size_t csc_ws_frame_header(int opcode, uint64_t payload, unsigned char *out);

/*
 * Writes a whole Close frame to out (room for 2 + CSC_WS_MAX_CONTROL) and
 * returns its length.  A reason that does not fit is cut between characters;
 * code 1005 gives a Close without a body.
 */
size_t csc_ws_close_frame(int code, csc_str_t reason, unsigned char *out);

/*
 * Sec-WebSocket-Accept (4.2.2) for a key, to out (CSC_WS_ACCEPT_LEN bytes).
 * CSC_ERROR when the key is not 16 bytes in base64.
 */
int csc_ws_accept(csc_str_t key, unsigned char *out);

/* Frees what csc_ws_accept() has kept for the next time. */
void csc_ws_accept_end(void);

#endif /* CSC_WS_H */
