/*
 * The WebSocket parser: the same bytes at once, one by one, and in pieces that
 * the input itself chooses give the same events.
 */

#include <stdlib.h>
#include <string.h>

#include "csc_ws.h"

#define FUZZ_MAX_MESSAGE 300

/* What came out: whole messages and the other events, one behind another. */
typedef struct {
    unsigned char *events;
    size_t len;
    unsigned char message[FUZZ_MAX_MESSAGE]; /* the one that is incomplete */
    size_t message_len;
    int within;
} fuzz_record_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void fuzz_run(
    const uint8_t *data, size_t size, size_t step, fuzz_record_t *record);
static int fuzz_piece(csc_ws_parser_t *parser, const uint8_t *data, size_t size,
    fuzz_record_t *record);
static void fuzz_data(fuzz_record_t *record, const csc_ws_event_t *event);
static void fuzz_add(
    fuzz_record_t *record, int type, int code, csc_str_t payload);


/* The first byte is the size of the pieces of the third run. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t i;
    fuzz_record_t records[3];

    if (size < 1) {
        return 0;
    }

    memset(records, 0, sizeof(records));

    fuzz_run(data + 1, size - 1, size, &records[0]);
    fuzz_run(data + 1, size - 1, 1, &records[1]);
    fuzz_run(data + 1, size - 1, 2U + data[0], &records[2]);

    for (i = 1; i < 3; i++) {
        if (records[i].len != records[0].len
            || (records[i].len > 0
                && memcmp(records[i].events, records[0].events, records[i].len)
                       != 0))
        {
            abort();
        }
    }

    for (i = 0; i < 3; i++) {
        free(records[i].events);
    }

    return 0;
}


static void
fuzz_run(const uint8_t *data, size_t size, size_t step, fuzz_record_t *record)
{
    size_t n;
    csc_ws_parser_t parser;

    csc_ws_parser_init(&parser, FUZZ_MAX_MESSAGE);

    while (size > 0) {
        n = step < size ? step : size;

        if (fuzz_piece(&parser, data, n, record) != CSC_AGAIN) {
            return;
        }

        data += n;
        size -= n;
    }
}


/* Feeds a copy, for the parser unmasks in place. */
static int
fuzz_piece(csc_ws_parser_t *parser, const uint8_t *data, size_t size,
    fuzz_record_t *record)
{
    int rc;
    csc_str_t input;
    csc_ws_event_t event;
    unsigned char *copy;

    copy = malloc(size);
    if (copy == NULL) {
        abort();
    }

    memcpy(copy, data, size);

    input.data = copy;
    input.len = size;

    while ((rc = csc_ws_parse(parser, &input, &event)) == CSC_OK) {
        if (event.type == CSC_WS_EVENT_DATA) {
            fuzz_data(record, &event);

        } else {
            fuzz_add(record, event.type, event.code, event.payload);
        }
    }

    if (rc == CSC_AGAIN && input.len != 0) {
        abort();
    }

    free(copy);

    return rc;
}


static void
fuzz_data(fuzz_record_t *record, const csc_ws_event_t *event)
{
    csc_str_t message;

    if (event->first == record->within
        || event->payload.len > FUZZ_MAX_MESSAGE - record->message_len)
    {
        abort();
    }

    if (event->payload.len > 0) {
        memcpy(record->message + record->message_len, event->payload.data,
            event->payload.len);
    }

    record->message_len += event->payload.len;
    record->within = 1;

    if (event->last) {
        message.data = record->message;
        message.len = record->message_len;

        if (!csc_utf8_valid(message)) {
            abort();
        }

        fuzz_add(record, event->type, 0, message);

        record->message_len = 0;
        record->within = 0;
    }
}


static void
fuzz_add(fuzz_record_t *record, int type, int code, csc_str_t payload)
{
    int head[3];
    unsigned char *events;

    head[0] = type;
    head[1] = code;
    head[2] = (int) payload.len;

    events = realloc(record->events, record->len + sizeof(head) + payload.len);
    if (events == NULL) {
        abort();
    }

    memcpy(events + record->len, head, sizeof(head));
    record->len += sizeof(head);

    if (payload.len > 0) {
        memcpy(events + record->len, payload.data, payload.len);
        record->len += payload.len;
    }

    record->events = events;
}
