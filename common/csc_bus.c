/*
 * Messages on the bus.  One table says of every field how it is written and
 * which kinds need it; encoder and decoder both go by it.
 */

#include "csc_bus.h"

#include <string.h>

#define CSC_BUS_VERSION "CSC1 "
#define CSC_BUS_START (sizeof(CSC_BUS_VERSION "Q") - 1)

#define CSC_BUS_NUMBER_LEN 20 /* digits of the largest number */

#define CSC_BUS_BYTES 0x0101010101010101ULL /* times a byte: eight of it */

#define CSC_BUS_FNV_OFFSET 2166136261U
#define CSC_BUS_FNV_PRIME 16777619U

/* One bit for each kind. */
#define CSC_BUS_IN_REQUEST 0x01U
#define CSC_BUS_IN_REPLY 0x02U
#define CSC_BUS_IN_EVENT 0x04U
#define CSC_BUS_IN_CONTROL 0x08U
#define CSC_BUS_IN_HEARTBEAT 0x10U
#define CSC_BUS_IN_BUNDLE 0x20U

typedef enum {
    CSC_BUS_TEXT,
    CSC_BUS_DECIMAL,
    CSC_BUS_HEX,
    CSC_BUS_KEEP, /* text that may be empty, with restrict_followers */
    CSC_BUS_WS    /* the flag "as=ws" */
} csc_bus_type_e;

typedef struct {
    csc_str_t name;
    csc_bus_type_e type;
    unsigned required; /* the kinds that can't do without it */
    size_t offset;     /* in csc_bus_message_t, of a text or number */
} csc_bus_field_t;

/* A field's value as it stands on the wire. */
typedef struct {
    csc_str_t text;
    unsigned char digits[CSC_BUS_NUMBER_LEN];
} csc_bus_value_t;

#define CSC_BUS_FIELD(text, type, member, required)                            \
    {                                                                          \
        CSC_STR(text), type, required, offsetof(csc_bus_message_t, member)     \
    }

static void csc_bus_value(const csc_bus_message_t *message,
    const csc_bus_field_t *field, csc_bus_value_t *value);
static void csc_bus_number(
    uint64_t number, unsigned base, csc_bus_value_t *value);
static unsigned csc_bus_kind_bit(csc_bus_kind_e kind);
static int csc_bus_printable(csc_str_t text, unsigned first);
static unsigned char *csc_bus_put(unsigned char *p, csc_str_t text);
static const char *csc_bus_decode_start(
    csc_str_t *line, csc_bus_message_t *message);
static const char *csc_bus_decode_fields(
    csc_str_t line, csc_bus_message_t *message);
static int csc_bus_split(csc_str_t *line, csc_str_t *name, csc_str_t *value);
static size_t csc_bus_find(csc_str_t name, size_t first);
static const char *csc_bus_set(
    csc_bus_message_t *message, const csc_bus_field_t *field, csc_str_t value);
static int csc_bus_parse_number(
    csc_str_t text, unsigned base, uint64_t *number);
static int csc_bus_digit(unsigned char c);
static size_t csc_bus_name(
    csc_str_t prefix, const char *what, csc_str_t rest, char *out, size_t size);


/* In the order in which they are written. */
static const csc_bus_field_t csc_bus_fields[] = {
    CSC_BUS_FIELD("id", CSC_BUS_HEX, id, CSC_BUS_IN_REPLY),
    CSC_BUS_FIELD("from", CSC_BUS_TEXT, from, 0),
    CSC_BUS_FIELD(
        "op", CSC_BUS_TEXT, op, CSC_BUS_IN_REQUEST | CSC_BUS_IN_CONTROL),
    CSC_BUS_FIELD("user", CSC_BUS_TEXT, user, 0),
    CSC_BUS_FIELD("role", CSC_BUS_TEXT, role, 0),
    CSC_BUS_FIELD("name", CSC_BUS_TEXT, name, 0),
    CSC_BUS_FIELD("chat", CSC_BUS_TEXT, chat, 0),
    CSC_BUS_FIELD("msg", CSC_BUS_TEXT, msg, 0),
    CSC_BUS_FIELD("key", CSC_BUS_TEXT, key, 0),
    CSC_BUS_FIELD("conn", CSC_BUS_TEXT, conn, 0),
    CSC_BUS_FIELD("ttl", CSC_BUS_DECIMAL, ttl, 0),
    CSC_BUS_FIELD("minpw", CSC_BUS_DECIMAL, min_password, 0),
    { CSC_STR("as"), CSC_BUS_WS, 0, 0 },
    CSC_BUS_FIELD("status", CSC_BUS_DECIMAL, status, CSC_BUS_IN_REPLY),
    CSC_BUS_FIELD("us", CSC_BUS_DECIMAL, us, 0),
    CSC_BUS_FIELD(
        "src", CSC_BUS_TEXT, src, CSC_BUS_IN_EVENT | CSC_BUS_IN_HEARTBEAT),
    CSC_BUS_FIELD(
        "n", CSC_BUS_DECIMAL, n, CSC_BUS_IN_EVENT | CSC_BUS_IN_HEARTBEAT),
    CSC_BUS_FIELD("topics", CSC_BUS_TEXT, topics, CSC_BUS_IN_EVENT),
    CSC_BUS_FIELD("keep", CSC_BUS_KEEP, keep, 0),
    CSC_BUS_FIELD("type", CSC_BUS_TEXT, type, 0),
    CSC_BUS_FIELD("except", CSC_BUS_TEXT, except, 0),
    CSC_BUS_FIELD("seq", CSC_BUS_DECIMAL, seq, 0),
    CSC_BUS_FIELD("at", CSC_BUS_DECIMAL, at, 0),
    CSC_BUS_FIELD("expires", CSC_BUS_DECIMAL, expires, 0),
};

#define CSC_BUS_FIELDS (sizeof(csc_bus_fields) / sizeof(csc_bus_fields[0]))


/*
 * Whether a field is to be written.  A required text that is empty is, which
 * csc_bus_size() refuses.
 */
static inline int
csc_bus_present(const csc_bus_message_t *message, unsigned kind,
    const csc_bus_field_t *field)
{
    uint64_t number;
    csc_str_t text;
    const char *member;

    member = (const char *) message + field->offset;

    switch (field->type) {
    case CSC_BUS_WS:
        return message->ws;

    case CSC_BUS_KEEP:
        return message->restrict_followers;

    case CSC_BUS_TEXT:
        memcpy(&text, member, sizeof(csc_str_t));
        return text.len > 0 || (field->required & kind);

    case CSC_BUS_DECIMAL:
    case CSC_BUS_HEX:
        break;
    }

    memcpy(&number, member, sizeof(uint64_t));

    return number > 0 || (field->required & kind);
}


size_t
csc_bus_size(const csc_bus_message_t *message)
{
    size_t i, size;
    unsigned kind;
    csc_bus_value_t value;
    const csc_bus_field_t *field;

    kind = csc_bus_kind_bit(message->kind);
    if (kind == 0) {
        return 0;
    }

    size = CSC_BUS_START + 1;

    for (i = 0; i < CSC_BUS_FIELDS; i++) {
        field = &csc_bus_fields[i];

        if (!csc_bus_present(message, kind, field)) {
            continue;
        }

        csc_bus_value(message, field, &value);

        if (!csc_bus_printable(value.text, ' ' + 1)
            || (value.text.len == 0 && field->type != CSC_BUS_KEEP))
        {
            return 0;
        }

        size += 1 + field->name.len + 1;

        if (size > CSC_BUS_MAX_HEADER
            || value.text.len > CSC_BUS_MAX_HEADER - size) {
            return 0;
        }

        size += value.text.len;
    }

    return size + message->body.len;
}


void
csc_bus_encode(const csc_bus_message_t *message, unsigned char *out)
{
    size_t i;
    unsigned kind;
    csc_str_t version = CSC_STR(CSC_BUS_VERSION);
    csc_bus_value_t value;
    const csc_bus_field_t *field;

    kind = csc_bus_kind_bit(message->kind);

    out = csc_bus_put(out, version);
    *out++ = (unsigned char) message->kind;

    for (i = 0; i < CSC_BUS_FIELDS; i++) {
        field = &csc_bus_fields[i];

        if (csc_bus_present(message, kind, field)) {
            csc_bus_value(message, field, &value);
            *out++ = ' ';
            out = csc_bus_put(out, field->name);
            *out++ = '=';
            out = csc_bus_put(out, value.text);
        }
    }

    *out++ = '\n';

    csc_bus_put(out, message->body);
}


/* The text of a field that is to be written. */
static void
csc_bus_value(const csc_bus_message_t *message, const csc_bus_field_t *field,
    csc_bus_value_t *value)
{
    uint64_t number;
    const char *member;

    member = (const char *) message + field->offset;

    switch (field->type) {
    case CSC_BUS_WS:
        value->text = csc_str("ws");
        break;

    case CSC_BUS_KEEP:
    case CSC_BUS_TEXT:
        memcpy(&value->text, member, sizeof(csc_str_t));
        break;

    case CSC_BUS_DECIMAL:
        memcpy(&number, member, sizeof(uint64_t));
        csc_bus_number(number, 10, value);
        break;

    case CSC_BUS_HEX:
        memcpy(&number, member, sizeof(uint64_t));
        csc_bus_number(number, 16, value);
        break;
    }
}


/* The number without leading zeros, in lower case. */
static void
csc_bus_number(uint64_t number, unsigned base, csc_bus_value_t *value)
{
    uint64_t digit;
    unsigned char *p;

    p = value->digits + CSC_BUS_NUMBER_LEN;

    /* by a number that is known here, which is no division */

    do {
        digit = base == 16 ? number % 16 : number % 10;
        number = base == 16 ? number / 16 : number / 10;
        *--p = (unsigned char) "0123456789abcdef"[digit];
    } while (number > 0);

    value->text.data = p;
    value->text.len = (size_t) (value->digits + CSC_BUS_NUMBER_LEN - p);
}


/* 0 for a kind that there is not. */
static unsigned
csc_bus_kind_bit(csc_bus_kind_e kind)
{
    switch (kind) {
    case CSC_BUS_REQUEST:
        return CSC_BUS_IN_REQUEST;

    case CSC_BUS_REPLY:
        return CSC_BUS_IN_REPLY;

    case CSC_BUS_EVENT:
        return CSC_BUS_IN_EVENT;

    case CSC_BUS_CONTROL:
        return CSC_BUS_IN_CONTROL;

    case CSC_BUS_HEARTBEAT:
        return CSC_BUS_IN_HEARTBEAT;

    case CSC_BUS_BUNDLE:
        return CSC_BUS_IN_BUNDLE;
    }

    return 0;
}


/* Printable ASCII from a byte on, eight at a time: a header goes through here. */
static int
csc_bus_printable(csc_str_t text, unsigned first)
{
    size_t i;
    uint64_t word, wrong;

    wrong = 0;

    for (i = 0; i + sizeof(word) <= text.len; i += sizeof(word)) {
        memcpy(&word, text.data + i, sizeof(word));

        /* the top bit of a byte that is below the first, or above 0x7e */

        wrong |= (word - CSC_BUS_BYTES * first) & ~word;
        wrong |= (word + CSC_BUS_BYTES * (0x7f - 0x7e)) | word;
    }

    if (wrong & (CSC_BUS_BYTES * 0x80)) {
        return 0;
    }

    for (; i < text.len; i++) {
        if (text.data[i] < first || text.data[i] > 0x7e) {
            return 0;
        }
    }

    return 1;
}


static unsigned char *
csc_bus_put(unsigned char *p, csc_str_t text)
{
    if (text.len > 0) {
        memcpy(p, text.data, text.len);
    }

    return p + text.len;
}


int
csc_bus_decode(csc_str_t data, csc_bus_message_t *message, const char **why)
{
    size_t limit;
    csc_str_t line;
    const unsigned char *end;

    memset(message, 0, sizeof(csc_bus_message_t));

    limit = data.len < CSC_BUS_MAX_HEADER ? data.len : CSC_BUS_MAX_HEADER;

    end = limit > 0 ? memchr(data.data, '\n', limit) : NULL;
    if (end == NULL) {
        *why = data.len < CSC_BUS_MAX_HEADER ? "no line feed" : "long header";
        return CSC_ERROR;
    }

    line.data = data.data;
    line.len = (size_t) (end - data.data);

    message->body.data = end + 1;
    message->body.len = data.len - line.len - 1;

    *why = csc_bus_decode_start(&line, message);

    if (*why == NULL) {
        *why = csc_bus_decode_fields(line, message);
    }

    return *why == NULL ? CSC_OK : CSC_ERROR;
}


/* Takes version and kind off the line; what is wrong with them, or NULL. */
static const char *
csc_bus_decode_start(csc_str_t *line, csc_bus_message_t *message)
{
    if (line->len < CSC_BUS_START
        || memcmp(line->data, CSC_BUS_VERSION, CSC_BUS_START - 1) != 0)
    {
        return "unknown version";
    }

    message->kind = (csc_bus_kind_e) line->data[CSC_BUS_START - 1];

    if (csc_bus_kind_bit(message->kind) == 0) {
        return "unknown kind";
    }

    line->data += CSC_BUS_START;
    line->len -= CSC_BUS_START;

    return NULL;
}


/* Takes the fields apart; what is wrong with them, or NULL. */
static const char *
csc_bus_decode_fields(csc_str_t line, csc_bus_message_t *message)
{
    size_t i, at;
    unsigned kind;
    uint32_t seen;
    csc_str_t name, value;
    const char *why;

    if (!csc_bus_printable(line, ' ')) {
        return "malformed field";
    }

    at = CSC_BUS_FIELDS - 1;
    seen = 0;

    while (line.len > 0) {
        if (csc_bus_split(&line, &name, &value) != CSC_OK) {
            return "malformed field";
        }

        /* mostly they come in the order of the table */

        i = csc_bus_find(name, at + 1);
        if (i == CSC_BUS_FIELDS) {
            continue;
        }

        at = i;

        if (seen & (1U << at)) {
            return "field twice";
        }

        seen |= 1U << at;

        why = csc_bus_set(message, &csc_bus_fields[at], value);
        if (why != NULL) {
            return why;
        }
    }

    kind = csc_bus_kind_bit(message->kind);

    for (i = 0; i < CSC_BUS_FIELDS; i++) {
        if ((csc_bus_fields[i].required & kind) && !(seen & (1U << i))) {
            return "missing field";
        }
    }

    return NULL;
}


/* Takes " name=value" off the line; names are short, values may be long. */
static int
csc_bus_split(csc_str_t *line, csc_str_t *name, csc_str_t *value)
{
    const unsigned char *p, *end, *space;

    p = line->data;
    end = p + line->len;

    if (*p++ != ' ') {
        return CSC_ERROR;
    }

    name->data = p;

    while (p < end && *p != '=' && *p != ' ') {
        p++;
    }

    name->len = (size_t) (p - name->data);

    if (name->len == 0 || p == end || *p != '=') {
        return CSC_ERROR;
    }

    value->data = ++p;

    space = memchr(p, ' ', (size_t) (end - p));
    p = space != NULL ? space : end;

    value->len = (size_t) (p - value->data);

    line->data = p;
    line->len = (size_t) (end - p);

    return CSC_OK;
}


/*
 * The place in the table, looked for from first on and then before it;
 * CSC_BUS_FIELDS for a field that is not known.
 */
static size_t
csc_bus_find(csc_str_t name, size_t first)
{
    size_t i, n;
    const csc_str_t *known;

    for (i = first, n = 0; n < CSC_BUS_FIELDS; i++, n++) {
        if (i >= CSC_BUS_FIELDS) {
            i = 0;
        }

        known = &csc_bus_fields[i].name;

        if (known->len == name.len && known->data[0] == name.data[0]
            && memcmp(known->data, name.data, name.len) == 0)
        {
            return i;
        }
    }

    return CSC_BUS_FIELDS;
}


/* What is wrong with the value, or NULL. */
static const char *
csc_bus_set(
    csc_bus_message_t *message, const csc_bus_field_t *field, csc_str_t value)
{
    int rc;
    char *member;
    uint64_t number;

    if (value.len == 0 && field->type != CSC_BUS_KEEP) {
        return "empty value";
    }

    member = (char *) message + field->offset;

    switch (field->type) {
    case CSC_BUS_WS:
        message->ws = 1;
        return csc_str_is(value, "ws") ? NULL : "unknown form of reply";

    case CSC_BUS_KEEP:
        message->keep = value;
        message->restrict_followers = 1;
        return NULL;

    case CSC_BUS_TEXT:
        memcpy(member, &value, sizeof(csc_str_t));
        return NULL;

    case CSC_BUS_DECIMAL:
    case CSC_BUS_HEX:
        break;
    }

    rc = csc_bus_parse_number(
        value, field->type == CSC_BUS_HEX ? 16 : 10, &number);
    if (rc != CSC_OK) {
        return "malformed number";
    }

    memcpy(member, &number, sizeof(uint64_t));

    return NULL;
}


/* Just the form that csc_bus_number() writes. */
static int
csc_bus_parse_number(csc_str_t text, unsigned base, uint64_t *number)
{
    int digit;
    size_t i;
    uint64_t limit;

    if (text.len > 1 && text.data[0] == '0') {
        return CSC_ERROR;
    }

    /* a division by what is known here is none */

    limit = base == 16 ? UINT64_MAX / 16 : UINT64_MAX / 10;
    *number = 0;

    for (i = 0; i < text.len; i++) {
        digit = csc_bus_digit(text.data[i]);
        if (digit < 0 || (unsigned) digit >= base || *number > limit) {
            return CSC_ERROR;
        }

        *number *= base;

        if (*number > UINT64_MAX - (unsigned) digit) {
            return CSC_ERROR;
        }

        *number += (unsigned) digit;
    }

    return CSC_OK;
}


static int
csc_bus_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


uint32_t
csc_bus_hash(csc_str_t id)
{
    size_t i;
    uint32_t hash;

    hash = CSC_BUS_FNV_OFFSET;

    for (i = 0; i < id.len; i++) {
        hash = (hash ^ id.data[i]) * CSC_BUS_FNV_PRIME;
    }

    return hash;
}


unsigned
csc_bus_shard(csc_str_t id)
{
    return csc_bus_hash(id) % CSC_BUS_SHARDS;
}


size_t
csc_bus_request_channel(
    csc_str_t prefix, unsigned shard, char *out, size_t size)
{
    csc_bus_value_t value = { .text = CSC_STR_NULL };

    csc_bus_number(shard, 10, &value);

    return csc_bus_name(prefix, "req:", value.text, out, size);
}


size_t
csc_bus_reply_channel(
    csc_str_t prefix, csc_str_t process, char *out, size_t size)
{
    return csc_bus_name(prefix, "rep:", process, out, size);
}


size_t
csc_bus_events_channel(csc_str_t prefix, char *out, size_t size)
{
    csc_str_t none = CSC_STR_NULL;

    return csc_bus_name(prefix, "events", none, out, size);
}


size_t
csc_bus_revoked_key(csc_str_t prefix, char *out, size_t size)
{
    csc_str_t none = CSC_STR_NULL;

    return csc_bus_name(prefix, "revoked", none, out, size);
}


size_t
csc_bus_roles_key(csc_str_t prefix, char *out, size_t size)
{
    csc_str_t none = CSC_STR_NULL;

    return csc_bus_name(prefix, "roles", none, out, size);
}


size_t
csc_bus_ticket_key(csc_str_t prefix, csc_str_t hash, char *out, size_t size)
{
    return csc_bus_name(prefix, "ticket:", hash, out, size);
}


static size_t
csc_bus_name(
    csc_str_t prefix, const char *what, csc_str_t rest, char *out, size_t size)
{
    size_t len;
    csc_str_t middle;
    unsigned char *p;

    middle = csc_str(what);
    len = prefix.len + middle.len + rest.len;

    if (len >= size) {
        return 0;
    }

    p = csc_bus_put((unsigned char *) out, prefix);
    p = csc_bus_put(p, middle);
    p = csc_bus_put(p, rest);
    *p = '\0';

    return len;
}


int
csc_bus_next(csc_str_t *list, csc_str_t *element)
{
    const unsigned char *comma;

    while (list->len > 0) {
        element->data = list->data;

        comma = memchr(list->data, ',', list->len);
        element->len = comma != NULL ? (size_t) (comma - list->data)
                                     : list->len;

        list->data += element->len + (comma != NULL);
        list->len -= element->len + (comma != NULL);

        if (element->len > 0) {
            return CSC_OK;
        }
    }

    return CSC_AGAIN;
}
