/*
 * The inside of JSON's strings, for reader and writer.  Texts are UTF-8, which
 * the callers see to.
 */

#ifndef CSC_JSON_STRING_H
#define CSC_JSON_STRING_H

#include "csc_core.h"

/*
 * How many bytes from p on stand for themselves, at least: whole groups of
 * eight.
 */
size_t csc_json_plain(const unsigned char *p, const unsigned char *end);

/*
 * The closing quote of the string that has its first byte at p; NULL where
 * there is none, or something that no string has stands before it.  *escaped
 * becomes 1 where there are escapes, and is left alone otherwise.
 */
const unsigned char *csc_json_string_end(
    const unsigned char *p, const unsigned char *end, int *escaped);

/*
 * What stands in well-formed JSON, or a part of it, and in no text of ours,
 * "\u0000" or a lone surrogate: a static sentence, or NULL.
 */
const char *csc_json_string_fault(csc_str_t json);

/*
 * Decodes what stands between the quotes of a string to out, which has room
 * for as many bytes; the length.
 */
size_t csc_json_unescape(csc_str_t text, unsigned char *out);

#endif /* CSC_JSON_STRING_H */
