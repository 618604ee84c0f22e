/*
 * Bundles: several messages on the bus in one, each behind its length.  See
 * docs/bus.md.
 */

#ifndef CSC_BUNDLE_H
#define CSC_BUNDLE_H

#include "csc_core.h"

#define CSC_BUNDLE_HEADER "CSC1 B\n"
#define CSC_BUNDLE_MAX_LENGTH 10 /* bytes of a length, line feed included */
#define CSC_BUNDLE_MAX_MESSAGE ((size_t) 999999999)

/*
 * What stands before a message of len bytes (1 to CSC_BUNDLE_MAX_MESSAGE), to
 * out, which has room for CSC_BUNDLE_MAX_LENGTH: how many bytes that are.
 */
size_t csc_bundle_length(size_t len, unsigned char *out);

/*
 * Takes the next message off the body of a bundle.  CSC_OK; CSC_AGAIN at its
 * end; CSC_ERROR when what follows is none, of which the rest is unknown then.
 */
int csc_bundle_next(csc_str_t *body, csc_str_t *message);

#endif /* CSC_BUNDLE_H */
