-- Who is online, and who hears of it.

-- The events of a person who came online or went offline: user_status_change
-- and, for clients of the first server, user_connected or user_disconnected.
-- Agents and super-agents hear of everyone, customers of the agents of their
-- chats that are not archived.  The customers of a busy agent are too many
-- for one event's header: they are told in groups of 100.  Plain columns, so
-- that the planner takes it into the statement that calls it: else it would be
-- planned again for each person.
CREATE OR REPLACE FUNCTION cs_chat.presence_events(
    p_ord INT, p_user UUID, p_username TEXT, p_online BOOLEAN)
RETURNS SETOF cs_chat.outcome
LANGUAGE sql STABLE
AS $$
    WITH customers AS (
        SELECT x.id, row_number() OVER (ORDER BY x.id) AS n
          FROM (SELECT DISTINCT c.customer_id AS id
                  FROM public.chats c
                 WHERE c.agent_id = p_user
                   AND cs_chat.chat_state(c.status) = ANY ('{0,1}')
                   AND c.customer_id <> p_user) x
    ), audience AS (
        SELECT 0 AS part, 'role:agent,role:super-agent' AS topics
        UNION ALL
        SELECT 1 + ((k.n - 1) / 100)::INT,
               string_agg('user:' || k.id::TEXT, ',' ORDER BY k.id)
          FROM customers k
         GROUP BY 1
    )
    SELECT o.*
      FROM audience a
     CROSS JOIN LATERAL (
        VALUES ('presence',
                '{"type":"user_status_change","data":{"userId":"'
                || p_user::TEXT || '","isOnline":' || p_online::TEXT || '}}'),
               ('legacy',
                '{"type":"user_'
                || CASE WHEN p_online THEN '' ELSE 'dis' END
                || 'connected","data":{"userId":"' || p_user::TEXT
                || '","username":' || to_json(p_username)::TEXT
                || ',"isOnline":' || p_online::TEXT
                || '},"userId":"' || p_user::TEXT
                || '","username":' || to_json(p_username)::TEXT || '}')
     ) AS e (class, body)
     CROSS JOIN LATERAL cs_chat.event(
        p_ord, a.topics, NULL, e.class, NULL, NULL, e.body) AS o
     ORDER BY a.part, e.class DESC
$$;

-- A person hides, or shows again (users.status); p_connected says whether
-- they have a connection now, p_tell whether that may be told now: else
-- is_online stays what was told last, and presence_apply() tells later.
CREATE OR REPLACE FUNCTION cs_chat.users_hide(
    p_caller UUID, p_hidden BOOLEAN, p_connected BOOLEAN, p_tell BOOLEAN)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    me public.users;
    online CONSTANT BOOLEAN := p_connected AND NOT p_hidden;
    before BOOLEAN;
    told BOOLEAN;
BEGIN
    SELECT u.* INTO me
      FROM public.users u WHERE u.id = p_caller FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;

    before := coalesce(me.is_online, false);
    told := CASE WHEN p_tell THEN online ELSE before END;
    UPDATE public.users u
       SET hidden = p_hidden, is_online = told,
           presence_at = CASE WHEN before <> told THEN cs_chat.utc_now()
                              ELSE u.presence_at END
     WHERE u.id = p_caller
       AND (u.hidden, u.is_online) IS DISTINCT FROM (p_hidden, told);

    RETURN NEXT cs_chat.success(200,
        cs_chat.user_json_email(me, online)::TEXT, id => me.id);
    IF before <> told THEN
        RETURN QUERY SELECT e.* FROM cs_chat.presence_events(
            1, me.id, me.username, online) e;
    END IF;
END
$$;

-- What the leases of connections came to (presence.update, presence.login):
-- for each of p_users whether they have a connection, and whether a new one
-- ends their hiding.  Of a user who comes twice the last word counts.  Gives
-- a reply for each, with duplicate telling whether the person hides, and the
-- events of those whose state is another than is_online, which is what was
-- told last.  p_conns is for the caller, who finds
-- by ord the socket that is not to hear of itself.  The settings are those of
-- messages_send(), for the same reasons.
CREATE OR REPLACE FUNCTION cs_chat.presence_apply(
    p_users UUID[], p_online BOOLEAN[], p_unhide BOOLEAN[], p_conns TEXT[])
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
BEGIN
    PERFORM FROM public.users u
      WHERE u.id = ANY (p_users)
      ORDER BY u.id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH input AS (
        SELECT i.ord::INT AS ord, i.id, i.online,
               bool_or(i.unhide) OVER (PARTITION BY i.id) AS unhide,
               i.ord = max(i.ord) OVER (PARTITION BY i.id) AS last
          FROM unnest(p_users, p_online, p_unhide)
               WITH ORDINALITY AS i (id, online, unhide, ord)
    ), known AS MATERIALIZED (
        SELECT i.ord, i.id, i.last, u.username,
               coalesce(u.is_online, false) AS before,
               u.hidden AND NOT coalesce(i.unhide, false) AS hidden,
               i.online AND NOT (u.hidden AND NOT coalesce(i.unhide, false))
               AS online
          FROM input i
          LEFT JOIN public.users u ON u.id = i.id
    ), stored AS (
        UPDATE public.users u
           SET is_online = k.online, hidden = k.hidden,
               presence_at = CASE WHEN k.before <> k.online
                                  THEN cs_chat.utc_now()
                                  ELSE u.presence_at END
          FROM known k
         WHERE u.id = k.id AND k.last
           AND (u.is_online, u.hidden) IS DISTINCT FROM (k.online, k.hidden)
    )
    SELECT r.*
      FROM known k
     CROSS JOIN LATERAL (
        SELECT 0 AS n, k.ord, 'reply',
               CASE WHEN k.username IS NULL THEN 404 ELSE 200 END,
               CASE WHEN k.username IS NULL THEN 'USER_NOT_FOUND' END,
               NULL, NULL, NULL::UUID, k.id, NULL::BIGINT, NULL,
               coalesce(k.hidden, false), NULL, NULL, NULL, NULL
        UNION ALL
        SELECT 1, e.*
          FROM cs_chat.presence_events(k.ord, k.id, k.username, k.online) e
         WHERE k.username IS NOT NULL AND k.last AND k.before <> k.online
     ) AS x (n, ord, kind, status, code, field, error, chat, id, seq, ts,
             duplicate, topics, keep, class, body)
     CROSS JOIN LATERAL (
        SELECT x.ord, x.kind, x.status, x.code, x.field, x.error, x.chat,
               x.id, x.seq, x.ts, x.duplicate, x.topics, x.keep, x.class,
               x.body
     ) AS r
     ORDER BY k.ord, x.n;
END
$$;

-- Everyone who is online according to the table, for a worker that took these
-- shards; and those whose change (again) its predecessor may not have told:
-- what is published by then stands in cs_chat.shards.
CREATE OR REPLACE FUNCTION cs_chat.presence_load(p_shards INT[])
RETURNS TABLE (id UUID, hidden BOOLEAN, online BOOLEAN, again BOOLEAN)
LANGUAGE sql STABLE
AS $$
    WITH mark AS MATERIALIZED (
        SELECT min(s.published) AS at
          FROM cs_chat.shards s
         WHERE s.shard = ANY (p_shards)
    )
    SELECT u.id, u.hidden, true, coalesce(u.presence_at >= m.at, false)
      FROM public.users u, mark m
     WHERE u.is_online
    UNION ALL
    SELECT u.id, u.hidden, false, true
      FROM mark m
      JOIN public.users u ON u.presence_at >= m.at
     WHERE NOT coalesce(u.is_online, false)
$$;

-- Tells again how it is.
CREATE OR REPLACE FUNCTION cs_chat.presence_again(p_users UUID[])
RETURNS SETOF cs_chat.outcome
LANGUAGE sql STABLE
AS $$
    SELECT e.*
      FROM unnest(p_users) WITH ORDINALITY AS i (id, ord)
      JOIN public.users u ON u.id = i.id
     CROSS JOIN LATERAL cs_chat.presence_events(
           i.ord::INT, u.id, u.username, coalesce(u.is_online, false)) e
     ORDER BY i.ord
$$;

-- Online agents who are free for the calling customer (agents.available).
CREATE OR REPLACE FUNCTION cs_chat.agents_available(p_caller UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    caller_role TEXT;
    body TEXT;
BEGIN
    SELECT u.role INTO caller_role FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;
    IF caller_role <> 'customer' THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED');
        RETURN;
    END IF;

    SELECT string_agg(cs_chat.user_json(u)::TEXT, ',' ORDER BY u.username)
      INTO body
      FROM public.users u
     WHERE u.role = 'agent' AND u.is_online AND NOT u.hidden
       AND NOT EXISTS (
            SELECT FROM public.chats c
             WHERE c.agent_id = u.id
               AND cs_chat.chat_state(c.status) = 0
               AND c.customer_id <> p_caller);

    RETURN NEXT cs_chat.success(200, '[' || coalesce(body, '') || ']');
END
$$;

-- Online customers whom no other agent serves (customers.available).
CREATE OR REPLACE FUNCTION cs_chat.customers_available(p_caller UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    caller_role TEXT;
    body TEXT;
BEGIN
    SELECT u.role INTO caller_role FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;
    IF caller_role NOT IN ('agent', 'super-agent') THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED');
        RETURN;
    END IF;

    SELECT string_agg(
               cs_chat.user_json_for(u, p_caller, caller_role)::TEXT, ','
               ORDER BY u.username)
      INTO body
      FROM public.users u
     WHERE u.role = 'customer' AND u.is_online AND NOT u.hidden
       AND NOT EXISTS (
            SELECT FROM public.chats c
             WHERE c.customer_id = u.id
               AND cs_chat.chat_state(c.status) = 0
               AND c.agent_id <> p_caller);

    RETURN NEXT cs_chat.success(200, '[' || coalesce(body, '') || ']');
END
$$;

-- Answers while the database does (health).
CREATE OR REPLACE FUNCTION cs_chat.health()
RETURNS INT
LANGUAGE sql IMMUTABLE
AS $$
    SELECT 1
$$;
