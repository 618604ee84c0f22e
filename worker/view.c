#include <stdio.h>
#include <string.h>

#include "../common/csc_uuid.h"
#include "view.h"

#define VIEW_DAY 86400000000LL  /* microseconds */
#define VIEW_DAYS_TO_2000 10957 /* since 1970 */
#define VIEW_TIME_LEN 29        /* with its quotes */

#define view_literal(out, text) buffer_append(out, text, sizeof(text) - 1)

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

/* Columns of a user; the id stands elsewhere. */
typedef enum {
    USER_USERNAME,
    USER_EMAIL, /* NULL: not to be shown */
    USER_NAME,
    USER_ROLE,
    USER_AVATAR,
    USER_ONLINE,
    USER_CREATED,
    USER_UPDATED
} user_column_e;

typedef struct {
    const PGresult *result;
    int row;
} view_row_t;

/* --- values --- */

static int
view_is_null(const view_row_t *row, int column)
{
    return PQgetisnull(row->result, row->row, column);
}

static int
view_same(const view_row_t *row, int a, int b)
{
    return memcmp(PQgetvalue(row->result, row->row, a),
               PQgetvalue(row->result, row->row, b), 16)
           == 0;
}

/* A BIGINT or TIMESTAMP; NULL is 0. */
static int64_t
view_int(const view_row_t *row, int column)
{
    const char *value = PQgetvalue(row->result, row->row, column);
    uint64_t number = 0;
    int i;

    for (i = 0; i < 8 && !view_is_null(row, column); i++) {
        number = number << 8 | (unsigned char) value[i];
    }

    return (int64_t) number;
}

static void
view_number(buffer_t *out, int64_t number)
{
    char text[24];

    buffer_append(out, text,
        (size_t) snprintf(text, sizeof(text), "%lld", (long long) number));
}

/* Not NULL. */
static void
view_uuid(buffer_t *out, const view_row_t *row, int column)
{
    static const char hex[] = "0123456789abcdef";
    const char *value = PQgetvalue(row->result, row->row, column);
    unsigned char *p = buffer_reserve(out, CSC_UUID_LEN + 2);
    int i;

    if (p == NULL) {
        return;
    }

    *p++ = '"';
    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }
        *p++ = (unsigned char) hex[(unsigned char) value[i] >> 4];
        *p++ = (unsigned char) hex[value[i] & 15];
    }
    *p++ = '"';

    out->used = (size_t) (p - out->data);
}

static void
view_text(buffer_t *out, const view_row_t *row, int column)
{
    csc_str_t text = CSC_STR_NULL;

    if (!view_is_null(row, column)) {
        text.data = (unsigned char *) PQgetvalue(row->result, row->row, column);
        text.len = (size_t) PQgetlength(row->result, row->row, column);
    }

    buffer_append_json(out, text);
}

static unsigned char *
view_digits(unsigned char *p, unsigned number, int digits)
{
    int i;

    for (i = digits; i > 0; i--) {
        p[i - 1] = (unsigned char) ('0' + number % 10);
        number /= 10;
    }

    return p + digits;
}

/*
 * A time as the API writes it.  One that is unknown, infinite or of no year
 * with four digits, which only a foreign database may hold, is the epoch.
 */
static void
view_time(buffer_t *out, const view_row_t *row, int column)
{
    int64_t time = view_int(row, column), days, era, day, year;
    unsigned char *p = buffer_reserve(out, VIEW_TIME_LEN);
    unsigned month;

    if (p == NULL) {
        return;
    }

    /* the years 1 to 9999 */
    if (view_is_null(row, column) || time < -730119 * VIEW_DAY
        || time >= 2921940 * VIEW_DAY)
    {
        time = -VIEW_DAYS_TO_2000 * VIEW_DAY;
    }

    days = (time + 730119 * VIEW_DAY) / VIEW_DAY; /* since 0001-01-01 */
    time -= (days - 730119) * VIEW_DAY;

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
    p = view_digits(p, (unsigned) year, 4);
    *p++ = '-';
    p = view_digits(p, month, 2);
    *p++ = '-';
    p = view_digits(p, (unsigned) day + 1, 2);
    *p++ = 'T';
    p = view_digits(p, (unsigned) (time / 3600000000LL), 2);
    *p++ = ':';
    p = view_digits(p, (unsigned) (time / 60000000 % 60), 2);
    *p++ = ':';
    p = view_digits(p, (unsigned) (time / 1000000 % 60), 2);
    *p++ = '.';
    p = view_digits(p, (unsigned) (time % 1000000), 6);
    *p++ = 'Z';
    *p++ = '"';

    out->used = (size_t) (p - out->data);
}

/* JSON that PostgreSQL made. */
static void
view_json(buffer_t *out, const view_row_t *row, int column)
{
    buffer_append(out, PQgetvalue(row->result, row->row, column),
        (size_t) PQgetlength(row->result, row->row, column));
}

/* --- objects --- */

static void
view_sender(buffer_t *out, const view_row_t *row, int id, int user)
{
    view_literal(out, "{\"id\":");
    view_uuid(out, row, id);
    view_literal(out, ",\"name\":");
    view_text(out, row, user + USER_NAME);
    view_literal(out, ",\"role\":");
    view_text(out, row, user + USER_ROLE);
    view_literal(out, ",\"avatar\":");
    view_text(out, row, user + USER_AVATAR);
    view_literal(out, "}");
}

static void
view_user(buffer_t *out, const view_row_t *row, int id, int user)
{
    view_literal(out, "{\"id\":");
    view_uuid(out, row, id);
    view_literal(out, ",\"username\":");
    view_text(out, row, user + USER_USERNAME);
    if (!view_is_null(row, user + USER_EMAIL)) {
        view_literal(out, ",\"email\":");
        view_text(out, row, user + USER_EMAIL);
    }
    view_literal(out, ",\"name\":");
    view_text(out, row, user + USER_NAME);
    view_literal(out, ",\"role\":");
    view_text(out, row, user + USER_ROLE);
    view_literal(out, ",\"avatar\":");
    view_text(out, row, user + USER_AVATAR);
    view_literal(out, ",\"isOnline\":");
    if (*PQgetvalue(row->result, row->row, user + USER_ONLINE)) {
        view_literal(out, "true");
    } else {
        view_literal(out, "false");
    }
    view_literal(out, ",\"createdAt\":");
    view_time(out, row, user + USER_CREATED);
    view_literal(out, ",\"updatedAt\":");
    view_time(out, row, user + USER_UPDATED);
    view_literal(out, "}");
}

/* A message, up to its sender. */
static void
view_message(
    buffer_t *out, const view_row_t *row, int chat, int message, int seq)
{
    view_literal(out, "{\"id\":");
    view_uuid(out, row, message + MESSAGE_ID);
    view_literal(out, ",\"chatId\":");
    view_uuid(out, row, chat);
    view_literal(out, ",\"senderId\":");
    view_uuid(out, row, message + MESSAGE_SENDER);
    view_literal(out, ",\"content\":");
    view_text(out, row, message + MESSAGE_CONTENT);
    view_literal(out, ",\"type\":");
    view_text(out, row, message + MESSAGE_TYPE);
    view_literal(out, ",\"timestamp\":");
    view_time(out, row, message + MESSAGE_CREATED);
    view_literal(out, ",\"seq\":");
    view_number(out, view_int(row, seq));
    if (!view_is_null(row, message + MESSAGE_CLIENT_ID)) {
        view_literal(out, ",\"clientId\":");
        view_text(out, row, message + MESSAGE_CLIENT_ID);
    }
    view_literal(out, ",\"sender\":");
}

static void
view_last_message(buffer_t *out, const view_row_t *row)
{
    if (view_is_null(row, CHATS_MESSAGE + MESSAGE_ID)) {
        view_literal(out, "null");
        return;
    }

    view_message(out, row, CHATS_ID, CHATS_MESSAGE, CHATS_LAST_SEQ);

    if (!view_is_null(row, CHATS_MESSAGE + MESSAGE_SENDER_JSON)) {
        view_json(out, row, CHATS_MESSAGE + MESSAGE_SENDER_JSON);
    } else if (view_same(row, CHATS_MESSAGE + MESSAGE_SENDER, CHATS_CUSTOMER)) {
        view_sender(out, row, CHATS_CUSTOMER, CHATS_CUSTOMER_USER);
    } else {
        view_sender(out, row, CHATS_AGENT, CHATS_AGENT_USER);
    }

    view_literal(out, "}");
}

static void
view_chat(buffer_t *out, const view_row_t *row)
{
    int64_t last = view_int(row, CHATS_LAST_SEQ);
    int64_t read = view_int(row, CHATS_READ_SEQ);
    int active =
        strcmp(PQgetvalue(row->result, row->row, CHATS_STATUS), "active") == 0;

    view_literal(out, "{\"id\":");
    view_uuid(out, row, CHATS_ID);
    view_literal(out, ",\"customerId\":");
    view_uuid(out, row, CHATS_CUSTOMER);
    view_literal(out, ",\"agentId\":");
    if (view_is_null(row, CHATS_AGENT)) {
        view_literal(out, "null");
    } else {
        view_uuid(out, row, CHATS_AGENT);
    }
    view_literal(out, ",\"status\":");
    view_text(out, row, CHATS_STATUS);
    if (active) {
        view_literal(out, ",\"isActive\":true,\"createdAt\":");
    } else {
        view_literal(out, ",\"isActive\":false,\"createdAt\":");
    }
    view_time(out, row, CHATS_CREATED);
    view_literal(out, ",\"updatedAt\":");
    view_time(out, row, CHATS_UPDATED);
    view_literal(out, ",\"lastSeq\":");
    view_number(out, last);
    view_literal(out, ",\"unreadCount\":");
    view_number(out, last > read ? last - read : 0);
    view_literal(out, ",\"customer\":");
    view_user(out, row, CHATS_CUSTOMER, CHATS_CUSTOMER_USER);
    view_literal(out, ",\"agent\":");
    if (view_is_null(row, CHATS_AGENT)) {
        view_literal(out, "null");
    } else {
        view_user(out, row, CHATS_AGENT, CHATS_AGENT_USER);
    }
    view_literal(out, ",\"lastMessage\":");
    view_last_message(out, row);
    view_literal(out, "}");
}

/* --- lists --- */

void
view_messages(buffer_t *out, const PGresult *result)
{
    view_row_t row = { result, 0 };

    view_literal(out, "[");
    for (; row.row < PQntuples(result); row.row++) {
        if (view_is_null(&row, MESSAGES_MESSAGE + MESSAGE_ID)) {
            continue;
        }
        if (row.row > 0) {
            view_literal(out, ",");
        }
        view_message(out, &row, MESSAGES_CHAT, MESSAGES_MESSAGE, MESSAGES_SEQ);
        view_json(out, &row, MESSAGES_MESSAGE + MESSAGE_SENDER_JSON);
        view_literal(out, "}");
    }
    view_literal(out, "]");
}

void
view_chats(buffer_t *out, const PGresult *result)
{
    view_row_t row = { result, 0 };

    view_literal(out, "[");
    for (; row.row < PQntuples(result); row.row++) {
        if (view_is_null(&row, CHATS_ID)) {
            continue;
        }
        if (row.row > 0) {
            view_literal(out, ",");
        }
        view_chat(out, &row);
    }
    view_literal(out, "]");
}
