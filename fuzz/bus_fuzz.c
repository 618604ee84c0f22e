/*
 * The bus: whatever is decoded can be encoded, and that is decoded to the same
 * bytes again; so is what comes out of a bundle.
 */

#include <stdlib.h>
#include <string.h>

#include "csc_bundle.h"
#include "csc_bus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void fuzz_round_trip(const csc_bus_message_t *message);
static void fuzz_topics(csc_str_t topics);
static void fuzz_bundle(csc_str_t body);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    csc_str_t text = { size, data };
    const char *why = NULL;
    csc_bus_message_t message;

    if (csc_bus_decode(text, &message, &why) != CSC_OK) {
        if (why == NULL) {
            abort();
        }

        return 0;
    }

    fuzz_round_trip(&message);
    fuzz_topics(message.topics);
    fuzz_topics(message.keep);
    fuzz_bundle(message.body);

    if (csc_bus_shard(message.chat) >= CSC_BUS_SHARDS) {
        abort();
    }

    return 0;
}


static void
fuzz_round_trip(const csc_bus_message_t *message)
{
    size_t size;
    csc_str_t text;
    const char *why;
    unsigned char *first, *second;
    csc_bus_message_t again;

    size = csc_bus_size(message);
    if (size == 0) {
        abort();
    }

    first = malloc(size);
    second = malloc(size);

    if (first == NULL || second == NULL) {
        free(first);
        free(second);
        return;
    }

    csc_bus_encode(message, first);

    text.data = first;
    text.len = size;

    if (csc_bus_decode(text, &again, &why) != CSC_OK
        || csc_bus_size(&again) != size)
    {
        abort();
    }

    csc_bus_encode(&again, second);

    if (memcmp(first, second, size) != 0
        || !csc_str_eq(again.body, message->body)) {
        abort();
    }

    free(first);
    free(second);
}


static void
fuzz_topics(csc_str_t topics)
{
    csc_str_t topic;

    while (csc_bus_next(&topics, &topic) == CSC_OK) {
        if (topic.len == 0 || memchr(topic.data, ',', topic.len) != NULL) {
            abort();
        }
    }
}


/* Its messages lie in it one behind the other, each behind its length. */
static void
fuzz_bundle(csc_str_t body)
{
    csc_str_t rest, message;
    unsigned char length[CSC_BUNDLE_MAX_LENGTH];
    size_t n;

    rest = body;

    while (csc_bundle_next(&rest, &message) == CSC_OK) {
        n = csc_bundle_length(message.len, length);

        if (message.len == 0 || memcmp(body.data, length, n) != 0
            || message.data != body.data + n
            || rest.data != message.data + message.len
            || rest.len != body.len - n - message.len)
        {
            abort();
        }

        body = rest;
    }
}
