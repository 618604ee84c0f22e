-- Messages: those that came after one, and the batch that stores what is sent.

-- Messages of a chat after p_after, at most 500, as the events that brought
-- them, for those who see the chat now (messages.repeat).
CREATE OR REPLACE FUNCTION cs_chat.messages_repeat(p_chat UUID, p_after BIGINT)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT e.*
      FROM public.chats c
      JOIN public.messages m
        ON m.chat_id = c.id AND m.seq > p_after
           AND m.seq <= least(p_after, c.last_seq) + 500
      JOIN public.users su ON su.id = m.sender_id
     CROSS JOIN LATERAL cs_chat.event(1,
           cs_chat.chat_topics(c.id, c.customer_id, c.agent_id), NULL,
           'message', c.id, m.seq, cs_chat.new_message_json(c.id,
               cs_chat.message_json(m, su))) e
     WHERE c.id = p_chat
     ORDER BY m.seq;
END
$$;

-- The short way for what nearly every message is (messages.store): written by
-- the customer or the agent of an active chat, in whose hands it stays, and
-- new.  What is not so is left to messages_send(): of such a chat nothing is
-- stored and no row returned, and nothing at all where a message was stored
-- before.  Both store and tell the same of the same messages.
--
-- The i-th of the first arrays is a chat, in the order of ids: the place of
-- its last message in the arrays behind them, who wrote that one, the other
-- who writes to it in this batch (NULL: nobody), and how many messages come
-- after the last of theirs.  The messages stand chat by chat: the place of the
-- chat, and whether the other wrote it.  A row comes for each chat: the number
-- of its last message, from which those of the others follow.
--
-- Planned once a session, with the settings that the worker's sessions have
-- anyway: to set and to reset them here would cost as much as a message.  The
-- limit cuts off nothing: it lets the planner expect few chats, and look each of
-- them up where it would walk through all, of some dozens, for each.
CREATE OR REPLACE FUNCTION cs_chat.messages_store(
    p_chats UUID[], p_stops INT[], p_writers UUID[], p_others UUID[],
    p_behind INT[], p_ids UUID[], p_places INT[], p_by_other BOOLEAN[],
    p_contents TEXT[], p_types TEXT[], p_client_ids TEXT[])
RETURNS SETOF cs_chat.stored
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    at CONSTANT TIMESTAMP := cs_chat.utc_now();
    stamp CONSTANT TEXT := cs_chat.rfc3339(at);
    before BIGINT[];
    answers cs_chat.stored[];
    answer cs_chat.stored;
    c RECORD;
BEGIN
    FOR c IN
        UPDATE public.chats n
           SET last_seq = n.last_seq + w.count,
               updated_at = at,
               customer_seq = CASE n.customer_id
                   WHEN w.writer THEN n.last_seq + w.count
                   WHEN w.other THEN n.last_seq + w.count - w.behind
                   ELSE n.customer_seq
               END,
               agent_seq = CASE n.agent_id
                   WHEN w.writer THEN n.last_seq + w.count
                   WHEN w.other THEN n.last_seq + w.count - w.behind
                   ELSE n.agent_seq
               END
          FROM (SELECT i.place::INT, i.id, i.stop, i.writer, i.other, i.behind,
                       i.stop - coalesce(p_stops[i.place - 1], 0) AS count,
                       u.name, u.role, u.avatar, o.name AS other_name,
                       o.role AS other_role, o.avatar AS other_avatar
                  FROM (SELECT a.*
                          FROM unnest(p_chats, p_stops, p_writers, p_others,
                                      p_behind)
                               WITH ORDINALITY
                               AS a (id, stop, writer, other, behind, place)
                         LIMIT cardinality(p_chats)) i
                  JOIN public.users u ON u.id = i.writer
                  LEFT JOIN public.users o ON o.id = i.other) w
         WHERE n.id = w.id AND coalesce(n.status, 'active') = 'active'
           AND w.writer IN (n.customer_id, n.agent_id)
           AND (w.other IS NULL OR w.other IN (n.customer_id, n.agent_id))
        RETURNING w.place, n.last_seq, n.customer_id, n.agent_id, w.stop,
                  w.name, w.role, w.avatar, w.other_name, w.other_role,
                  w.other_avatar
    LOOP
        before[c.place] := c.last_seq - c.stop;
        answers := answers || ROW(c.place, c.last_seq, stamp, c.customer_id,
            c.agent_id, c.name, c.role, c.avatar, c.other_name, c.other_role,
            c.other_avatar)::cs_chat.stored;
    END LOOP;

    IF answers IS NULL THEN
        RETURN;
    END IF;

    INSERT INTO public.messages (id, chat_id, sender_id, content,
                                 message_type, created_at, seq, client_id)
    SELECT m.id, p_chats[m.place],
           CASE WHEN m.by_other THEN p_others[m.place]
                ELSE p_writers[m.place] END,
           m.content, m.type, at, before[m.place] + m.n, m.client_id
      FROM unnest(p_ids, p_places, p_by_other, p_contents, p_types,
                  p_client_ids)
           WITH ORDINALITY
           AS m (id, place, by_other, content, type, client_id, n)
     WHERE before[m.place] IS NOT NULL;

    FOREACH answer IN ARRAY answers LOOP
        RETURN NEXT answer;
    END LOOP;
EXCEPTION
    WHEN unique_violation THEN
        RETURN;
END
$$;

-- Stores a batch of messages (messages.send), the i-th of every array being
-- one request: the id it is to have, chat, sender, content, type and clientId
-- (NULL: none).  Any number of them may be of one chat, in order.  For each a
-- reply comes, 201 or, for one that was stored before, 200 with duplicate,
-- then its events: chat_assigned and chat_status_updated where it assigned or
-- reopened the chat, new_message last, so that those who lose sight of the
-- chat do not get it.
--
-- The first statements lock the chats, in the order of their ids so that
-- batches can't deadlock, and the senders; the last sees what was committed until then,
-- decides, stores and answers for all rows at once.  Its steps:
--   input     the requests, and the first row of the batch with the same id
--   known     what the database knows of them.  copy_of: the first row that
--             means the same message, itself where there is none before
--   judged    why a row is refused as things stood before the batch
--   raced     won: the row up to this one that takes an unassigned chat
--   decided   what follows from the race; fresh: this row is to be stored
--   numbered  seq, and the row that reopens a closed chat
--   answered  the message as JSON, new or as it was stored before
--   settled   copies within the batch take the answer of what they repeat
-- The settings keep the plan to look-ups by index, whatever the statistics
-- say of tables that were empty yesterday, and planned once a session.
CREATE OR REPLACE FUNCTION cs_chat.messages_send(
    p_ids UUID[], p_chats UUID[], p_senders UUID[], p_contents TEXT[],
    p_types TEXT[], p_client_ids TEXT[])
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
    at TIMESTAMP;
    stamp TEXT;
BEGIN
    PERFORM FROM public.chats c
      WHERE c.id = ANY (p_chats)
      ORDER BY c.id FOR NO KEY UPDATE;
    -- messages have no foreign keys
    PERFORM FROM public.users u
      WHERE u.id = ANY (p_senders)
      ORDER BY u.id FOR KEY SHARE;

    at := cs_chat.utc_now();
    stamp := cs_chat.rfc3339(at);

    RETURN QUERY
    WITH input AS (
        SELECT i.ord::INT AS ord, i.id, i.chat_id, i.sender_id, i.content,
               coalesce(i.type, 'text') AS type, i.client_id,
               first_value(i.ord::INT) OVER same_id AS id_ord,
               first_value(i.client_id IS NULL) OVER same_id AS id_plain,
               first_value(i.chat_id) OVER same_id AS id_chat,
               first_value(i.sender_id) OVER same_id AS id_sender
          FROM unnest(p_ids, p_chats, p_senders, p_contents, p_types,
                      p_client_ids)
               WITH ORDINALITY AS i (id, chat_id, sender_id, content, type,
                                     client_id, ord)
        WINDOW same_id AS (PARTITION BY i.id ORDER BY i.ord)
    ), known AS (
        SELECT i.ord, i.id, i.chat_id, i.sender_id, i.content, i.type,
               i.client_id, i.id_ord,
               u.name, u.role, u.avatar,
               c.customer_id, c.agent_id, c.last_seq, c.assigned_at,
               coalesce(c.status, 'active') AS status,
               CASE
                   WHEN i.client_id IS NOT NULL
                   THEN first_value(i.ord) OVER (
                        PARTITION BY i.chat_id, i.sender_id, i.client_id
                        ORDER BY i.ord)
                   WHEN i.id_plain AND i.id_chat = i.chat_id
                        AND i.id_sender = i.sender_id
                   THEN i.id_ord
                   ELSE i.ord
               END AS copy_of,
               d.id AS same_id,
               CASE
                   WHEN k.id IS NOT NULL THEN k.id
                   WHEN d.chat_id = i.chat_id AND d.sender_id = i.sender_id
                   THEN d.id
               END AS stored_id
          FROM input i
          LEFT JOIN public.users u ON u.id = i.sender_id
          LEFT JOIN public.chats c ON c.id = i.chat_id
          LEFT JOIN public.messages k
                 ON k.chat_id = i.chat_id AND k.sender_id = i.sender_id
                AND k.client_id = i.client_id
          LEFT JOIN public.messages d ON d.id = i.id
    ), judged AS (
        SELECT k.*,
               CASE
                   WHEN k.role IS NULL THEN 'INVALID_TOKEN'
                   WHEN k.stored_id IS NOT NULL THEN NULL
                   WHEN k.customer_id IS NULL THEN 'CHAT_NOT_FOUND'
                   WHEN NOT cs_chat.can_see(k.sender_id, k.role,
                                            k.customer_id, k.agent_id)
                   THEN CASE
                       WHEN k.role = 'agent'
                            AND cs_chat.made_before(k.id, k.assigned_at)
                       THEN 'CHAT_ASSIGNED'
                       ELSE 'CHAT_NOT_FOUND'
                   END
                   WHEN k.status = 'archived' THEN 'CHAT_ARCHIVED'
                   WHEN k.same_id IS NOT NULL
                        OR k.copy_of = k.ord AND k.id_ord < k.ord
                   THEN 'CONFLICT'
               END AS refused
          FROM known k
    ), raced AS (
        SELECT j.*,
               min(j.ord) FILTER (
                   WHERE j.copy_of = j.ord AND j.stored_id IS NULL
                     AND j.refused IS NULL AND j.agent_id IS NULL
                     AND j.role IN ('agent', 'super-agent')
                     AND j.sender_id <> j.customer_id
               ) OVER (PARTITION BY j.chat_id ORDER BY j.ord) AS won
          FROM judged j
    ), decided AS (
        SELECT r.ord, r.id, r.chat_id, r.sender_id, r.content, r.type,
               r.client_id, r.name, r.role, r.avatar, r.customer_id,
               r.last_seq, r.status, r.copy_of, r.stored_id, r.won,
               coalesce(r.agent_id, p_senders[r.won]) AS agent_id,
               x.refused,
               r.copy_of = r.ord AND r.stored_id IS NULL
               AND x.refused IS NULL AS fresh
          FROM raced r
         CROSS JOIN LATERAL (
            SELECT CASE
                WHEN r.refused IS NULL AND r.stored_id IS NULL
                     AND r.role = 'agent' AND p_senders[r.won] <> r.sender_id
                     AND r.sender_id <> r.customer_id
                THEN 'CHAT_ASSIGNED'
                ELSE r.refused
            END AS refused
         ) x
    ), numbered AS MATERIALIZED (
        SELECT d.*,
               d.last_seq + count(*) FILTER (WHERE d.fresh) OVER in_chat
               AS seq,
               min(d.ord) FILTER (
                   WHERE d.fresh AND d.sender_id = d.customer_id
                     AND d.status = 'closed'
               ) OVER in_chat AS reopened
          FROM decided d
        WINDOW in_chat AS (PARTITION BY d.chat_id ORDER BY d.ord)
    ), stored AS (
        INSERT INTO public.messages (id, chat_id, sender_id, content,
                                     message_type, created_at, seq, client_id)
        SELECT n.id, n.chat_id, n.sender_id, n.content, n.type, at, n.seq,
               n.client_id
          FROM numbered n
         WHERE n.fresh
    ), counted AS (
        UPDATE public.chats c
           SET last_seq = t.seq,
               updated_at = at,
               status = CASE WHEN t.reopened IS NULL THEN c.status
                             ELSE 'active' END,
               agent_id = coalesce(c.agent_id, p_senders[t.won]),
               assigned_at = CASE WHEN t.won IS NULL THEN c.assigned_at
                                  ELSE at END
          FROM (SELECT n.chat_id, max(n.seq) AS seq, min(n.won) AS won,
                       min(n.reopened) AS reopened
                  FROM numbered n
                 WHERE n.fresh
                 GROUP BY n.chat_id) t
         WHERE c.id = t.chat_id
    ), read AS (
        INSERT INTO public.chat_reads AS r (chat_id, user_id, seq)
        SELECT n.chat_id, n.sender_id, max(n.seq)
          FROM numbered n
         WHERE n.fresh
         GROUP BY n.chat_id, n.sender_id
         ORDER BY n.chat_id, n.sender_id
        ON CONFLICT (chat_id, user_id) DO UPDATE
            SET seq = greatest(r.seq, excluded.seq)
    ), answered AS (
        SELECT n.*,
               coalesce(m.id, n.id) AS message_id,
               coalesce(m.seq, n.seq) AS message_seq,
               CASE WHEN m.id IS NULL THEN stamp
                    ELSE cs_chat.rfc3339(m.created_at) END AS ts,
               CASE
                   WHEN n.refused IS NOT NULL THEN NULL
                   WHEN m.id IS NOT NULL
                   THEN cs_chat.message_json(m, su)
                   WHEN n.client_id IS NULL
                   THEN row_to_json(ROW(
                        n.id, n.chat_id, n.sender_id, n.content, n.type,
                        stamp, n.seq, row_to_json(ROW(
                            n.sender_id, n.name, n.role, n.avatar
                        )::cs_chat.sender_view))::cs_chat.message_view)
                   ELSE row_to_json(ROW(
                        n.id, n.chat_id, n.sender_id, n.content, n.type,
                        stamp, n.seq, n.client_id, row_to_json(ROW(
                            n.sender_id, n.name, n.role, n.avatar
                        )::cs_chat.sender_view))::cs_chat.message_view_client)
               END AS json
          FROM numbered n
          LEFT JOIN public.messages m ON m.id = n.stored_id
          LEFT JOIN public.users su ON su.id = m.sender_id
    ), settled AS MATERIALIZED (
        SELECT a.ord, a.chat_id, a.customer_id, a.agent_id, a.fresh, a.won,
               a.reopened, a.seq,
               first_value(a.refused) OVER same AS refused,
               first_value(a.message_id) OVER same AS message_id,
               first_value(a.message_seq) OVER same AS message_seq,
               first_value(a.ts) OVER same AS ts,
               first_value(a.json) OVER same AS json
          FROM answered a
        WINDOW same AS (PARTITION BY a.copy_of ORDER BY a.ord)
    )
    SELECT s.ord, x.kind, x.status, x.code, NULL::TEXT, NULL::TEXT,
           s.chat_id, x.id, x.seq, x.ts, x.duplicate, x.topics, x.keep,
           x.class, x.body
      FROM settled s
     CROSS JOIN LATERAL (
        SELECT 0 AS n, 'reply' AS kind,
               CASE WHEN s.fresh THEN 201 ELSE 200 END AS status,
               NULL::TEXT AS code, s.message_id AS id, s.message_seq AS seq,
               s.ts, NOT s.fresh AS duplicate, NULL::TEXT AS topics,
               NULL::TEXT AS keep, NULL::TEXT AS class, s.json::TEXT AS body
         WHERE s.refused IS NULL
        UNION ALL
        SELECT 0, r.kind, r.status, r.code, NULL, NULL, NULL, false, NULL,
               NULL, NULL, NULL
          FROM cs_chat.refusal(s.ord, s.refused) r
         WHERE s.refused IS NOT NULL
        UNION ALL
        SELECT 1, 'event', NULL, NULL, NULL, NULL, NULL, NULL,
               cs_chat.chat_topics(s.chat_id, s.customer_id, s.agent_id)
               || ',role:agent',
               cs_chat.chat_keep(s.customer_id, s.agent_id), 'chat',
               cs_chat.assigned_json(s.chat_id, u)
          FROM public.users u
         WHERE s.won = s.ord AND u.id = s.agent_id
        UNION ALL
        SELECT 2, 'event', NULL, NULL, NULL, NULL, NULL, NULL,
               cs_chat.chat_topics(s.chat_id, s.customer_id, s.agent_id),
               NULL, 'chat', cs_chat.status_json(s.chat_id, 'active')
         WHERE s.reopened = s.ord
        UNION ALL
        SELECT 3, 'event', NULL, NULL, s.message_id, s.seq, NULL, NULL,
               cs_chat.chat_topics(s.chat_id, s.customer_id, s.agent_id),
               NULL, 'message', cs_chat.new_message_json(s.chat_id, s.json)
         WHERE s.fresh
     ) x
     ORDER BY s.ord, x.n;
END
$$;
