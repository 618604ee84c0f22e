/* What every unit test includes: cmocka, and checks for string views. */

#ifndef CSC_UNIT_H
#define CSC_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csc_core.h"

/* For a table's length. */
#define UNIT_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A view of a string literal that may hold NUL bytes. */
#define UNIT_BYTES(text) unit_view((text), sizeof(text) - 1)

static inline csc_str_t
unit_view(const char *data, size_t len)
{
    csc_str_t view = { len, (const unsigned char *) data };

    return view;
}


/*
 * A copy in memory of just its size, so that the sanitizers see a read or
 * write beyond it.  The caller frees data.
 */
static inline csc_str_t
unit_copy(csc_str_t text)
{
    csc_str_t copy;
    unsigned char *data;

    data = malloc(text.len > 0 ? text.len : 1);
    assert_non_null(data);

    if (text.len > 0) {
        memcpy(data, text.data, text.len);
    }

    copy.len = text.len;
    copy.data = data;

    return copy;
}


static inline void
unit_free(csc_str_t copy)
{
    free((void *) (uintptr_t) copy.data);
}


static inline void
unit_assert_bytes(csc_str_t got, csc_str_t wanted)
{
    if (!csc_str_eq(got, wanted)) {
        print_error("got \"%.*s\", wanted \"%.*s\"\n", (int) got.len,
            got.len > 0 ? (const char *) got.data : "", (int) wanted.len,
            wanted.len > 0 ? (const char *) wanted.data : "");
    }

    assert_int_equal(got.len, wanted.len);

    if (got.len > 0) {
        assert_memory_equal(got.data, wanted.data, got.len);
    }
}


static inline void
unit_assert_str(csc_str_t got, const char *wanted)
{
    unit_assert_bytes(got, csc_str(wanted));
}

#endif /* CSC_UNIT_H */
