-- What the tests use: assertions that print a line of TAP, people and chats
-- under ids that follow from their names, and a place for an operation's rows.

CREATE SCHEMA t;

CREATE FUNCTION t.ok(passed BOOLEAN, label TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT CASE WHEN passed THEN 'ok - ' ELSE 'not ok - ' END || label
$$;

CREATE FUNCTION t.is(got TEXT, want TEXT, label TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT CASE WHEN got IS NOT DISTINCT FROM want THEN 'ok - ' || label
           ELSE 'not ok - ' || label || E'\n#  got: ' || coalesce(got, 'NULL')
                || E'\n# want: ' || coalesce(want, 'NULL') END
$$;

-- The id of a person, chat or message of the tests.
CREATE FUNCTION t.id(name TEXT)
RETURNS UUID
LANGUAGE sql IMMUTABLE
AS $$
    SELECT md5(name)::UUID
$$;

CREATE FUNCTION t.ids(VARIADIC names TEXT[])
RETURNS UUID[]
LANGUAGE sql IMMUTABLE
AS $$
    SELECT array_agg(t.id(n.name) ORDER BY n.ord)
      FROM unnest(names) WITH ORDINALITY AS n (name, ord)
$$;

-- The names behind ids of people, in a text such as an event's topics.
CREATE FUNCTION t.names(topics TEXT)
RETURNS TEXT
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    known RECORD;
BEGIN
    FOR known IN SELECT id, username AS name FROM public.users
                 UNION ALL SELECT id, name FROM t.chats LOOP
        topics := replace(topics, known.id::TEXT, known.name);
    END LOOP;
    RETURN topics;
END
$$;

CREATE TABLE t.chats (id UUID, name TEXT);

CREATE FUNCTION t.person(name TEXT, role TEXT)
RETURNS VOID
LANGUAGE sql
AS $$
    INSERT INTO public.users (id, username, email, password_hash, name, role)
    VALUES (t.id(name), name, name || '@example.com', 'hash', initcap(name),
            role)
$$;

CREATE FUNCTION t.chat(
    name TEXT, customer TEXT, agent TEXT, status TEXT DEFAULT 'active')
RETURNS VOID
LANGUAGE sql
AS $$
    INSERT INTO t.chats VALUES (t.id(name), name);
    INSERT INTO public.chats (id, customer_id, agent_id, status)
    VALUES (t.id(name), t.id(customer), t.id(agent), status)
$$;

-- The rows of the latest operation, in the order they came in.
CREATE TABLE t.r (
    n INT GENERATED ALWAYS AS IDENTITY,
    o cs_chat.outcome
);

-- Carries out an operation, given as the text of its call.
CREATE FUNCTION t.run(call TEXT)
RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
    TRUNCATE t.r RESTART IDENTITY;
    EXECUTE format('INSERT INTO t.r (o) SELECT o FROM cs_chat.%s o', call);
END
$$;

-- The same of messages.send for one message, under an id of its own.
CREATE FUNCTION t.send(
    chat TEXT, sender TEXT, content TEXT, client_id TEXT DEFAULT NULL)
RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
    TRUNCATE t.r RESTART IDENTITY;
    INSERT INTO t.r (o)
    SELECT o FROM cs_chat.messages_send(
        ARRAY[gen_random_uuid()], t.ids(chat), t.ids(sender), ARRAY[content],
        ARRAY['text'], ARRAY[client_id]) o;
END
$$;

-- The lists, of which the worker writes the JSON, as operations: a page's
-- chats and messages in its order, each as other operations show it.
CREATE FUNCTION cs_chat.chats_list(
    who UUID, status TEXT, lim INT, off INT)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql
AS $$
DECLARE
    me public.users := (SELECT u FROM public.users u WHERE u.id = who);
    body TEXT;
BEGIN
    IF me.id IS NULL THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;
    EXECUTE format('SELECT string_agg(cs_chat.chat_body(c, $1), '','')'
                   '  FROM cs_chat.page_of_chats(%L, $2, $3, $4, $5) p'
                   '  JOIN public.chats c ON c.id = p.id', me.role)
       INTO body USING me, who, status, lim, off;
    RETURN NEXT cs_chat.success(200, '[' || coalesce(body, '') || ']');
END
$$;

CREATE FUNCTION cs_chat.messages_list(
    who UUID, chat UUID, lim INT, off INT, before_seq BIGINT,
    before_time TIMESTAMPTZ, after_seq BIGINT)
RETURNS SETOF cs_chat.outcome
LANGUAGE sql
AS $$
    SELECT CASE
        WHEN count(*) = 0 THEN cs_chat.refusal(1, 'INVALID_TOKEN')
        WHEN count(p.sender) = 0 THEN cs_chat.refusal(1, 'CHAT_NOT_FOUND')
        ELSE cs_chat.success(200, '[' || coalesce(string_agg(
                 cs_chat.message_json(m, u)::TEXT, ',')
                 FILTER (WHERE m.id IS NOT NULL), '') || ']')
        END
      FROM cs_chat.page_of_messages(who, chat, lim, off, before_seq,
                                    before_time, after_seq) p
      LEFT JOIN public.messages m ON m.id = p.id
      LEFT JOIN public.users u ON u.id = m.sender_id
$$;

-- What came: "reply 201" or "reply 404 CHAT_NOT_FOUND field", and the types
-- of events, in order.
CREATE FUNCTION t.summary()
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT string_agg(concat_ws(' ', (r.o).ord, (r.o).kind, (r.o).status,
                (r.o).code, (r.o).field,
                CASE WHEN (r.o).kind <> 'reply'
                     THEN (r.o).body::JSON->>'type' END), ', ' ORDER BY r.n)
      FROM t.r
$$;

-- Carries out an operation and tells what came.
CREATE FUNCTION t.does(call TEXT, want TEXT, label TEXT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(call);
    RETURN t.is(t.summary(), want, label);
END
$$;

-- The data of the latest operation's reply.
CREATE FUNCTION t.data()
RETURNS JSON
LANGUAGE sql
AS $$
    SELECT (r.o).body::JSON FROM t.r WHERE (r.o).kind = 'reply' ORDER BY r.n
     LIMIT 1
$$;

-- The n-th event of the latest operation that is of a type.
CREATE FUNCTION t.event(event_type TEXT, nth INT DEFAULT 1)
RETURNS cs_chat.outcome
LANGUAGE sql
AS $$
    SELECT r.o FROM t.r
     WHERE (r.o).kind <> 'reply' AND (r.o).body::JSON->>'type' = event_type
     ORDER BY r.n LIMIT 1 OFFSET nth - 1
$$;

-- The names of an object's members, in order.
CREATE FUNCTION t.keys(object JSON)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT string_agg(k, ',') FROM json_object_keys(object) k
$$;

-- One member of every object of an array, in order.
CREATE FUNCTION t.pluck(list JSON, member TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT coalesce(string_agg(e.value->>member, ' ' ORDER BY e.n), '')
      FROM json_array_elements(list) WITH ORDINALITY AS e (value, n)
$$;

-- Whether a chat's numbers are 1, 2, 3 … without a gap.
CREATE FUNCTION t.gapless(chat TEXT)
RETURNS BOOLEAN
LANGUAGE sql
AS $$
    SELECT count(*) = max(m.seq) AND min(m.seq) = 1
           AND max(m.seq) = (SELECT c.last_seq FROM public.chats c
                              WHERE c.id = t.id(chat))
      FROM public.messages m WHERE m.chat_id = t.id(chat)
$$;

SELECT t.person('anna', 'agent'), t.person('ben', 'agent'),
       t.person('sue', 'super-agent'), t.person('carl', 'customer'),
       t.person('cora', 'customer');
