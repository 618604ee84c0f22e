/*
 * Every SQL statement that the running worker sends, prepared once a session.
 * What they do stands in the functions of the schema cs_chat.
 */

#ifndef STATEMENTS_H
#define STATEMENTS_H

typedef enum {
    STATEMENT_USER_BY_NAME,
    STATEMENT_USER_BY_ID,
    STATEMENT_USER_SET_HASH,
    STATEMENT_USERS_REGISTER,
    STATEMENT_USERS_SELF,
    STATEMENT_USERS_LIST,
    STATEMENT_USERS_HIDE,
    STATEMENT_CHATS_OF_CUSTOMER,
    STATEMENT_CHATS_OF_AGENT,
    STATEMENT_CHATS_OF_ALL,
    STATEMENT_CHATS_CREATE,
    STATEMENT_CHATS_GET,
    STATEMENT_CHATS_SET_STATUS,
    STATEMENT_CHATS_UNARCHIVE,
    STATEMENT_CHATS_DELETE,
    STATEMENT_CHATS_ASSIGN,
    STATEMENT_CHATS_JOIN,
    STATEMENT_CHATS_LEAVE,
    STATEMENT_CHATS_RESUME,
    STATEMENT_CHATS_TYPING,
    STATEMENT_CHATS_READ,
    STATEMENT_MESSAGES_LIST,
    STATEMENT_MESSAGES_NEWEST, /* the same without a position */
    STATEMENT_MESSAGES_STORE,
    STATEMENT_MESSAGES_SEND,
    STATEMENT_MESSAGES_REPEAT,
    STATEMENT_AGENTS_AVAILABLE,
    STATEMENT_CUSTOMERS_AVAILABLE,
    STATEMENT_PRESENCE_APPLY,
    STATEMENT_PRESENCE_LOAD,
    STATEMENT_PRESENCE_AGAIN,
    STATEMENT_HEALTH,
    /* from here on: what keeps the shards, and changes nothing of a chat */
    STATEMENT_ROLES_CHANGED,
    STATEMENT_ROLES_ONE,
    STATEMENT_SHARDS_ENTER,
    STATEMENT_SHARDS_VIEW,
    STATEMENT_SHARDS_LOCK,
    STATEMENT_SHARDS_CLAIM,
    STATEMENT_SHARDS_MARK,
    STATEMENT_SHARDS_CLEAR,
    STATEMENT_SHARDS_UNLOCK,
    STATEMENT_SHARDS_LEAVE,
    STATEMENT_TAKEOVER_CHATS,
    STATEMENT_TAKEOVER_EVENTS,
    STATEMENT_MAX
} statement_e;

/*
 * Readers may run anywhere and again; writers run in the one session that
 * writes, in the order in which they were submitted.
 */
typedef struct {
    const char *name; /* for logs */
    const char *sql;
    int parameters;
    int writer;
    int binary; /* the result has columns of its own, in binary format */
} statement_t;

extern const statement_t statements[STATEMENT_MAX];

/* Columns of the statements that give outcomes (schema's type outcome). */
typedef enum {
    OUTCOME_ORD,
    OUTCOME_KIND,
    OUTCOME_STATUS,
    OUTCOME_CODE,
    OUTCOME_FIELD,
    OUTCOME_ERROR,
    OUTCOME_CHAT,
    OUTCOME_ID,
    OUTCOME_SEQ,
    OUTCOME_TS,
    OUTCOME_DUPLICATE,
    OUTCOME_TOPICS,
    OUTCOME_KEEP,
    OUTCOME_CLASS,
    OUTCOME_BODY,
    OUTCOME_COLUMNS
} outcome_column_e;

/*
 * Advisory locks: the first number says whose they are, the second is the
 * shard, or one of these.  43534331 is "CSC1".
 */
#define STATEMENT_LOCK_CLASS "1129530161"
#define STATEMENT_LOCK_WORKERS "64"
#define STATEMENT_LOCK_MIGRATION "65"

#endif /* STATEMENTS_H */
