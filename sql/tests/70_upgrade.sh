#!/bin/bash
#
# A database of the product's first server is taken over as it is, also when
# the upgrade is interrupted half-way.

set -euo pipefail

run=(psql -XqAt -v ON_ERROR_STOP=1)
apply=$SQL_TESTS/apply.sh

"${run[@]}" -f "$SQL_TESTS/support/first_server.sql"
bash "$apply" 1 3

# Cut off after a few batches, which stay; a failed build leaves an index of
# the name that is needed.
"${run[@]}" -c "
    CREATE FUNCTION stop_midway() RETURNS trigger LANGUAGE plpgsql AS \$\$
    BEGIN
        IF (SELECT count(*) FROM public.chats WHERE last_seq > 0) > 1200 THEN
            RAISE 'stopped';
        END IF;
        RETURN NULL;
    END \$\$;
    CREATE TRIGGER stop_midway BEFORE UPDATE ON messages
        FOR EACH STATEMENT EXECUTE FUNCTION stop_midway();"
if bash "$apply" 4 4 2>/dev/null; then
    echo 'not ok - the backfill was to be stopped'
fi
"${run[@]}" -c "DROP FUNCTION stop_midway CASCADE" \
    -c "CREATE INDEX messages_chat_seq_key ON messages (chat_id)"
"${run[@]}" <<'SQL'
SELECT CASE WHEN numbered BETWEEN 1 AND total - 1 THEN 'ok' ELSE 'not ok' END
       || ' - stopped half-way'
  FROM (SELECT count(seq) AS numbered, count(*) AS total FROM messages) x;
SQL

bash "$apply" 4 9999
bash "$apply" 4 8
cat "$SQL_TESTS"/../functions/*.sql | psql -Xq -v ON_ERROR_STOP=1 -1 -f -
"${run[@]}" -f "$SQL_TESTS/support/tap.sql" | grep -v '^|*$' || true

"${run[@]}" <<'SQL'
INSERT INTO t.chats SELECT t.id(n), n
  FROM unnest(ARRAY['short', 'vague', 'empty', 'bulk0', 'bulk1']) n;
SELECT t.is((SELECT string_agg(content, ' ' ORDER BY seq) FROM messages
    WHERE chat_id = t.id('short')), 'first second third fourth',
    'messages are numbered by time and id');
SELECT t.is((SELECT count(*)::TEXT FROM chats c WHERE last_seq <> (
    SELECT count(*) FROM messages m WHERE m.chat_id = c.id)), '0',
    'every chat counts its messages');
SELECT t.is((SELECT count(*)::TEXT FROM (
    SELECT seq, row_number() OVER (PARTITION BY chat_id ORDER BY seq) AS n,
           row_number() OVER (PARTITION BY chat_id
                              ORDER BY created_at, id) AS at
      FROM messages) x WHERE seq <> n OR n <> at), '0',
    'numbers have no gap and follow the time');
SELECT t.ok((SELECT bool_and(active_at = date_trunc('hour', updated_at))
    FROM chats), 'every chat is dated');
SELECT t.is((SELECT count(*)::TEXT FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND NOT i.indisvalid), '0',
    'no index is left invalid');
SELECT t.is((SELECT indexdef FROM pg_indexes
    WHERE indexname = 'messages_chat_seq_key'),
    'CREATE UNIQUE INDEX messages_chat_seq_key ON public.messages USING btree '
    '(chat_id, seq)', 'a leftover index is replaced');
SELECT t.is((SELECT count(*)::TEXT FROM pg_indexes
    WHERE indexname = 'messages_backfill_idx'), '0',
    'the index for the upgrade is gone');
SELECT t.is((SELECT attnotnull::TEXT FROM pg_attribute
    WHERE attrelid = 'messages'::REGCLASS AND attname = 'seq'), 'true',
    'seq is NOT NULL');
SELECT t.is((SELECT count(*)::TEXT FROM pg_constraint
    WHERE conname = 'messages_seq_present'), '0',
    'by the column''s own word');

SELECT t.is((SELECT password_hash FROM cs_chat.user_by_name('olga')),
    '$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
    'passwords are kept');
SELECT t.run($$chats_list(t.id('otto'), NULL, 200, 0)$$);
SELECT t.is(json_array_length(t.data())::TEXT, '200', 'chats are there');
SELECT t.is((SELECT count(*)::TEXT FROM json_array_elements(t.data()) e
    WHERE e->>'unreadCount' <> '0'), '0', 'nothing old is unread');
SELECT t.run($$chats_get(t.id('olga'), t.id('short'))$$);
SELECT t.is(t.data()->>'unreadCount', '0', 'nor for agents');
SELECT t.is(t.data()->'messages'->0->>'type', 'text', 'an unknown type is text');
SELECT t.is(t.data()->'messages'->0->>'timestamp',
    '1970-01-01T00:00:00.000000Z', 'an unknown time is the epoch');
SELECT t.run($$chats_get(t.id('opal'), t.id('short'))$$);
SELECT t.is(t.data()->>'unreadCount', '0', 'nor for a super-agent who wrote');
SELECT t.run($$chats_get(t.id('otto'), t.id('vague'))$$);
SELECT t.is(concat_ws(' ', t.data()->>'status', t.data()->>'isActive',
    t.data()->>'createdAt'), 'active true 1970-01-01T00:00:00.000000Z',
    'a chat of unknown status is active');
SELECT t.run($$chats_list(t.id('oskar'), 'archived', 50, 0)$$);
SELECT t.is(t.names(t.pluck(t.data(), 'id')), 'empty', 'archived ones as well');
SELECT t.send('vague', 'olga', 'I am here');
SELECT t.is(t.summary(),
    '1 reply 201, 1 event chat_assigned, 1 event new_message',
    'life goes on in old chats');
SELECT t.is(t.data()->>'seq', '2', 'with the next number');
SELECT t.does($$users_register(NULL, 'otto2', 'OTTO@example.com', 'h', 'O',
    'customer')$$, '1 reply 409 CONFLICT email',
    'addresses that differ in case stay taken');
SELECT t.is((SELECT string_agg(t.names(id::TEXT), ' ')
    FROM cs_chat.presence_load('{}')), 'olga',
    'who was online is known, to be let go');
SQL
