#!/bin/bash
#
# Two sessions at once: races have one winner, batches do not deadlock.

set -euo pipefail

run=(psql -XqAt -v ON_ERROR_STOP=1)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

bash "$SQL_TESTS/apply.sh"
"${run[@]}" -f "$SQL_TESTS/support/tap.sql" | grep -v '^|*$' || true
"${run[@]}" <<'SQL' | grep -v '^|*$' || true
SELECT t.chat('queue', 'carl', NULL), t.chat('own', 'carl', 'anna');
SELECT t.chat('c' || n, 'carl', 'anna') FROM generate_series(1, 40) n;
SQL

# Runs $1 and, while that holds its locks, $2; prints what $2 gave.  The first
# one ends when the second waits for it, or gives up after 20 s.
at_once() {
    "${run[@]}" -c "BEGIN; SELECT 1 FROM ($1) x;
        SELECT pg_advisory_xact_lock(77);
        DO \$\$
        BEGIN
            FOR i IN 1 .. 1000 LOOP
                EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);
                PERFORM pg_sleep(0.02);
            END LOOP;
        END
        \$\$;
        COMMIT" >/dev/null &
    until [ "$("${run[@]}" -c "SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND objid = 77")" = 1 ]; do
        sleep 0.02
    done
    "${run[@]}" -c "$2" >"$dir/second"
    wait $!
    cat "$dir/second"
}

is() {
    if [ "$1" = "$2" ]; then
        echo "ok - $3"
    else
        printf 'not ok - %s\n#  got: %s\n# want: %s\n' "$3" "$1" "$2"
    fi
}

# $1 chat, $2 sender, $3 clientId, $4 columns to show
send() {
    echo "SELECT $4 FROM cs_chat.messages_send(ARRAY[$5], t.ids('$1'),
        t.ids('$2'), '{hello}', '{text}', '{$3}') WHERE kind = 'reply'"
}

random='gen_random_uuid()'
v7=$("${run[@]}" -c "SELECT quote_literal(regexp_replace(lpad(to_hex((extract(
    epoch FROM now()) * 1000)::BIGINT), 12, '0'), '^(.{8})', '\1-')
    || '-7abc-8abc-0123456789ab') || '::UUID'")

is "$(at_once "$(send queue anna NULL 1 "$random")" \
              "$(send queue ben NULL 'status, code' "$v7")")" \
    '409|CHAT_ASSIGNED' 'of two agents at once one takes the chat'
assign() {
    echo "SELECT status, code FROM cs_chat.chats_assign(t.id('$1'),
        t.id('fresh'), t.id('$1'), $2) WHERE kind = 'reply'"
}

"${run[@]}" -c "SELECT t.chat('fresh', 'carl', NULL)" >/dev/null
is "$(at_once "$(assign anna NULL)" "$(assign ben "$v7")")" \
    '409|CHAT_ASSIGNED' 'so it is of two who ask for it'
"${run[@]}" -c "DELETE FROM public.chats WHERE id = t.id('fresh')" \
    -c "DELETE FROM t.chats WHERE name = 'fresh'"

is "$(at_once "$(send own carl key 1 "$random")" \
              "$(send own carl key 'status, duplicate, seq' "$random")")" \
    '200|t|1' 'of two messages with one clientId one is stored'
is "$(at_once "SELECT cs_chat.users_register(NULL, 'dora', 'dora@example.com',
                   'h', 'D', 'customer')" \
              "SELECT status, code, field FROM cs_chat.users_register(NULL,
                   'doro', 'Dora@Example.com', 'h', 'D', 'customer')")" \
    '409|CONFLICT|email' 'of two accounts with one e-mail address one is made'
is "$(at_once "SELECT cs_chat.users_register(NULL, 'emil', 'e1@example.com',
                   'h', 'E', 'customer')" \
              "SELECT status, code, field FROM cs_chat.users_register(NULL,
                   'emil', 'e2@example.com', 'h', 'E', 'customer')")" \
    '409|CONFLICT|username' 'of two accounts with one user name one is made'
is "$(at_once "SELECT cs_chat.chats_delete(t.id('anna'), t.id('c40'))" \
              "$(send c40 carl NULL 'status, code' "$random")")" \
    '404|CHAT_NOT_FOUND' 'a message to a chat that is being deleted'

# Messages have no foreign keys: who deletes waits for what is being stored.
"${run[@]}" -c "SELECT t.chat('gone', 'carl', 'anna')" -c "
    CREATE FUNCTION t.fires(who TEXT) RETURNS TEXT LANGUAGE plpgsql AS \$\$
    BEGIN
        DELETE FROM public.chat_reads WHERE user_id = t.id(who);
        DELETE FROM public.users WHERE id = t.id(who);
        RETURN 'gone';
    EXCEPTION WHEN foreign_key_violation THEN
        RETURN 'stays';
    END
    \$\$" >/dev/null
# $1 chat, $2 sender
store() {
    echo "SELECT seq FROM cs_chat.messages_store(t.ids('$1'), '{1}',
        t.ids('$2'), ARRAY[NULL]::UUID[], '{0}', ARRAY[$random], '{1}', '{f}',
        '{hello}', '{text}', '{NULL}')"
}

is "$(at_once "$(send gone sue NULL 1 "$random")" "SELECT t.fires('sue')")" \
    stays 'who writes just then can not be deleted'
is "$("${run[@]}" -c "$(store gone anna)" -c "SELECT t.fires('anna')" \
    | tr '\n' ' ')" '2 stays ' 'nor who wrote the short way'
is "$(at_once "$(store gone carl)" "DELETE FROM public.chats
        WHERE id = t.id('gone') RETURNING last_seq")" 3 \
    'a chat is deleted after the message that is being stored'
is "$("${run[@]}" -c "SELECT count(*) FROM public.messages
    WHERE chat_id = t.id('gone')")" 0 'which goes with it'
"${run[@]}" -c "DELETE FROM t.chats WHERE name = 'gone'"

# Marks of two tabs, of which the second waits for the row of the first.
mark() {
    echo "SELECT kind, seq FROM cs_chat.chats_read(t.ids('marked'),
        t.ids('anna'), '{$1}')"
}

"${run[@]}" -c "SELECT t.chat('marked', 'carl', 'anna')" \
    -c "UPDATE public.chats SET last_seq = 9 WHERE id = t.id('marked')" \
    -c "$(mark 1)" >/dev/null
is "$(at_once "$(mark 7)" "$(mark 5)")" 'reply|' \
    'a mark that another tab has overtaken tells nobody'
is "$(at_once "$(mark 8)" "$(mark 9)" | tr '\n' ' ')" 'reply| event| ' \
    'one that is further does'
is "$("${run[@]}" -c "SELECT seq FROM public.chat_reads
    WHERE chat_id = t.id('marked')")" 9 'and the furthest stays'
"${run[@]}" -c "DELETE FROM public.chats WHERE id = t.id('marked')" \
    -c "DELETE FROM t.chats WHERE name = 'marked'"

# Batches over the same chats in opposite orders, from two sides.
hammer() {
    "${run[@]}" >/dev/null <<SQL
DO \$\$
BEGIN
    FOR i IN 1 .. 60 LOOP
        PERFORM cs_chat.messages_send(
            array_agg(gen_random_uuid() ORDER BY n $2),
            array_agg(t.id('c' || n) ORDER BY n $2),
            array_agg(t.id('$1') ORDER BY n $2), array_agg('x'::TEXT ORDER BY n $2),
            array_agg('text'::TEXT ORDER BY n $2), array_agg(i || '-' || n))
          FROM generate_series(1, 39) n;
        PERFORM cs_chat.presence_apply(
            array_agg(u.id ORDER BY u.id $2), array_agg(i % 2 = 0),
            array_agg(true), array_agg(''::TEXT))
          FROM public.users u;
        COMMIT;
    END LOOP;
END
\$\$;
SQL
}

hammer carl '' &
first=$!
hammer anna DESC && second=ok || second=failed
wait $first && is "$second" ok 'batches in opposite orders do not deadlock' \
    || echo 'not ok - batches in opposite orders do not deadlock'
is "$("${run[@]}" -c "SELECT count(*), bool_and(t.gapless(name)) FROM t.chats
    WHERE name <> 'c40'")" '41|t' 'and leave no gap'
