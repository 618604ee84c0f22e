/* How long to wait before the next attempt to connect. */

#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

/*
 * The milliseconds to wait now: 50, then twice as long each time up to 2 s,
 * half of it at random, so that many do not come back as one.  *delay is 0
 * to begin with and after each success.
 */
uint64_t backoff_next(uint64_t *delay);

#endif /* BACKOFF_H */
