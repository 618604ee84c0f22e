/*
 * The vocabulary that every file of common/ shares: result codes and a
 * string view.  Nothing in common/ does I/O or allocates behind the caller's
 * back; what a function writes to is handed in.
 */

#ifndef CSC_CORE_H
#define CSC_CORE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CSC_OK 0
#define CSC_ERROR (-1) /* the input is not acceptable */
#define CSC_AGAIN (-2) /* more input is needed */

/* A view of bytes that somebody else owns; not NUL-terminated. */
typedef struct {
    size_t len;
    const unsigned char *data;
} csc_str_t;

#define CSC_STR_NULL                                                           \
    {                                                                          \
        0, NULL                                                                \
    }

/* For initializers of a string literal. */
#define CSC_STR(text)                                                          \
    {                                                                          \
        sizeof(text) - 1, (const unsigned char *) (text)                       \
    }

/*
 * The next three are inline: mostly text is a literal, of which the compiler
 * then knows length and bytes.
 */

/* The view of a NUL-terminated text (NULL gives the empty view). */
static inline csc_str_t
csc_str(const char *text)
{
    csc_str_t view = CSC_STR_NULL;

    if (text != NULL) {
        view.len = strlen(text);
        view.data = (const unsigned char *) text;
    }

    return view;
}

/* 1 when both views hold the same bytes. */
static inline int
csc_str_eq(csc_str_t a, csc_str_t b)
{
    if (a.len != b.len) {
        return 0;
    }

    /* an empty view may have no memory, which memcmp() must not see */
    return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}

/* 1 when the view holds just the bytes of the NUL-terminated text. */
static inline int
csc_str_is(csc_str_t a, const char *text)
{
    return csc_str_eq(a, csc_str(text));
}

/*
 * A decimal number of 1 to 19 digits and nothing else.  CSC_ERROR when there
 * is anything else or it is above max.
 */
int csc_str_to_u64(csc_str_t text, uint64_t max, uint64_t *value);

#endif /* CSC_CORE_H */
