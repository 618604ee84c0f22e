-- Plans: with many rows, operations find theirs by index.

INSERT INTO public.users (id, username, email, password_hash, name, role)
SELECT t.id('p' || n), 'p' || n, 'p' || n || '@example.com', 'h', 'P',
       CASE n % 20 WHEN 0 THEN 'agent' ELSE 'customer' END
  FROM generate_series(1, 5000) n;
INSERT INTO public.chats (id, customer_id, agent_id, status, updated_at)
SELECT t.id('x' || n), t.id('p' || (n % 4999 + 1)),
       CASE n % 50 WHEN 0 THEN NULL
            ELSE t.id('p' || (n % 250 + 1) * 20) END,
       CASE n % 3 WHEN 0 THEN 'archived' ELSE 'active' END,
       '2025-01-01'::TIMESTAMP + n * interval '1 minute'
  FROM generate_series(1, 20000) n;
INSERT INTO public.messages (chat_id, sender_id, content, seq)
SELECT c.id, c.customer_id, 'x', s
  FROM public.chats c, generate_series(1, 5) s;
UPDATE public.chats SET last_seq = 5;
ANALYZE;

-- The rows of a table that sequential scans have read, by now.
CREATE FUNCTION t.scanned()
RETURNS BIGINT
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN (SELECT sum(pg_stat_get_xact_tuples_returned(c.oid))
              FROM pg_class c
             WHERE c.oid IN ('public.users'::REGCLASS,
                             'public.chats'::REGCLASS,
                             'public.messages'::REGCLASS));
END
$$;

-- How many rows one call reads sequentially, once its plans are settled.
CREATE FUNCTION t.reads(call TEXT)
RETURNS BIGINT
LANGUAGE plpgsql
AS $$
DECLARE
    before BIGINT;
BEGIN
    FOR i IN 1 .. 8 LOOP
        before := t.scanned();
        PERFORM t.run(call);
    END LOOP;
    RETURN t.scanned() - before;
END
$$;

-- An operation that does read a whole table, to know that it would be seen.
CREATE FUNCTION cs_chat.test_count()
RETURNS SETOF cs_chat.outcome
LANGUAGE sql
AS $$
    SELECT (cs_chat.success(200, count(*)::TEXT)).*
      FROM public.users WHERE name <> ''
$$;

SELECT t.ok(t.reads('test_count()') > 5000, 'a sequential scan is noticed');
SELECT t.ok(t.reads(call) < 500, regexp_replace(call, '\s+', ' ', 'g'))
  FROM (VALUES
    ('chats_get(t.id(''sue''), t.id(''x77''))'),
    ('chats_join(t.id(''sue''), t.id(''x77''), 1)'),
    ('chats_set_status(t.id(''sue''), t.id(''x77''), ''closed'')'),
    ('chats_assign(t.id(''sue''), t.id(''x77''), t.id(''p20''), NULL)'),
    ('messages_repeat(t.id(''x77''), 1)'),
    ('takeover_events(t.ids(''x77'', ''x78''), ''{2025-01-01,2025-01-01}'',
        ''{t,f}'', ''00000000-0000-0000-0000-000000000000'', -4, 500)'),
    ('messages_send(ARRAY[gen_random_uuid()], t.ids(''x77''), t.ids(''sue''),
        ''{x}'', ''{text}'', ''{NULL}'')'),
    ('chats_read(t.ids(''x77'', ''x78''), t.ids(''sue'', ''sue''), ''{1,2}'')'),
    ('users_self(t.ids(''p7'', ''none'', ''p8'', ''p7''))'),
    ('users_list(t.id(''p7''), NULL, NULL, 50, 0)'),
    ('users_list(t.id(''sue''), NULL, NULL, 50, 0)'),
    ('users_list(t.id(''sue''), ''customer'', true, 50, 0)'),
    ('agents_available(t.id(''p7''))'),
    ('customers_available(t.id(''p20''))'),
    ('presence_apply(t.ids(''p20'', ''p7''), ''{t,t}'', ''{t,t}'', ''{a,b}'')')
  ) AS calls (call);

-- Whoever comes online: the events are part of the statement, not a function
-- that is planned again for each person.
CREATE FUNCTION t.plan(query TEXT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
DECLARE
    line TEXT;
    plan TEXT := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        plan := plan || line || E'\n';
    END LOOP;
    RETURN plan;
END
$$;

SELECT t.ok(t.plan('SELECT e.* FROM public.users u CROSS JOIN LATERAL'
                   ' cs_chat.presence_events(1, u.id, u.username, true) e')
            NOT LIKE '%Function Scan on presence_events%',
            'presence_events is taken into the statement that calls it');
SELECT t.ok(t.plan('SELECT f.* FROM public.users u CROSS JOIN LATERAL'
                   ' cs_chat.to_follow(u.id, u.id) f')
            NOT LIKE '%Function Scan on to_follow%', 'so is to_follow');

-- The same of a list, prepared as the worker does it.
CREATE FUNCTION t.page_reads(page TEXT, arguments TEXT)
RETURNS BIGINT
LANGUAGE plpgsql
AS $$
DECLARE
    before BIGINT := t.scanned();
BEGIN
    EXECUTE 'PREPARE page AS SELECT * FROM cs_chat.' || page;
    EXECUTE 'EXECUTE page (' || arguments || ')';
    DEALLOCATE page;
    RETURN t.scanned() - before;
END
$$;

SELECT t.ok(t.page_reads(page, arguments) < 500, page || ' ' || arguments)
  FROM (VALUES
    ('page_of_chats(''customer'', $1, $2, $3, $4)', 't.id(''p7''), NULL, 50, 0'),
    ('page_of_chats(''agent'', $1, $2, $3, $4)', 't.id(''p20''), NULL, 50, 0'),
    ('page_of_chats(''agent'', $1, $2, $3, $4)',
        't.id(''p20''), ''archived'', 50, 0'),
    ('page_of_chats(''super-agent'', $1, $2, $3, $4)',
        't.id(''sue''), NULL, 200, 0'),
    ('page_of_chats(''super-agent'', $1, $2, $3, $4)',
        't.id(''sue''), ''archived'', 200, 0'),
    ('page_of_messages($1, $2, $3, $4, $5, $6, $7)',
        't.id(''sue''), t.id(''x77''), 50, 0, NULL, NULL, NULL')
  ) AS pages (page, arguments);

-- The chats of the last hours among many.
CREATE FUNCTION t.takeover_reads()
RETURNS BIGINT
LANGUAGE plpgsql
AS $$
DECLARE
    newest TIMESTAMP := (SELECT max(c.updated_at) FROM public.chats c);
    before BIGINT := t.scanned();
    indexes CONSTANT OID := 'public.chats_state_idx'::REGCLASS;
    entries BIGINT := pg_stat_get_xact_tuples_returned(indexes);
BEGIN
    PERFORM cs_chat.takeover_chats(newest - interval '5 s', newest,
        newest - interval '5 s', '00000000-0000-0000-0000-000000000000', 9);
    RETURN t.scanned() - before
           + pg_stat_get_xact_tuples_returned(indexes) - entries;
END
$$;

SELECT t.ok(t.takeover_reads() BETWEEN 1 AND 500, 'takeover_chats');

-- Chats that are written to stay off the indexes within the hour.  The first
-- message brings the chat to this hour.
VACUUM public.chats;
SELECT t.send('x79', 'sue', 'first');

CREATE FUNCTION t.hot_updates(messages INT)
RETURNS BIGINT
LANGUAGE plpgsql
AS $$
DECLARE
    chats CONSTANT OID := 'public.chats'::REGCLASS;
    before BIGINT := pg_stat_get_xact_tuples_hot_updated(chats);
BEGIN
    FOR i IN 1 .. messages LOOP
        PERFORM t.send('x79', 'sue', 'again');
    END LOOP;
    RETURN pg_stat_get_xact_tuples_hot_updated(chats) - before;
END
$$;

SELECT t.is(t.hot_updates(5)::TEXT, '5', 'updates of chats are HOT');
