#include <endian.h>
#include <string.h>

#include "../common/csc_json.h"
#include "../common/csc_uuid.h"
#include "view.h"

#define VIEW_DAY 86400000000LL  /* microseconds */
#define VIEW_DAYS_TO_2000 10957 /* since 1970 */

/* Bytes, at most, of an object without its texts and what lies within it. */
#define VIEW_MESSAGE_MAX 400
#define VIEW_CHAT_MAX 500
#define VIEW_USER_MAX 250

/*
 * What is written goes to p, where whoever calls has reserved room; each of
 * these functions gives the place behind it.
 */
#define view_literal(p, text)                                                  \
    ((unsigned char *) memcpy(p, text, sizeof(text) - 1) + sizeof(text) - 1)

/* Columns of a message, from its first one on. */
typedef enum {
    MESSAGE_ID,
    MESSAGE_SENDER,
    MESSAGE_CONTENT,
    MESSAGE_TYPE,
    MESSAGE_CREATED,
    MESSAGE_CLIENT_ID,
    MESSAGE_SENDER_JSON
} message_column_e;

/* A row of a result that begins with rows of people. */
typedef struct {
    const PGresult *result;
    int row;
    int people;
} view_row_t;

/* --- values --- */

static int
view_is_null(const view_row_t *row, int column)
{
    return PQgetisnull(row->result, row->row, column);
}

static const unsigned char *
view_value(const view_row_t *row, int column)
{
    return (unsigned char *) PQgetvalue(row->result, row->row, column);
}

static size_t
view_length(const view_row_t *row, int column)
{
    return (size_t) PQgetlength(row->result, row->row, column);
}

/* A BIGINT or TIMESTAMP; NULL is 0. */
static int64_t
view_int(const view_row_t *row, int column)
{
    uint64_t number;

    if (view_is_null(row, column)) {
        return 0;
    }

    memcpy(&number, view_value(row, column), sizeof(number));

    return (int64_t) be64toh(number);
}

static unsigned char *
view_hex(unsigned char *p, const unsigned char *bytes, int n)
{
    static const unsigned char hex[] = "0123456789abcdef";
    int i;

    for (i = 0; i < n; i++) {
        *p++ = hex[bytes[i] >> 4];
        *p++ = hex[bytes[i] & 15];
    }

    return p;
}

static unsigned char *
view_uuid(unsigned char *p, const view_row_t *row, int column)
{
    const unsigned char *value = view_value(row, column);

    if (view_is_null(row, column)) {
        return view_literal(p, "null");
    }

    *p++ = '"';
    p = view_hex(p, value, 4);
    *p++ = '-';
    p = view_hex(p, value + 4, 2);
    *p++ = '-';
    p = view_hex(p, value + 6, 2);
    *p++ = '-';
    p = view_hex(p, value + 8, 2);
    *p++ = '-';
    p = view_hex(p, value + 10, 6);
    *p++ = '"';

    return p;
}

static size_t
view_text_max(const view_row_t *row, int column)
{
    return CSC_JSON_QUOTED(view_length(row, column));
}

static unsigned char *
view_text(unsigned char *p, const view_row_t *row, int column)
{
    csc_str_t text;

    if (view_is_null(row, column)) {
        return view_literal(p, "null");
    }

    text.data = view_value(row, column);
    text.len = view_length(row, column);

    return p + csc_json_quote(text, p);
}

static unsigned char *
view_bool(unsigned char *p, int value)
{
    return value ? view_literal(p, "true") : view_literal(p, "false");
}

/* Two digits. */
static unsigned char *
view_pair(unsigned char *p, unsigned number)
{
    p[0] = (unsigned char) ('0' + number / 10);
    p[1] = (unsigned char) ('0' + number % 10);

    return p + 2;
}

/*
 * A time as the API writes it.  One that is unknown, infinite or of no year
 * with four digits, which only a foreign database may hold, is the epoch.
 */
static unsigned char *
view_time(unsigned char *p, const view_row_t *row, int column)
{
    int64_t time = view_int(row, column), days, era, day, year;
    unsigned month, seconds, micros;

    /* the years 1 to 9999 */
    if (view_is_null(row, column) || time < -730119 * VIEW_DAY
        || time >= 2921940 * VIEW_DAY)
    {
        time = -VIEW_DAYS_TO_2000 * VIEW_DAY;
    }

    days = (time + 730119 * VIEW_DAY) / VIEW_DAY; /* since 0001-01-01 */
    time -= (days - 730119) * VIEW_DAY;
    seconds = (unsigned) (time / 1000000);
    micros = (unsigned) (time % 1000000);

    /* of years that begin with March, from that of the year 0 on */
    days += 306;
    era = days / 146097;
    day = days % 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (unsigned) ((5 * day + 2) / 153);
    day -= (153 * month + 2) / 5;
    year += 400 * era + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;

    *p++ = '"';
    p = view_pair(p, (unsigned) year / 100);
    p = view_pair(p, (unsigned) year % 100);
    *p++ = '-';
    p = view_pair(p, month);
    *p++ = '-';
    p = view_pair(p, (unsigned) day + 1);
    *p++ = 'T';
    p = view_pair(p, seconds / 3600);
    *p++ = ':';
    p = view_pair(p, seconds / 60 % 60);
    *p++ = ':';
    p = view_pair(p, seconds % 60);
    *p++ = '.';
    p = view_pair(p, micros / 10000);
    p = view_pair(p, micros / 100 % 100);
    p = view_pair(p, micros % 100);
    *p++ = 'Z';
    *p++ = '"';

    return p;
}

/* JSON that PostgreSQL made. */
static unsigned char *
view_json(unsigned char *p, const view_row_t *row, int column)
{
    size_t len = view_length(row, column);

    memcpy(p, view_value(row, column), len);

    return p + len;
}

/* Whether two columns hold the same id; not NULL. */
static int
view_same(const view_row_t *a, int column_a, const view_row_t *b, int column_b)
{
    return memcmp(
               view_value(a, column_a), view_value(b, column_b), CSC_UUID_BYTES)
           == 0;
}

/* --- messages --- */

/* Of a message without its sender's object. */
static size_t
view_message_max(const view_row_t *row, int message)
{
    return VIEW_MESSAGE_MAX + view_text_max(row, message + MESSAGE_CONTENT)
           + view_text_max(row, message + MESSAGE_TYPE)
           + view_text_max(row, message + MESSAGE_CLIENT_ID);
}

/* A message, up to its sender. */
static unsigned char *
view_message(unsigned char *p, const view_row_t *row, csc_str_t chat,
    int message, int seq)
{
    p = view_literal(p, "{\"id\":");
    p = view_uuid(p, row, message + MESSAGE_ID);
    p = view_literal(p, ",\"chatId\":\"");
    memcpy(p, chat.data, chat.len);
    p += chat.len;
    p = view_literal(p, "\",\"senderId\":");
    p = view_uuid(p, row, message + MESSAGE_SENDER);
    p = view_literal(p, ",\"content\":");
    p = view_text(p, row, message + MESSAGE_CONTENT);
    p = view_literal(p, ",\"type\":");
    p = view_is_null(row, message + MESSAGE_TYPE)
            ? view_literal(p, "\"text\"")
            : view_text(p, row, message + MESSAGE_TYPE);
    p = view_literal(p, ",\"timestamp\":");
    p = view_time(p, row, message + MESSAGE_CREATED);
    p = view_literal(p, ",\"seq\":");
    p = buffer_digits(p, (uint64_t) view_int(row, seq));
    if (!view_is_null(row, message + MESSAGE_CLIENT_ID)) {
        p = view_literal(p, ",\"clientId\":");
        p = view_text(p, row, message + MESSAGE_CLIENT_ID);
    }

    return view_literal(p, ",\"sender\":");
}

/* The row with the object of a message's sender: its own, or a person's. */
static view_row_t
view_message_sender(const view_row_t *row)
{
    view_row_t sender = *row;

    if (!view_is_null(row, MESSAGES_MESSAGE + MESSAGE_SENDER_JSON)) {
        return sender;
    }

    for (sender.row = row->people - 1; sender.row > 0; sender.row--) {
        if (view_same(&sender, MESSAGES_MESSAGE + MESSAGE_SENDER, row,
                MESSAGES_MESSAGE + MESSAGE_SENDER))
        {
            break;
        }
    }

    return sender;
}

static int
view_people(const PGresult *result, int id)
{
    int people = 0;

    while (people < PQntuples(result) && PQgetisnull(result, people, id)) {
        people++;
    }

    return people;
}

void
view_messages(buffer_t *out, csc_str_t chat, const PGresult *result)
{
    view_row_t row = { result, 0, view_people(result, MESSAGES_MESSAGE) };
    view_row_t sender;
    unsigned char *p;

    buffer_append(out, "[", 1);

    for (row.row = row.people; row.row < PQntuples(result); row.row++) {
        sender = view_message_sender(&row);
        p = buffer_reserve(out,
            view_message_max(&row, MESSAGES_MESSAGE)
                + view_length(&sender, MESSAGES_MESSAGE + MESSAGE_SENDER_JSON));
        if (p == NULL) {
            return;
        }

        if (row.row > row.people) {
            *p++ = ',';
        }
        p = view_message(p, &row, chat, MESSAGES_MESSAGE, MESSAGES_SEQ);
        p = view_json(p, &sender, MESSAGES_MESSAGE + MESSAGE_SENDER_JSON);
        *p++ = '}';
        out->used = (size_t) (p - out->data);
    }

    buffer_append(out, "]", 1);
}

/* --- people --- */

/* The row of a person, among people in the order of their ids; or -1. */
static int
view_find(
    const PGresult *result, int people, const unsigned char id[CSC_UUID_BYTES])
{
    int low = 0, high = people - 1, middle, order;

    while (low <= high) {
        middle = (low + high) / 2;
        order = memcmp(
            PQgetvalue(result, middle, CHATS_PERSON), id, CSC_UUID_BYTES);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle - 1;
        }
    }

    return -1;
}

/* The person whose id is in a column; row -1: there is none. */
static view_row_t
view_person(const view_row_t *row, int column)
{
    view_row_t person = *row;

    person.row = view_is_null(row, column) ? -1
                                           : view_find(row->result, row->people,
                                               view_value(row, column));

    return person;
}

static size_t
view_user_max(const view_row_t *person)
{
    if (person->row < 0) {
        return VIEW_USER_MAX;
    }

    return VIEW_USER_MAX + view_text_max(person, CHATS_USERNAME)
           + view_text_max(person, CHATS_EMAIL)
           + view_text_max(person, CHATS_NAME)
           + view_text_max(person, CHATS_ROLE)
           + view_text_max(person, CHATS_AVATAR);
}

/* Where in the list a person was written last; row -1: nowhere. */
typedef struct {
    int row;
    size_t at;
    size_t len;
} view_written_t;

/* The person as the sender of a message, or with all that lists show. */
static unsigned char *
view_user(unsigned char *p, const view_row_t *person, int all)
{
    if (person->row < 0) {
        return view_literal(p, "null");
    }

    p = view_literal(p, "{\"id\":");
    p = view_uuid(p, person, CHATS_PERSON);
    if (all) {
        p = view_literal(p, ",\"username\":");
        p = view_text(p, person, CHATS_USERNAME);
    }
    if (all && !view_is_null(person, CHATS_EMAIL)) {
        p = view_literal(p, ",\"email\":");
        p = view_text(p, person, CHATS_EMAIL);
    }
    p = view_literal(p, ",\"name\":");
    p = view_text(p, person, CHATS_NAME);
    p = view_literal(p, ",\"role\":");
    p = view_text(p, person, CHATS_ROLE);
    p = view_literal(p, ",\"avatar\":");
    p = view_text(p, person, CHATS_AVATAR);
    if (all) {
        p = view_literal(p, ",\"isOnline\":");
        p = view_bool(p, *view_value(person, CHATS_ONLINE));
        p = view_literal(p, ",\"createdAt\":");
        p = view_time(p, person, CHATS_CREATED);
        p = view_literal(p, ",\"updatedAt\":");
        p = view_time(p, person, CHATS_UPDATED);
    }

    return view_literal(p, "}");
}

/*
 * The person with all that lists show.  Of one chat and the next, one side is
 * most often the same person.
 */
static unsigned char *
view_user_again(unsigned char *p, const buffer_t *out, const view_row_t *person,
    view_written_t *last)
{
    unsigned char *start = p;

    if (person->row >= 0 && person->row == last->row) {
        memcpy(p, out->data + last->at, last->len);
        return p + last->len;
    }

    p = view_user(p, person, 1);

    last->row = person->row;
    last->at = (size_t) (start - out->data);
    last->len = (size_t) (p - start);

    return p;
}

/* --- chats --- */

/* The two sides of a chat. */
typedef struct {
    view_row_t customer;
    view_row_t agent;
    view_written_t last_customer;
    view_written_t last_agent;
} view_sides_t;

static unsigned char *
view_last_message(unsigned char *p, const view_row_t *row, csc_str_t chat,
    const view_sides_t *sides)
{
    if (view_is_null(row, CHATS_MESSAGE + MESSAGE_ID)) {
        return view_literal(p, "null");
    }

    p = view_message(p, row, chat, CHATS_MESSAGE, CHATS_LAST_SEQ);

    if (!view_is_null(row, CHATS_MESSAGE + MESSAGE_SENDER_JSON)) {
        p = view_json(p, row, CHATS_MESSAGE + MESSAGE_SENDER_JSON);
    } else if (view_same(
                   row, CHATS_MESSAGE + MESSAGE_SENDER, row, CHATS_CUSTOMER)) {
        p = view_user(p, &sides->customer, 0);
    } else {
        p = view_user(p, &sides->agent, 0);
    }

    return view_literal(p, "}");
}

static size_t
view_chat_max(const view_row_t *row, const view_sides_t *sides)
{
    /* the last message's sender is one of them, or has an object of its own */
    return VIEW_CHAT_MAX + view_text_max(row, CHATS_STATUS)
           + 2 * view_user_max(&sides->customer)
           + 2 * view_user_max(&sides->agent)
           + view_message_max(row, CHATS_MESSAGE)
           + view_length(row, CHATS_MESSAGE + MESSAGE_SENDER_JSON);
}

static unsigned char *
view_chat(unsigned char *p, const buffer_t *out, const view_row_t *row,
    view_sides_t *sides)
{
    int64_t last = view_int(row, CHATS_LAST_SEQ);
    int64_t read = view_int(row, CHATS_READ_SEQ);
    csc_str_t chat = { CSC_UUID_LEN, NULL };

    p = view_literal(p, "{\"id\":");
    chat.data = p + 1;
    p = view_uuid(p, row, CHATS_ID);
    p = view_literal(p, ",\"customerId\":");
    p = view_uuid(p, row, CHATS_CUSTOMER);
    p = view_literal(p, ",\"agentId\":");
    p = view_uuid(p, row, CHATS_AGENT);
    p = view_literal(p, ",\"status\":");
    p = view_text(p, row, CHATS_STATUS);
    p = view_literal(p, ",\"isActive\":");
    p = view_bool(
        p, strcmp((const char *) view_value(row, CHATS_STATUS), "active") == 0);
    p = view_literal(p, ",\"createdAt\":");
    p = view_time(p, row, CHATS_CREATED);
    p = view_literal(p, ",\"updatedAt\":");
    p = view_time(p, row, CHATS_UPDATED);
    p = view_literal(p, ",\"lastSeq\":");
    p = buffer_digits(p, (uint64_t) last);
    p = view_literal(p, ",\"unreadCount\":");
    p = buffer_digits(p, last > read ? (uint64_t) (last - read) : 0);
    p = view_literal(p, ",\"customer\":");
    p = view_user_again(p, out, &sides->customer, &sides->last_customer);
    p = view_literal(p, ",\"agent\":");
    p = view_user_again(p, out, &sides->agent, &sides->last_agent);
    p = view_literal(p, ",\"lastMessage\":");
    p = view_last_message(p, row, chat, sides);

    return view_literal(p, "}");
}

void
view_chats(buffer_t *out, const PGresult *result)
{
    view_row_t row = { result, 0, view_people(result, CHATS_ID) };
    view_sides_t sides;
    unsigned char *p;

    sides.last_customer.row = -1;
    sides.last_agent.row = -1;

    buffer_append(out, "[", 1);

    for (row.row = row.people; row.row < PQntuples(result); row.row++) {
        sides.customer = view_person(&row, CHATS_CUSTOMER);
        sides.agent = view_person(&row, CHATS_AGENT);
        p = buffer_reserve(out, view_chat_max(&row, &sides));
        if (p == NULL) {
            return;
        }

        if (row.row > row.people) {
            *p++ = ',';
        }
        p = view_chat(p, out, &row, &sides);
        out->used = (size_t) (p - out->data);
    }

    buffer_append(out, "]", 1);
}

csc_str_t
view_role(const PGresult *result, csc_str_t user)
{
    unsigned char id[CSC_UUID_BYTES];
    csc_str_t role = CSC_STR_NULL;
    int row = -1;

    if (csc_uuid_bytes(user, id) == CSC_OK) {
        row = view_find(result, view_people(result, CHATS_ID), id);
    }

    if (row >= 0) {
        role.data = (unsigned char *) PQgetvalue(result, row, CHATS_ROLE);
        role.len = (size_t) PQgetlength(result, row, CHATS_ROLE);
    }

    return role;
}
