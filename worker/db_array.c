/* Arrays as parameters, in PostgreSQL's binary form (array_recv()). */

#include <limits.h>

#include "../common/csc_uuid.h"
#include "db.h"

/* The lowest size bytes of a number, the highest of them first. */
static void
db_array_number(buffer_t *out, uint64_t value, size_t size)
{
    unsigned char bytes[sizeof(value)];
    size_t i;

    for (i = 0; i < size; i++) {
        bytes[i] = (unsigned char) (value >> (8 * (size - 1 - i)));
    }

    buffer_append(out, bytes, size);
}

void
db_array(db_query_t *query, db_type_e type, size_t count)
{
    buffer_t *out = db_value(query);

    db_array_number(out, count > 0, 4); /* dimensions */
    db_array_number(out, 1, 4);         /* there may be NULLs */
    db_array_number(out, (uint64_t) type, 4);

    if (count > 0) {
        db_array_number(out, count, 4);
        db_array_number(out, 1, 4); /* the first place */
    }
}

void
db_array_str(db_query_t *query, db_type_e type, csc_str_t value)
{
    unsigned char uuid[CSC_UUID_BYTES];
    buffer_t *out = &query->values;

    if (value.data == NULL) {
        db_array_number(out, UINT32_MAX, 4);
        return;
    }

    if (type == DB_UUID) {
        if (csc_uuid_bytes(value, uuid) != CSC_OK) {
            out->failed = 1;
            return;
        }
        value.data = uuid;
        value.len = sizeof(uuid);
    }

    db_array_number(out, value.len, 4);
    buffer_append_str(out, value);
}

void
db_array_int(db_query_t *query, db_type_e type, int64_t value)
{
    size_t size = type == DB_BIGINT ? 8 : type == DB_INT ? 4 : 1;

    db_array_number(&query->values, size, 4);
    db_array_number(&query->values, (uint64_t) value, size);
}

void
db_array_end(db_query_t *query)
{
    int i = query->parameters - 1;
    size_t len;

    if (query->values.failed) {
        return;
    }

    len = query->values.used - query->offsets[i];
    if (len > INT_MAX) {
        query->values.failed = 1;
        return;
    }

    query->formats[i] = 1;
    query->lengths[i] = (int) len;
}
