/*
 * Messages for one channel of the bus that leave in one PUBLISH: one alone as
 * it is, several as a bundle (docs/bus.md).
 */

#ifndef BUNDLE_H
#define BUNDLE_H

#include "../common/csc_bus.h"
#include "buffer.h"

#define BUNDLE_MAX ((size_t) 32 * 1024) /* bytes; larger ones go alone */
#define BUNDLE_CHANNEL (CSC_BUS_MAX_PREFIX + 256)

typedef struct {
    char channel[BUNDLE_CHANNEL];
    buffer_t out;
    size_t first; /* where the first message begins in it */
    size_t n;     /* messages */
} bundle_t;

/* Says which channel what it holds from now on is for. */
void bundle_to(bundle_t *bundle, const char *channel);

/* 1 when a message of size bytes has its place beside those that are in it. */
int bundle_has_room(const bundle_t *bundle, size_t size);

/* Adds a message of csc_bus_size() bytes, at most BUNDLE_MAX. */
int bundle_add(bundle_t *bundle, const csc_bus_message_t *message, size_t size);

/* What is to be published; valid until the next call. */
csc_str_t bundle_bytes(const bundle_t *bundle);

void bundle_reset(bundle_t *bundle);

void bundle_free(bundle_t *bundle);

#endif /* BUNDLE_H */
