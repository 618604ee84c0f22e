#include <stdio.h>

#include "../common/csc_bundle.h"
#include "bundle.h"

void
bundle_to(bundle_t *bundle, const char *channel)
{
    snprintf(bundle->channel, sizeof(bundle->channel), "%s", channel);
}

int
bundle_has_room(const bundle_t *bundle, size_t size)
{
    return bundle->n == 0 || bundle->out.used + size <= BUNDLE_MAX;
}

int
bundle_add(bundle_t *bundle, const csc_bus_message_t *message, size_t size)
{
    size_t head = sizeof(CSC_BUNDLE_HEADER) - 1;
    unsigned char *room;

    room = buffer_reserve(&bundle->out, head + CSC_BUNDLE_MAX_LENGTH + size);
    if (room == NULL) {
        return CSC_ERROR;
    }

    if (bundle->n == 0) {
        buffer_append_text(&bundle->out, CSC_BUNDLE_HEADER);
        room += head;
    }

    room += csc_bundle_length(size, room);

    if (bundle->n++ == 0) {
        bundle->first = (size_t) (room - bundle->out.data);
    }

    csc_bus_encode(message, room);
    bundle->out.used = (size_t) (room - bundle->out.data) + size;

    return CSC_OK;
}

csc_str_t
bundle_bytes(const bundle_t *bundle)
{
    size_t skipped = bundle->n == 1 ? bundle->first : 0;
    csc_str_t bytes;

    bytes.data = bundle->out.data + skipped;
    bytes.len = bundle->out.used - skipped;

    return bytes;
}

void
bundle_reset(bundle_t *bundle)
{
    buffer_reset(&bundle->out);
    bundle->n = 0;
}

void
bundle_free(bundle_t *bundle)
{
    buffer_free(&bundle->out);
    bundle->n = 0;
}
