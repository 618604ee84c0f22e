#include "statements.h"

#define OUTCOME                                                                \
    "SELECT ord, kind, status, code, field, error, chat, id, seq, ts,"         \
    " duplicate, topics, keep, class, body FROM cs_chat."

#define USER "SELECT id, username, role, password_hash, body FROM cs_chat."

/* The role as a literal: the planner leaves out what is for others. */
#define CHATS(name, role)                                                      \
    {                                                                          \
        name,                                                                  \
            "SELECT * FROM cs_chat.page_of_chats('" role "', $1::uuid,"        \
            " $2::text, $3::int, $4::int)",                                    \
            4, 0, 1                                                            \
    }

const statement_t statements[STATEMENT_MAX] = {
    [STATEMENT_USER_BY_NAME] = { "user_by_name", USER "user_by_name($1::text)",
        1, 0 },
    [STATEMENT_USER_BY_ID] = { "user_by_id", USER "user_by_id($1::uuid)", 1,
        0 },
    [STATEMENT_USER_SET_HASH] = { "user_set_hash",
        "SELECT cs_chat.user_set_hash($1::uuid, $2::text, $3::text)", 3, 1 },
    [STATEMENT_USERS_REGISTER] = { "users_register",
        OUTCOME "users_register($1::uuid, $2::text, $3::text, $4::text,"
                " $5::text, $6::text)",
        6, 1 },
    [STATEMENT_USERS_SELF] = { "users_self", OUTCOME "users_self($1::uuid[])",
        1, 0 },
    [STATEMENT_USERS_LIST] = { "users_list",
        OUTCOME "users_list($1::uuid, $2::text, $3::bool, $4::int, $5::int)", 5,
        0 },
    [STATEMENT_USERS_HIDE] = { "users_hide",
        OUTCOME "users_hide($1::uuid, $2::bool, $3::bool, $4::bool)", 4, 1 },
    [STATEMENT_CHATS_OF_CUSTOMER] = CHATS("chats_of_customer", "customer"),
    [STATEMENT_CHATS_OF_AGENT] = CHATS("chats_of_agent", "agent"),
    [STATEMENT_CHATS_OF_ALL] = CHATS("chats_of_all", "super-agent"),
    [STATEMENT_CHATS_CREATE] = { "chats_create",
        OUTCOME "chats_create($1::uuid, $2::uuid, $3::uuid, $4::uuid)", 4, 1 },
    [STATEMENT_CHATS_GET] = { "chats_get",
        OUTCOME "chats_get($1::uuid, $2::uuid)", 2, 0 },
    [STATEMENT_CHATS_SET_STATUS] = { "chats_set_status",
        OUTCOME "chats_set_status($1::uuid, $2::uuid, $3::text)", 3, 1 },
    [STATEMENT_CHATS_UNARCHIVE] = { "chats_unarchive",
        OUTCOME "chats_unarchive($1::uuid, $2::uuid)", 2, 1 },
    [STATEMENT_CHATS_DELETE] = { "chats_delete",
        OUTCOME "chats_delete($1::uuid, $2::uuid)", 2, 1 },
    [STATEMENT_CHATS_ASSIGN] = { "chats_assign",
        OUTCOME "chats_assign($1::uuid, $2::uuid, $3::uuid, $4::uuid)", 4, 1 },
    /* in the session that writes, so that its snapshot has just what was
       published before its reply */
    [STATEMENT_CHATS_JOIN] = { "chats_join",
        OUTCOME "chats_join($1::uuid, $2::uuid, $3::bigint)", 3, 1 },
    [STATEMENT_CHATS_RESUME] = { "chats_resume",
        OUTCOME "chats_resume($1::uuid, $2::uuid, $3::bigint)", 3, 1 },
    /* the same: it is for those who see the chat at its place among the events */
    [STATEMENT_CHATS_TYPING] = { "chats_typing",
        OUTCOME "chats_typing($1::uuid, $2::uuid, $3::bool)", 3, 1 },
    [STATEMENT_CHATS_READ] = { "chats_read",
        OUTCOME "chats_read($1::uuid[], $2::uuid[], $3::bigint[])", 3, 1 },
    [STATEMENT_CHATS_LEAVE] = { "chats_leave",
        OUTCOME "chats_leave($1::uuid, $2::uuid)", 2, 0 },
    [STATEMENT_MESSAGES_LIST] = { "messages_list",
        "SELECT * FROM cs_chat.page_of_messages($1::uuid, $2::uuid, $3::int,"
        " $4::int, $5::bigint, $6::timestamptz, $7::bigint)",
        7, 0, 1 },
    [STATEMENT_MESSAGES_NEWEST] = { "messages_newest",
        "SELECT * FROM cs_chat.page_of_messages($1::uuid, $2::uuid, $3::int,"
        " NULL, NULL, NULL, NULL)",
        3, 0, 1 },
    [STATEMENT_MESSAGES_STORE] = { "messages_store",
        "SELECT place, seq, ts, customer, agent, name, role, avatar,"
        " other_name, other_role, other_avatar FROM cs_chat.messages_store("
        "$1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::int[],"
        " $6::uuid[], $7::int[], $8::bool[], $9::text[], $10::text[],"
        " $11::text[])",
        11, 1 },
    [STATEMENT_MESSAGES_SEND] = { "messages_send",
        OUTCOME "messages_send($1::uuid[], $2::uuid[], $3::uuid[],"
                " $4::text[], $5::text[], $6::text[])",
        6, 1 },
    /* in the session that writes: not older than what was published */
    [STATEMENT_MESSAGES_REPEAT] = { "messages_repeat",
        OUTCOME "messages_repeat($1::uuid, $2::bigint)", 2, 1 },
    [STATEMENT_AGENTS_AVAILABLE] = { "agents_available",
        OUTCOME "agents_available($1::uuid)", 1, 0 },
    [STATEMENT_CUSTOMERS_AVAILABLE] = { "customers_available",
        OUTCOME "customers_available($1::uuid)", 1, 0 },
    [STATEMENT_PRESENCE_APPLY] = { "presence_apply",
        OUTCOME "presence_apply($1::uuid[], $2::bool[], $3::bool[],"
                " $4::text[])",
        4, 1 },
    [STATEMENT_PRESENCE_LOAD] = { "presence_load",
        "SELECT id, hidden, online, again"
        " FROM cs_chat.presence_load($1::int[])",
        1, 1 },
    [STATEMENT_PRESENCE_AGAIN] = { "presence_again",
        OUTCOME "presence_again($1::uuid[])", 1, 1 },
    [STATEMENT_ROLES_CHANGED] = { "roles_changed",
        "SELECT id, role FROM cs_chat.roles_changed()", 0, 1 },
    [STATEMENT_ROLES_ONE] = { "roles_one",
        "SELECT id, role FROM public.users WHERE id = $1::uuid", 1, 1 },
    [STATEMENT_HEALTH] = { "health", "SELECT cs_chat.health()", 0, 0 },

    [STATEMENT_SHARDS_ENTER] = { "shards_enter",
        "SELECT pg_advisory_lock_shared(" STATEMENT_LOCK_CLASS
        ", " STATEMENT_LOCK_WORKERS ")",
        0, 1 },
    [STATEMENT_SHARDS_VIEW] = { "shards_view",
        "SELECT objid::int, pid < pg_backend_pid(), cs_chat.utc_now()"
        " FROM pg_locks"
        " WHERE locktype = 'advisory' AND granted AND objsubid = 2"
        " AND classid = " STATEMENT_LOCK_CLASS
        " AND objid <= " STATEMENT_LOCK_WORKERS " AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        0, 1 },
    [STATEMENT_SHARDS_LOCK] = { "shards_lock",
        "SELECT s FROM unnest($1::int[]) AS s"
        " WHERE pg_try_advisory_lock(" STATEMENT_LOCK_CLASS ", s)",
        1, 1 },
    /* a statement of its own: it sees all that was there when the lock was
       free to be taken */
    [STATEMENT_SHARDS_CLAIM] = { "shards_claim",
        "SELECT shard, since, first, until"
        " FROM cs_chat.shards_claim($1::int[], $2::text)",
        2, 1 },
    [STATEMENT_SHARDS_MARK] = { "shards_mark",
        "SELECT cs_chat.shards_mark($1::int[], $2::text, $3::timestamp)", 3,
        1 },
    [STATEMENT_SHARDS_CLEAR] = { "shards_clear",
        "SELECT cs_chat.shards_clear($1::int[], $2::text)", 2, 1 },
    [STATEMENT_SHARDS_UNLOCK] = { "shards_unlock",
        "SELECT s FROM unnest($1::int[]) AS s"
        " WHERE pg_advisory_unlock(" STATEMENT_LOCK_CLASS ", s)",
        1, 1 },
    [STATEMENT_SHARDS_LEAVE] = { "shards_leave",
        "SELECT pg_advisory_unlock_shared(" STATEMENT_LOCK_CLASS
        ", " STATEMENT_LOCK_WORKERS ")",
        0, 1 },
    [STATEMENT_TAKEOVER_CHATS] = { "takeover_chats",
        "SELECT id, changed, created FROM cs_chat.takeover_chats("
        "$1::timestamp, $2::timestamp, $3::timestamp, $4::uuid, $5::int)",
        5, 1 },
    [STATEMENT_TAKEOVER_EVENTS] = { "takeover_events",
        OUTCOME "takeover_events($1::uuid[], $2::timestamp[], $3::bool[],"
                " $4::uuid, $5::bigint, $6::int)",
        6, 1 },
};
