-- Read state: how far each person has read a chat.

-- Who hears how far somebody has read: those in the chat, who are its
-- customer, its agent and whoever joined it, and the reader's own sockets.
CREATE OR REPLACE FUNCTION cs_chat.read_topics(
    chat UUID, customer UUID, agent UUID, reader UUID)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT 'user:' || customer::TEXT
           || coalesce(',user:' || agent::TEXT, '')
           || CASE WHEN reader = customer OR reader IS NOT DISTINCT FROM agent
                   THEN '' ELSE ',user:' || reader::TEXT END
           || ',chat:' || chat::TEXT
$$;

-- The event that tells how far somebody has read.
CREATE OR REPLACE FUNCTION cs_chat.read_json(
    chat_id UUID, reader UUID, seq BIGINT)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT '{"type":"messages_read","data":{"chatId":"' || chat_id::TEXT
           || '","userId":"' || reader::TEXT || '","seq":' || seq::TEXT
           || '}}'
$$;

-- Takes a batch of marks (chats.read), the i-th of every array being one
-- request: the chat, the reader and the number of the message up to which it
-- is read.  A number above the chat's last one means the last one.  For each
-- mark a reply comes, and behind that of the furthest mark of a reader and
-- chat its event, where it moved the pointer.  A mark that moves nothing
-- writes nothing, not even a new version of a row: clients send very many.
CREATE OR REPLACE FUNCTION cs_chat.chats_read(
    p_chats UUID[], p_readers UUID[], p_seqs BIGINT[])
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    WITH known AS MATERIALIZED (
        SELECT i.ord::INT AS ord, i.chat_id, i.reader,
               c.customer_id, c.agent_id,
               least(i.seq, c.last_seq) AS seq,
               coalesce(cs_chat.read_seq(i.reader, r.seq, c.customer_id,
                   c.customer_seq, c.agent_id, c.agent_seq), 0) AS read_seq,
               CASE
                   WHEN u.id IS NULL THEN 'INVALID_TOKEN'
                   WHEN c.id IS NULL
                        OR NOT cs_chat.can_see(u.id, u.role, c.customer_id,
                                               c.agent_id)
                   THEN 'CHAT_NOT_FOUND'
               END AS refused
          FROM unnest(p_chats, p_readers, p_seqs)
               WITH ORDINALITY AS i (chat_id, reader, seq, ord)
          LEFT JOIN public.users u ON u.id = i.reader
          LEFT JOIN public.chats c ON c.id = i.chat_id
          LEFT JOIN public.chat_reads r
                 ON r.chat_id = i.chat_id AND r.user_id = i.reader
    ), furthest AS MATERIALIZED (
        SELECT DISTINCT ON (k.chat_id, k.reader) k.*
          FROM known k
         WHERE k.refused IS NULL AND k.seq > k.read_seq
         ORDER BY k.chat_id, k.reader, k.seq DESC, k.ord
    ), moved AS (
        INSERT INTO public.chat_reads AS r (chat_id, user_id, seq)
        SELECT f.chat_id, f.reader, f.seq
          FROM furthest f
         ORDER BY f.chat_id, f.reader
        ON CONFLICT (chat_id, user_id) DO UPDATE
            SET seq = excluded.seq
          WHERE r.seq < excluded.seq
        RETURNING r.chat_id, r.user_id
    )
    SELECT x.*
      FROM (
        SELECT s.*
          FROM known k
         CROSS JOIN LATERAL cs_chat.refusal(k.ord, k.refused) s
         WHERE k.refused IS NOT NULL
        UNION ALL
        SELECT k.ord, 'reply', 200, NULL, NULL, NULL, k.chat_id, NULL::UUID,
               NULL::BIGINT, NULL, NULL::BOOLEAN, NULL, NULL, NULL, NULL
          FROM known k
         WHERE k.refused IS NULL
        UNION ALL
        SELECT e.*
          FROM furthest f
          JOIN moved m ON m.chat_id = f.chat_id AND m.user_id = f.reader
         CROSS JOIN LATERAL cs_chat.event(f.ord,
               cs_chat.read_topics(f.chat_id, f.customer_id, f.agent_id,
                                   f.reader), NULL,
               'read', f.chat_id, NULL,
               cs_chat.read_json(f.chat_id, f.reader, f.seq)) e
      ) x
     ORDER BY x.ord, x.kind DESC;
END
$$;
