-- The lists that are read most: rows of plain columns, of which the worker
-- writes the JSON (worker/view.c), which costs half of what to_json() does.
--
-- A single SELECT each, so that the worker's prepared statement takes them in
-- and plans them once a session.  The worker's sessions plan for look-ups by
-- index, whatever the statistics say of tables that were empty yesterday.

-- The number of a chat's last message before a time, by halving: the times of a
-- chat's messages rise with their numbers.
CREATE OR REPLACE FUNCTION cs_chat.seq_before(
    p_chat UUID, p_last BIGINT, p_at TIMESTAMP)
RETURNS BIGINT
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    low BIGINT := 0;
    high BIGINT := p_last;
    middle BIGINT;
    before BOOLEAN;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT m.created_at < p_at INTO before
          FROM public.messages m
         WHERE m.chat_id = p_chat AND m.seq = middle;
        IF before THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$$;

-- The end of a page of messages: the number of its last one, if there are so
-- many.  Numbers have no gap, so that every page is a range of them.
CREATE OR REPLACE FUNCTION cs_chat.page_end(
    chat UUID, last_seq BIGINT, lim INT, skip INT, before_seq BIGINT,
    before_time TIMESTAMPTZ, after_seq BIGINT)
RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN after_seq IS NOT NULL THEN least(after_seq, last_seq) + lim
        WHEN before_seq IS NOT NULL THEN least(before_seq - 1, last_seq)
        WHEN before_time IS NOT NULL
        THEN cs_chat.seq_before(chat, last_seq, timezone('UTC', before_time))
        ELSE last_seq - coalesce(skip, 0)
    END
$$;

-- Messages of a chat, oldest first (messages.list).  At most one of p_offset
-- (from the newest), p_before_seq, p_before_time and p_after_seq is given.
-- No row: the caller is unknown.  chat is NULL, in the only row, where they do
-- not see the chat, and id where the page is empty.  sender_json is made once
-- for the customer and once for the agent.  The rows come in the order of the
-- only relation that has more than one.
CREATE OR REPLACE FUNCTION cs_chat.messages_page(
    p_caller UUID, p_chat UUID, p_limit INT, p_offset INT,
    p_before_seq BIGINT, p_before_time TIMESTAMPTZ, p_after_seq BIGINT)
RETURNS TABLE (
    chat UUID, id UUID, sender UUID, content TEXT, type TEXT,
    created_at TIMESTAMP, client_id TEXT, sender_json TEXT, seq BIGINT)
LANGUAGE sql STABLE
AS $$
    SELECT c.id, m.id, m.sender_id, m.content,
           coalesce(m.message_type, 'text')::TEXT, m.created_at,
           m.client_id::TEXT,
           CASE m.sender_id
               WHEN c.customer_id
               THEN (SELECT cs_chat.sender_json(u)::TEXT
                       FROM public.chats k
                       JOIN public.users u ON u.id = k.customer_id
                      WHERE k.id = p_chat)
               WHEN c.agent_id
               THEN (SELECT cs_chat.sender_json(u)::TEXT
                       FROM public.chats k
                       JOIN public.users u ON u.id = k.agent_id
                      WHERE k.id = p_chat)
               ELSE (SELECT cs_chat.sender_json(u)::TEXT
                       FROM public.users u
                      WHERE u.id = m.sender_id)
           END,
           m.seq
      FROM public.users me
      LEFT JOIN public.chats c
             ON c.id = p_chat
            AND cs_chat.can_see(me.id, me.role, c.customer_id, c.agent_id)
      LEFT JOIN LATERAL (
            SELECT n.*
              FROM public.messages n
             WHERE n.chat_id = c.id
               AND n.seq <= cs_chat.page_end(c.id, c.last_seq, p_limit,
                       p_offset, p_before_seq, p_before_time, p_after_seq)
               AND n.seq > cs_chat.page_end(c.id, c.last_seq, p_limit,
                       p_offset, p_before_seq, p_before_time, p_after_seq)
                       - p_limit
             ORDER BY n.seq
           ) m ON true
     WHERE me.id = p_caller
$$;

-- The chats that the caller sees, newest activity first (chats.list,
-- chats.archived): those of p_status, or with NULL all but the archived.
-- p_role is customer, agent or super-agent as a literal, so that the planner
-- leaves out what is for others; a person of another role gets no chat.  No
-- row: the caller is unknown.  id is NULL, in the only row, where there is no
-- chat.  E-mail addresses are NULL where they are not for the caller, and
-- sender_json is there where the last message is by neither the customer nor
-- the agent.
--
-- However many chats there are, each branch walks an index, for each state that
-- is wanted, and stops when it has enough (active_at is updated_at by the hour,
-- so both sort alike).
CREATE OR REPLACE FUNCTION cs_chat.chats_page(
    p_role TEXT, p_caller UUID, p_status TEXT, p_limit INT, p_offset INT)
RETURNS TABLE (
    viewer_role TEXT, id UUID, customer UUID, agent UUID, status TEXT,
    created_at TIMESTAMP, updated_at TIMESTAMP, last_seq BIGINT,
    read_seq BIGINT,
    customer_username TEXT, customer_email TEXT, customer_name TEXT,
    customer_role TEXT, customer_avatar TEXT, customer_online BOOLEAN,
    customer_created_at TIMESTAMP, customer_updated_at TIMESTAMP,
    agent_username TEXT, agent_email TEXT, agent_name TEXT, agent_role TEXT,
    agent_avatar TEXT, agent_online BOOLEAN, agent_created_at TIMESTAMP,
    agent_updated_at TIMESTAMP,
    message UUID, sender UUID, content TEXT, type TEXT,
    message_created_at TIMESTAMP, client_id TEXT, sender_json TEXT)
LANGUAGE sql STABLE
AS $$
    SELECT me.role::TEXT, c.id, c.customer_id, c.agent_id,
           coalesce(c.status, 'active')::TEXT, c.created_at, c.updated_at,
           c.last_seq,
           cs_chat.read_seq(me.id,
               (SELECT r.seq
                  FROM public.chat_reads r
                 WHERE r.chat_id = c.id AND r.user_id = me.id),
               c.customer_id, c.customer_seq, c.agent_id, c.agent_seq),
           -- the customer of their own list is the caller
           CASE p_role WHEN 'customer' THEN me.username
                       ELSE cu.username END::TEXT,
           CASE p_role WHEN 'customer' THEN me.email
                       WHEN 'super-agent' THEN cu.email END::TEXT,
           CASE p_role WHEN 'customer' THEN me.name ELSE cu.name END::TEXT,
           CASE p_role WHEN 'customer' THEN me.role ELSE cu.role END::TEXT,
           CASE p_role WHEN 'customer' THEN me.avatar ELSE cu.avatar END,
           CASE p_role WHEN 'customer' THEN cs_chat.is_online(me)
                       ELSE cs_chat.is_online(cu) END,
           CASE p_role WHEN 'customer' THEN me.created_at
                       ELSE cu.created_at END,
           CASE p_role WHEN 'customer' THEN me.updated_at
                       ELSE cu.updated_at END,
           ag.username::TEXT,
           CASE WHEN p_role = 'super-agent' OR ag.id = me.id
                THEN ag.email END::TEXT,
           ag.name::TEXT, ag.role::TEXT, ag.avatar, cs_chat.is_online(ag),
           ag.created_at, ag.updated_at,
           m.id, m.sender_id, m.content,
           coalesce(m.message_type, 'text')::TEXT, m.created_at,
           m.client_id::TEXT,
           CASE WHEN m.sender_id <> c.customer_id
                     AND m.sender_id IS DISTINCT FROM c.agent_id
                THEN (SELECT cs_chat.sender_json(su)::TEXT
                        FROM public.users su
                       WHERE su.id = m.sender_id) END
      FROM public.users me
      LEFT JOIN LATERAL (
            SELECT p.*
              FROM (VALUES (CASE p_status WHEN 'archived' THEN 2
                                          WHEN 'closed' THEN 1 ELSE 0 END),
                           (CASE WHEN p_status IS NULL THEN 1 END))
                   AS s (state)
             CROSS JOIN LATERAL (
                SELECT q.*
                  FROM (SELECT k.*
                          FROM public.chats k
                         WHERE CASE p_role
                                   WHEN 'customer' THEN k.customer_id = me.id
                                   WHEN 'agent' THEN k.agent_id = me.id
                                   ELSE p_role = 'super-agent' END
                           AND cs_chat.chat_state(k.status) = s.state
                           AND (p_status IS NULL
                                OR coalesce(k.status, 'active') = p_status)
                         ORDER BY k.active_at DESC, k.updated_at DESC, k.id
                         LIMIT p_offset::BIGINT + p_limit) q
                UNION ALL
                SELECT q.*
                  FROM (SELECT k.*
                          FROM public.chats k
                         WHERE k.agent_id IS NULL
                           AND cs_chat.chat_state(k.status) = s.state
                           AND (p_status IS NULL
                                OR coalesce(k.status, 'active') = p_status)
                         ORDER BY k.active_at DESC, k.updated_at DESC, k.id
                         LIMIT p_offset::BIGINT + p_limit) q
                 WHERE p_role = 'agent'
              ) p
             ORDER BY p.active_at DESC, p.updated_at DESC, p.id
             LIMIT p_limit OFFSET p_offset
           ) c ON CASE WHEN me.role IN ('agent', 'super-agent') THEN me.role
                       ELSE 'customer' END = p_role
      LEFT JOIN public.users cu
             ON p_role <> 'customer' AND cu.id = c.customer_id
      LEFT JOIN public.users ag ON ag.id = c.agent_id
      LEFT JOIN public.messages m
             ON m.chat_id = c.id AND m.seq = nullif(c.last_seq, 0)
     WHERE me.id = p_caller
$$;
