/*
 * The JSON of lists, from rows of plain columns in PostgreSQL's binary format.
 * Where PostgreSQL itself writes JSON (sql/functions/20_json.sql), it writes
 * the same bytes.
 */

#ifndef VIEW_H
#define VIEW_H

#include <libpq-fe.h>

#include "buffer.h"

/* Columns of cs_chat.page_of_messages(). */
typedef enum {
    MESSAGES_MESSAGE, /* the columns of a message; NULL: a person's row */
    MESSAGES_SENDER,
    MESSAGES_SEQ = MESSAGES_MESSAGE + 7
} messages_column_e;

/* Columns of cs_chat.page_of_chats(). */
typedef enum {
    CHATS_ID, /* NULL: a person's row */
    CHATS_CUSTOMER,
    CHATS_AGENT,
    CHATS_STATUS,
    CHATS_CREATED, /* the next one, too: of a chat or of a person */
    CHATS_UPDATED,
    CHATS_LAST_SEQ,
    CHATS_READ_SEQ,
    CHATS_MESSAGE, /* the columns of a message */
    CHATS_PERSON = CHATS_MESSAGE + 7,
    CHATS_USERNAME,
    CHATS_EMAIL, /* NULL: not to be shown */
    CHATS_NAME,
    CHATS_ROLE,
    CHATS_AVATAR,
    CHATS_ONLINE
} chats_column_e;

/*
 * A page of messages of the chat with this id, or of chats, as a JSON array;
 * nothing is checked.
 */
void view_messages(buffer_t *out, csc_str_t chat, const PGresult *result);
void view_chats(buffer_t *out, const PGresult *result);

/* The role of a person of a page of chats; data NULL: they are not there. */
csc_str_t view_role(const PGresult *result, csc_str_t user);

#endif /* VIEW_H */
