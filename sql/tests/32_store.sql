-- The short way of storing messages tells and stores the same as the thorough
-- one: random batches go both ways, and are compared.

SET jit = off; -- takes longer than the test

SELECT t.chat('c1', 'carl', 'anna'), t.chat('c2', 'carl', 'ben'),
       t.chat('c3', 'cora', 'anna'), t.chat('c4', 'cora', NULL),
       t.chat('c5', 'carl', NULL), t.chat('c6', 'cora', 'ben', 'closed'),
       t.chat('c7', 'carl', 'anna', 'archived'), t.chat('c8', 'cora', 'sue');
UPDATE public.chats SET status = NULL WHERE id = t.id('c3');
UPDATE public.users SET name = E'A "n\\n\n\u00e4' WHERE id = t.id('anna');

CREATE TABLE t.batch (
    n INT, id UUID, chat UUID, sender UUID, content TEXT, type TEXT,
    client_id TEXT);

-- A batch of so many messages; most are ordinary, odd of a hundred are not:
-- by anybody, to any chat, or one that was sent before.  One id for messages
-- of two chats, which the worker never makes, is whichever comes first.
CREATE FUNCTION t.make_batch(size INT, odd INT)
RETURNS VOID
LANGUAGE plpgsql
AS $$
DECLARE
    c public.chats;
    place INT;
BEGIN
    TRUNCATE t.batch;
    FOR i IN 1 .. size LOOP
        place := 1 + floor(random() * 3);
        IF random() * 100 >= odd THEN
            SELECT n.* INTO c FROM public.chats n
             WHERE n.id = t.id('c' || place);
            INSERT INTO t.batch VALUES (i, gen_random_uuid(), c.id,
                CASE WHEN random() < 0.5 THEN c.customer_id ELSE c.agent_id END,
                E'\u00e9 "\\/\n\u0001 ' || i,
                (ARRAY['text', 'image'])[1 + (random() < 0.2)::INT],
                CASE WHEN random() < 0.5 THEN gen_random_uuid()::TEXT END);
        ELSE
            place := 1 + floor(random() * 9);
            INSERT INTO t.batch
            SELECT i,
                   coalesce(CASE
                       WHEN random() < 0.1
                       THEN (SELECT m.id FROM public.messages m
                              ORDER BY random() LIMIT 1)
                       WHEN random() < 0.1
                       THEN (SELECT b.id FROM t.batch b
                              WHERE b.chat = t.id('c' || place)
                              ORDER BY random() LIMIT 1)
                   END, gen_random_uuid()),
                   t.id('c' || place),
                   t.id((ARRAY['carl', 'cora', 'anna', 'ben', 'sue', 'none'])
                        [1 + floor(random() * 6)::INT]), 'odd ' || i, 'text',
                   CASE WHEN random() < 0.3
                        THEN 'k-' || floor(random() * 50) END;
        END IF;
    END LOOP;
END
$$;

-- One row of an answer as a line; times differ from run to run.
CREATE FUNCTION t.line(n INT, o cs_chat.outcome)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT regexp_replace(concat_ws('|', to_char(n, '000'), (o).kind,
        (o).status, (o).code, (o).chat, (o).id, (o).seq, (o).duplicate,
        (o).topics, (o).keep, (o).class, (o).body),
        '"(timestamp|updatedAt)":"[^"]+"', '"\1":""', 'g')
$$;

-- What the thorough way says of the messages with these numbers.
CREATE FUNCTION t.send_thorough(numbers INT[])
RETURNS SETOF TEXT
LANGUAGE sql
AS $$
    SELECT t.line(numbers[(r).ord], r)
      FROM (SELECT array_agg(b.id ORDER BY b.n) AS ids,
                   array_agg(b.chat ORDER BY b.n) AS chats,
                   array_agg(b.sender ORDER BY b.n) AS senders,
                   array_agg(b.content ORDER BY b.n) AS contents,
                   array_agg(b.type ORDER BY b.n) AS types,
                   array_agg(b.client_id ORDER BY b.n) AS client_ids
              FROM t.batch b WHERE b.n = ANY (numbers)) a
     CROSS JOIN LATERAL cs_chat.messages_send(a.ids, a.chats, a.senders,
           a.contents, a.types, a.client_ids) r
     WHERE numbers <> '{}'
$$;

-- The batch as the short way is asked, but for chats with too many writers.
CREATE TABLE t.wanted (
    n INT, id UUID, chat UUID, sender UUID, content TEXT, type TEXT,
    client_id TEXT, writer UUID, other UUID, place INT, at INT, behind INT);

CREATE FUNCTION t.want()
RETURNS VOID
LANGUAGE sql
AS $$
    DELETE FROM t.wanted;
    INSERT INTO t.wanted
    SELECT b.*, w.writer, w.other,
           dense_rank() OVER (ORDER BY b.chat),
           row_number() OVER (ORDER BY b.chat, b.n),
           row_number() OVER (PARTITION BY b.chat ORDER BY b.n DESC) - 1
      FROM t.batch b
      JOIN (SELECT l.chat, (array_agg(l.sender ORDER BY l.n DESC))[1] AS writer
              FROM t.batch l
             GROUP BY l.chat
            HAVING count(DISTINCT l.sender) <= 2) x ON x.chat = b.chat
     CROSS JOIN LATERAL (
            SELECT x.writer, (array_agg(l.sender))[1] AS other
              FROM t.batch l
             WHERE l.chat = b.chat AND l.sender <> x.writer) w;
$$;

-- What it answers.
CREATE FUNCTION t.store()
RETURNS SETOF cs_chat.stored
LANGUAGE sql
AS $$
    SELECT s.*
      FROM (SELECT array_agg(c.chat ORDER BY c.place) AS chats,
                   array_agg(c.stop ORDER BY c.place) AS stops,
                   array_agg(c.writer ORDER BY c.place) AS writers,
                   array_agg(c.other ORDER BY c.place) AS others,
                   array_agg(c.behind ORDER BY c.place) AS behind
              FROM (SELECT w.place, w.chat, w.writer, w.other,
                           max(w.at) AS stop,
                           coalesce(max(w.at) - max(w.at) FILTER (
                               WHERE w.sender = w.other), 0) AS behind
                      FROM t.wanted w
                     GROUP BY w.place, w.chat, w.writer, w.other) c) c
     CROSS JOIN (
            SELECT array_agg(w.id ORDER BY w.at) AS ids,
                   array_agg(w.place ORDER BY w.at) AS places,
                   array_agg(w.sender <> w.writer ORDER BY w.at) AS by_other,
                   array_agg(w.content ORDER BY w.at) AS contents,
                   array_agg(w.type ORDER BY w.at) AS types,
                   array_agg(w.client_id ORDER BY w.at) AS client_ids
              FROM t.wanted w) m
     CROSS JOIN LATERAL cs_chat.messages_store(c.chats, c.stops, c.writers,
           c.others, c.behind, m.ids, m.places, m.by_other, m.contents,
           m.types, m.client_ids) s
     WHERE c.chats IS NOT NULL
$$;

-- What a worker makes of one message that was stored the short way.
CREATE FUNCTION t.stored_json(w t.wanted, s cs_chat.stored, seq BIGINT)
RETURNS JSON
LANGUAGE sql
AS $$
    SELECT cs_chat.message_json(
        ROW((w).id, (w).chat, (w).sender, (w).content, (w).type,
            (s).ts::TIMESTAMP, seq, (w).client_id)::public.messages,
        u)
      FROM public.users u
     WHERE u.id = (w).sender
       AND u.name = CASE WHEN (w).sender = (w).writer THEN (s).name
                         ELSE (s).other_name END
       AND u.role = CASE WHEN (w).sender = (w).writer THEN (s).role
                         ELSE (s).other_role END
$$;

-- What the short way says, and of what it leaves the thorough one; how many
-- it took are in t.short.
CREATE TABLE t.short (taken BIGINT);

CREATE FUNCTION t.send_short()
RETURNS SETOF TEXT
LANGUAGE plpgsql
AS $$
DECLARE
    stored cs_chat.stored[];
    taken INT[];
BEGIN
    PERFORM t.want();
    stored := ARRAY(SELECT s FROM t.store() s);
    taken := ARRAY(SELECT w.n FROM t.wanted w
                     JOIN unnest(stored) s ON s.place = w.place);
    INSERT INTO t.short VALUES (cardinality(taken));

    RETURN QUERY
    WITH told AS MATERIALIZED (
        SELECT w.n, w.id, w.chat, s, s.seq - w.behind AS seq,
               t.stored_json(w, s, s.seq - w.behind) AS json
          FROM t.wanted w
          JOIN unnest(stored) s ON s.place = w.place
    )
    SELECT t.line(d.n, ROW(d.n, 'reply', 201, NULL, NULL, NULL, d.chat, d.id,
               d.seq, NULL, false, NULL, NULL, NULL,
               d.json::TEXT)::cs_chat.outcome)
      FROM told d
    UNION ALL
    SELECT t.line(d.n, ROW(d.n, 'event', NULL, NULL, NULL, NULL, d.chat, d.id,
               d.seq, NULL, NULL, cs_chat.chat_topics(d.chat, (d.s).customer,
               (d.s).agent), NULL, 'message', cs_chat.new_message_json(d.chat,
               d.json))::cs_chat.outcome)
      FROM told d;

    RETURN QUERY
    SELECT r FROM t.send_thorough(ARRAY(
        SELECT b.n FROM t.batch b WHERE b.n <> ALL (taken) ORDER BY b.n)) r;
END
$$;

-- All there is, and how far everybody has read; times but for their order.
CREATE FUNCTION t.state()
RETURNS SETOF TEXT
LANGUAGE sql
AS $$
    SELECT concat_ws('|', 'message', m.chat_id, to_char(m.seq, '00000'), m.id,
                     m.sender_id, m.content, m.message_type, m.client_id,
                     m.created_at = max(m.created_at) OVER (
                         PARTITION BY m.chat_id ORDER BY m.seq),
                     m.created_at <= c.updated_at)
      FROM public.messages m JOIN public.chats c ON c.id = m.chat_id
    UNION ALL
    SELECT concat_ws('|', 'chat', c.id, c.last_seq, c.status,
                     c.agent_id, c.assigned_at IS NULL,
                     c.updated_at = max(m.created_at),
                     c.active_at = date_trunc('hour', c.updated_at))
      FROM public.chats c LEFT JOIN public.messages m ON m.chat_id = c.id
     GROUP BY c.id
    UNION ALL
    SELECT concat_ws('|', 'read', c.id, u.id,
                     coalesce(cs_chat.read_seq(u.id, r.seq, c.customer_id,
                         c.customer_seq, c.agent_id, c.agent_seq), 0))
      FROM public.chats c
     CROSS JOIN public.users u
      LEFT JOIN public.chat_reads r ON r.chat_id = c.id AND r.user_id = u.id
$$;

-- Sends the batch one way, undoes that, sends it the other way, which stays,
-- and tells the first difference.
CREATE FUNCTION t.both_ways()
RETURNS TEXT
LANGUAGE plpgsql
AS $$
DECLARE
    lines TEXT[];
    short TEXT[];
    difference TEXT;
BEGIN
    BEGIN
        lines := ARRAY(SELECT r FROM t.send_thorough(
            ARRAY(SELECT b.n FROM t.batch b ORDER BY b.n)) r);
        lines := lines || ARRAY(SELECT s FROM t.state() s);
        RAISE SQLSTATE 'TUNDO';
    EXCEPTION WHEN SQLSTATE 'TUNDO' THEN
        NULL;
    END;

    short := ARRAY(SELECT r FROM t.send_short() r);
    short := short || ARRAY(SELECT s FROM t.state() s);

    SELECT E'\n# thorough: ' || coalesce(a.line, 'nothing')
           || E'\n#    short: ' || coalesce(b.line, 'nothing')
      INTO difference
      FROM (SELECT l AS line, row_number() OVER (ORDER BY l COLLATE "C") AS n
              FROM unnest(lines) l) a
      FULL JOIN (SELECT l AS line, row_number() OVER (ORDER BY l COLLATE "C")
                        AS n
                   FROM unnest(short) l) b ON b.n = a.n
     WHERE a.line IS DISTINCT FROM b.line
     ORDER BY coalesce(a.n, b.n)
     LIMIT 1;
    RETURN coalesce(difference, 'none');
END
$$;

CREATE FUNCTION t.differences(rounds INT, size INT, odd INT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
DECLARE
    difference TEXT;
BEGIN
    FOR i IN 1 .. rounds LOOP
        PERFORM t.make_batch(1 + floor(random() * size)::INT, odd);
        difference := t.both_ways();
        IF difference <> 'none' THEN
            RETURN 'round ' || i || difference;
        END IF;
        -- somebody else is its agent, or nobody
        UPDATE public.chats SET agent_id = CASE WHEN random() < 0.5
                   THEN t.id('anna') ELSE t.id('ben') END
         WHERE random() < 0.1 AND id IN (t.id('c1'), t.id('c2'), t.id('c3'));
        UPDATE public.chats SET agent_id = NULL
         WHERE random() < 0.3 AND id IN (t.id('c4'), t.id('c5'));
        UPDATE public.chats
           SET status = (ARRAY['active', 'closed', 'closed', 'archived'])
                        [1 + floor(random() * 4)::INT]
         WHERE random() < 0.5 AND id IN (t.id('c6'), t.id('c7'), t.id('c8'));
    END LOOP;
    RETURN 'none';
END
$$;

SELECT t.is(setseed(0.42)::TEXT, '', 'the same sequence every time');
SELECT t.is(t.differences(20, 12, 0), 'none', 'ordinary batches');
SELECT t.ok((SELECT count(*) > 0 AND bool_and(taken > 0) FROM t.short),
    'went the short way');
SELECT t.is(t.differences(60, 20, 15), 'none', 'batches with oddities');
SELECT t.is(t.differences(40, 6, 100), 'none', 'batches of nothing else');
SELECT t.ok((SELECT count(*) FILTER (WHERE taken = 0) > 5
                    AND count(*) FILTER (WHERE taken > 0) > 40 FROM t.short),
    'both ways were used');
SELECT t.ok((SELECT bool_and(t.gapless(c.name)) FROM t.chats c
    WHERE EXISTS (SELECT FROM public.messages m WHERE m.chat_id = c.id)),
    'no gap');
