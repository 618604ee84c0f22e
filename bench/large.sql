-- Fills a database with what a large installation has after two years, for
-- bench/large: psql variables chats, messages, users.
--
-- What makes lists hard is in it: people with very many chats beside most who
-- have few, agents with more than ten thousand, one chat with a fiftieth of
-- all messages, most chats archived, some without an agent, some unread.  The
-- messages lie on disk as they came, by the hour, not by chat.

\set ON_ERROR_STOP on
\set days 730

BEGIN;

-- No triggers and no checks of foreign keys: what they would find is known.
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = off;
SET LOCAL timezone = 'UTC';

-- In the transaction that emptied a table its rows need no WAL
-- (wal_level=minimal).
TRUNCATE public.messages, public.chat_reads, public.chats,
    cs_chat.role_changes, public.users;

SELECT setseed(0.5) \g /dev/null

CREATE FUNCTION pg_temp.user_id(role TEXT, n BIGINT)
RETURNS UUID
LANGUAGE sql IMMUTABLE
AS $$
    SELECT md5(role || n::TEXT)::UUID
$$;

-- As nginx makes the ids of messages and chats: UUIDv7.
CREATE FUNCTION pg_temp.uuid7(at TIMESTAMP, n BIGINT)
RETURNS UUID
LANGUAGE sql IMMUTABLE
AS $$
    SELECT encode(
        int8send((extract(epoch FROM at) * 1000)::BIGINT << 16
                 | 28672 | (n & 4095))
        || int8send((hashint8extended(n, 7) & 4611686018427387903)
                    | (-9223372036854775807 - 1)), 'hex')::UUID
$$;

INSERT INTO public.users (id, username, email, password_hash, name, role,
                          is_online, created_at, updated_at)
SELECT pg_temp.user_id(p.role, n), p.role || n, p.role || n || '@large.example',
       '!', initcap(p.role) || ' ' || n, p.role, n <= p.online,
       now() - :days * interval '1 day', now() - :days * interval '1 day'
  FROM (VALUES ('customer', :users, 10000), ('agent', 2000, 300),
               ('super-agent', 20, 10)) AS p (role, number, online),
       generate_series(1, p.number) AS n;

-- Powers of random() make the few who have most.  One chat in ten is long;
-- scale makes them as many messages as were asked for.
CREATE TEMPORARY TABLE generated AS
SELECT g.n, g.started, g.messages,
       pg_temp.uuid7(g.started, g.n) AS id,
       pg_temp.user_id('customer', g.customer) AS customer_id,
       CASE WHEN g.r < CASE WHEN g.old THEN 0.02 ELSE 0.1 END THEN NULL
            ELSE pg_temp.user_id('agent', g.agent) END AS agent_id,
       CASE WHEN g.old THEN CASE WHEN g.s < 0.8 THEN 'archived'
                                 ELSE 'closed' END
            ELSE CASE WHEN g.s < 0.5 THEN 'active' ELSE 'closed' END
       END AS status,
       least(g.started + g.messages * g.pace, now()::TIMESTAMP) AS updated_at
  FROM (
    SELECT n, x.started, x.started < now() - interval '60 days' AS old,
           1 + floor(least(:users, 200000) * random() ^ 2)::BIGINT AS customer,
           1 + floor(2000 * random() ^ 2)::BIGINT AS agent,
           random() AS r, random() AS s,
           interval '20 s' + random() * interval '5 min' AS pace,
           round(-ln(1 - random()) * x.scale
                 * CASE WHEN random() < 0.1 THEN 265 ELSE 25 END)::INT
           AS messages
      FROM generate_series(2, :chats) AS n
     CROSS JOIN LATERAL (
        SELECT (now() - :days * interval '1 day' * random())::TIMESTAMP
               AS started,
               0.98 * :messages / :chats / 49 + 0 * n AS scale) x
    ) g;

INSERT INTO generated
SELECT 1, s, :messages / 50, pg_temp.uuid7(s, 1),
       pg_temp.user_id('customer', 1), pg_temp.user_id('agent', 1), 'active',
       now()
  FROM (SELECT (now() - :days * interval '1 day')::TIMESTAMP AS s) x;

INSERT INTO public.chats (id, customer_id, agent_id, status, created_at,
                          updated_at, last_seq, active_at)
SELECT g.id, g.customer_id, g.agent_id, g.status, g.started, g.updated_at,
       g.messages, date_trunc('hour', g.updated_at)
  FROM generated g
 ORDER BY g.updated_at;

-- One in ten has not read the last few.
INSERT INTO public.chat_reads (chat_id, user_id, seq)
SELECT g.id, p.user_id,
       greatest(0, g.messages - CASE WHEN random() < 0.1
                                     THEN (5 * random())::INT ELSE 0 END)
  FROM generated g
 CROSS JOIN LATERAL (VALUES (g.customer_id), (g.agent_id)) AS p (user_id)
 WHERE p.user_id IS NOT NULL AND g.messages > 0;

-- Indexes are built when all rows are there.
CREATE TEMPORARY TABLE later AS
SELECT i.indexrelid::REGCLASS::TEXT AS name, c.conname AS constraint,
       coalesce('ALTER TABLE public.messages ADD ' || pg_get_constraintdef(c.oid),
                pg_get_indexdef(i.indexrelid)) AS definition
  FROM pg_index i
  LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'p'
 WHERE i.indrelid = 'public.messages'::REGCLASS;

SELECT coalesce('ALTER TABLE public.messages DROP CONSTRAINT ' || "constraint",
                'DROP INDEX public.' || name)
  FROM later \gexec

CREATE INDEX ON generated (started);
ANALYZE generated;
CREATE TEMPORARY TABLE filled AS SELECT 0::BIGINT AS messages;

CREATE FUNCTION pg_temp.fill(day TIMESTAMP)
RETURNS VOID
LANGUAGE sql
AS $$
    INSERT INTO public.messages (id, chat_id, sender_id, content, message_type,
                                 created_at, seq, client_id)
    SELECT pg_temp.uuid7(m.at, (m.n << 24) + m.seq), m.id,
           CASE WHEN m.seq % 2 = 1 OR m.agent_id IS NULL THEN m.customer_id
                ELSE m.agent_id END,
           left('Message ' || m.seq || ' says "' || md5(m.at::TEXT)
                || '" and goes on for as long as people write.',
                15 + (m.n * 7 + m.seq * 13)::INT % 60),
           'text', m.at, m.seq,
           CASE WHEN (m.n + m.seq) % 4 = 0 THEN 'm-' || m.seq END
      FROM (
        SELECT g.n, g.id, g.customer_id, g.agent_id, s AS seq,
               g.started + (g.updated_at - g.started) * s / g.messages AS at
          FROM generated g, generate_series(1, g.messages) AS s
         WHERE g.started >= day AND g.started < day + interval '1 day'
           AND g.n > 1
        UNION ALL
        SELECT g.n, g.id, g.customer_id, g.agent_id, s AS seq,
               g.started + (g.updated_at - g.started) * s / g.messages
          FROM generated g, generate_series(
               1 + floor(g.messages * (extract(epoch FROM day - g.started)
                   / extract(epoch FROM g.updated_at - g.started)))::BIGINT,
               least(g.messages, floor(g.messages * (extract(epoch FROM
                   day + interval '1 day' - g.started)
                   / extract(epoch FROM g.updated_at - g.started)))::BIGINT)) s
         WHERE g.n = 1
      ) m
     ORDER BY m.at
$$;

SELECT pg_temp.fill((now() - d * interval '1 day')::TIMESTAMP)
  FROM generate_series(:days, 0, -1) AS d \g /dev/null

SELECT definition FROM later ORDER BY "constraint" \gexec

COMMIT;

VACUUM (FREEZE, ANALYZE);
