/*
 * The JSON of lists, from rows of plain columns in PostgreSQL's binary format.
 * Where PostgreSQL itself writes JSON (sql/functions/20_json.sql), it writes
 * the same bytes.
 */

#ifndef VIEW_H
#define VIEW_H

#include <libpq-fe.h>

#include "buffer.h"

/* Columns of cs_chat.messages_page(). */
typedef enum {
    MESSAGES_CHAT,
    MESSAGES_MESSAGE, /* the columns of a message */
    MESSAGES_SEQ = MESSAGES_MESSAGE + 7
} messages_column_e;

/* Columns of cs_chat.chats_page(). */
typedef enum {
    CHATS_VIEWER_ROLE,
    CHATS_ID,
    CHATS_CUSTOMER,
    CHATS_AGENT,
    CHATS_STATUS,
    CHATS_CREATED,
    CHATS_UPDATED,
    CHATS_LAST_SEQ,
    CHATS_READ_SEQ,
    CHATS_CUSTOMER_USER,                        /* the columns of a user */
    CHATS_AGENT_USER = CHATS_CUSTOMER_USER + 8, /* the same */
    CHATS_MESSAGE = CHATS_AGENT_USER + 8        /* those of a message */
} chats_column_e;

/* A page of messages, or of chats, as a JSON array; nothing is checked. */
void view_messages(buffer_t *out, const PGresult *result);
void view_chats(buffer_t *out, const PGresult *result);

#endif /* VIEW_H */
