-- Take-over: what a chat worker stored and did not publish is published by the
-- next holder of its shards.

-- Notes the holder of shards whose locks it has just got.  since: the last
-- holder did not let go by itself, and what it stored from then on may be
-- unpublished; NULL for a shard that was let go of.  A clock that was set back
-- meanwhile, or is another machine's, is allowed for.  published of such a
-- shard stays until it is published, so that a holder that dies over it leaves
-- the whole of it to the next.
CREATE OR REPLACE FUNCTION cs_chat.shards_claim(p_shards INT[], p_holder TEXT)
RETURNS TABLE (shard INT, since TIMESTAMP, first TIMESTAMP, until TIMESTAMP)
LANGUAGE sql VOLATILE
AS $$
    WITH at AS MATERIALIZED (
        SELECT cs_chat.utc_now() AS now
    ), old AS MATERIALIZED (
        SELECT s.shard, s.holder
          FROM cs_chat.shards s
         WHERE s.shard = ANY (p_shards)
           FOR UPDATE
    ), claimed AS (
        UPDATE cs_chat.shards s
           SET holder = p_holder,
               published = CASE WHEN o.holder IS NULL THEN at.now
                                ELSE s.published END
          FROM old o, at
         WHERE s.shard = o.shard
        RETURNING s.shard, at.now,
                  CASE WHEN o.holder IS NOT NULL
                       THEN least(s.published, at.now) - interval '2 s'
                  END AS since
    )
    SELECT c.shard, c.since, min(c.since) OVER (), c.now FROM claimed c;
$$;

-- All that was stored in these shards up to p_at is published.
CREATE OR REPLACE FUNCTION cs_chat.shards_mark(
    p_shards INT[], p_holder TEXT, p_at TIMESTAMP)
RETURNS VOID
LANGUAGE sql VOLATILE
AS $$
    UPDATE cs_chat.shards s
       SET published = p_at
     WHERE s.shard = ANY (p_shards) AND s.holder = p_holder;
$$;

-- The holder lets go with everything published; its locks go after this.
CREATE OR REPLACE FUNCTION cs_chat.shards_clear(p_shards INT[], p_holder TEXT)
RETURNS VOID
LANGUAGE sql VOLATILE
AS $$
    UPDATE cs_chat.shards s
       SET holder = NULL
     WHERE s.shard = ANY (p_shards) AND s.holder = p_holder;
$$;

-- The chats that changed from p_since to p_until, of all shards, page by page
-- in the order of (changed, id).  chats_state_idx finds those of the hours in
-- question: every message and every change of a chat sets updated_at.
CREATE OR REPLACE FUNCTION cs_chat.takeover_chats(
    p_since TIMESTAMP, p_until TIMESTAMP, p_changed TIMESTAMP, p_id UUID,
    p_limit INT)
RETURNS TABLE (id UUID, changed TIMESTAMP, created BOOLEAN)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT c.id, c.updated_at, coalesce(c.created_at >= p_since, false)
      FROM public.chats c
     WHERE cs_chat.chat_state(c.status) = ANY ('{0,1,2}')
       AND c.active_at >= date_trunc('hour', p_since)
       AND c.updated_at >= p_since AND c.updated_at <= p_until
       AND (c.updated_at, c.id) > (p_changed, p_id)
     ORDER BY c.updated_at, c.id
     LIMIT p_limit;
END
$$;

-- What happened in chats, each since a time of its own, as events for those
-- who see it now: new_chat, chat_assigned, chat_status_updated (places -3 to
-- -1, in ord) and messages (seq), in the order of chat and place, from
-- (p_chat, p_place) on.  new_chat of a chat that went from hand to hand is for
-- those who may have come to see it by that; chat_assigned is for all agents
-- too, of whom one may have lost it.  Of a chat of another shard (p_whole false) only
-- new_chat, for who creates a chat need not hold the shard that it falls in.
CREATE OR REPLACE FUNCTION cs_chat.takeover_events(
    p_chats UUID[], p_since TIMESTAMP[], p_whole BOOLEAN[],
    p_chat UUID, p_place BIGINT, p_limit INT)
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
    WITH wanted AS MATERIALIZED (
        SELECT c.id, c.customer_id, c.agent_id, c.last_seq,
               CASE
                   WHEN NOT w.whole THEN c.last_seq
                   WHEN c.id = p_chat AND p_place > 0 THEN p_place
                   ELSE coalesce((SELECT m.seq
                                    FROM public.messages m
                                   WHERE m.chat_id = c.id
                                     AND m.created_at < w.since
                                   ORDER BY m.seq DESC
                                   LIMIT 1), 0)
               END AS after_seq,
               coalesce(c.created_at >= w.since, false) AS created,
               w.whole AND coalesce(c.assigned_at >= w.since, false)
               AS assigned,
               w.whole AND c.updated_at >= w.since
               AND NOT coalesce(c.created_at >= w.since, false) AS changed
          FROM unnest(p_chats, p_since, p_whole) AS w (id, since, whole)
          JOIN public.chats c ON c.id = w.id
         WHERE c.id >= p_chat
    ), places AS MATERIALIZED (
        SELECT p.id, p.place
          FROM (SELECT w.id, -3::BIGINT AS place
                  FROM wanted w
                 WHERE w.created OR w.assigned
                UNION ALL
                SELECT w.id, -2 FROM wanted w WHERE w.assigned
                UNION ALL
                SELECT w.id, -1 FROM wanted w WHERE w.changed
                UNION ALL
                SELECT w.id, m.seq
                  FROM wanted w
                  JOIN public.messages m
                    ON m.chat_id = w.id AND m.seq > w.after_seq) p
         WHERE (p.id, p.place) > (p_chat, p_place)
         ORDER BY p.id, p.place
         LIMIT p_limit
    )
    SELECT e.*
      FROM places p
      JOIN wanted w ON w.id = p.id
      JOIN public.chats c ON c.id = p.id
      JOIN public.users cu ON cu.id = c.customer_id
      LEFT JOIN public.users ag ON ag.id = c.agent_id
      LEFT JOIN public.messages m
             ON m.chat_id = c.id
            AND m.seq = CASE WHEN p.place > 0 THEN p.place ELSE c.last_seq END
      LEFT JOIN public.users su ON su.id = m.sender_id
     CROSS JOIN LATERAL cs_chat.event(
           CASE WHEN p.place > 0 THEN 1 ELSE p.place::INT END,
           CASE
               WHEN p.place = -3 AND NOT w.created
               THEN coalesce('user:' || c.agent_id::TEXT, 'role:agent')
               WHEN p.place = -2 AND c.agent_id IS NOT NULL
               THEN cs_chat.chat_topics(c.id, c.customer_id, c.agent_id)
                    || ',role:agent'
               ELSE cs_chat.chat_topics(c.id, c.customer_id, c.agent_id)
           END,
           CASE WHEN p.place = -2
                THEN cs_chat.chat_keep(c.customer_id, c.agent_id) END,
           CASE WHEN p.place > 0 THEN 'message' ELSE 'chat' END, c.id,
           CASE WHEN p.place > 0 THEN p.place END,
           CASE p.place
               WHEN -3 THEN cs_chat.new_chat_json(c.id,
                   cs_chat.chat_json_event(c, cs_chat.user_json(cu),
                       CASE WHEN ag.id IS NOT NULL THEN
                           cs_chat.user_json(ag) END,
                       CASE WHEN m.id IS NOT NULL THEN
                           cs_chat.message_json(m, su) END))
               WHEN -2 THEN cs_chat.assigned_json(c.id, ag)
               WHEN -1 THEN cs_chat.status_json(c.id,
                   coalesce(c.status, 'active'))
               ELSE cs_chat.new_message_json(c.id,
                   cs_chat.message_json(m, su))
           END) e
     ORDER BY p.id, p.place;
END
$$;
