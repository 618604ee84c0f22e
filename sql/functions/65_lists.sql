-- The lists that are read most: rows of plain columns, of which the worker
-- writes the JSON (worker/view.c), which costs half of what to_json() does.
-- People come first, each once, and then the rows that they belong to: the
-- branches of a UNION ALL come in their order.
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
-- (from the newest), p_before_seq, p_before_time and p_after_seq is given; what
-- is a literal costs the statement nothing.
-- First the chat's customer and agent: rows with sender and sender_json alone.
-- Then the messages, with sender_json only where the sender is somebody else.
-- No row: the caller is unknown.  One row of NULLs: they do not see the chat.
CREATE OR REPLACE FUNCTION cs_chat.page_of_messages(
    p_caller UUID, p_chat UUID, p_limit INT, p_offset INT,
    p_before_seq BIGINT, p_before_time TIMESTAMPTZ, p_after_seq BIGINT)
RETURNS TABLE (
    id UUID, sender UUID, content TEXT, type TEXT, created_at TIMESTAMP,
    client_id TEXT, sender_json TEXT, seq BIGINT)
LANGUAGE sql STABLE
AS $$
    SELECT p.*
      FROM public.users me
      LEFT JOIN public.chats c
             ON c.id = p_chat
            AND cs_chat.can_see(me.id, me.role, c.customer_id, c.agent_id)
      LEFT JOIN LATERAL (
            SELECT NULL::UUID, u.id, NULL::TEXT, NULL::TEXT, NULL::TIMESTAMP,
                   NULL::TEXT, cs_chat.sender_json(u)::TEXT, NULL::BIGINT
              FROM public.users u
             WHERE u.id = ANY (ARRAY[c.customer_id, c.agent_id])
            UNION ALL
            SELECT m.*
              FROM (SELECT n.id, n.sender_id, n.content, n.message_type::TEXT,
                           n.created_at, n.client_id::TEXT,
                           CASE WHEN n.sender_id <> c.customer_id
                                     AND n.sender_id IS DISTINCT FROM c.agent_id
                                THEN (SELECT cs_chat.sender_json(s)::TEXT
                                        FROM public.users s
                                       WHERE s.id = n.sender_id) END,
                           n.seq
                      FROM public.messages n
                     WHERE n.chat_id = c.id
                       AND n.seq <= cs_chat.page_end(c.id, c.last_seq, p_limit,
                               p_offset, p_before_seq, p_before_time,
                               p_after_seq)
                       AND n.seq > cs_chat.page_end(c.id, c.last_seq, p_limit,
                               p_offset, p_before_seq, p_before_time,
                               p_after_seq) - p_limit
                     ORDER BY n.seq) m
           ) p ON true
     WHERE me.id = p_caller
$$;

-- The chats that the caller sees, newest activity first (chats.list,
-- chats.archived): those of p_status, or with NULL all but the archived.
-- p_role is customer, agent or super-agent as a literal, so that the planner
-- leaves out what is for others; a person of another role gets no chat.
-- First the caller and the chats' customers and agents, in the order of their
-- ids: rows with person, and with e-mail addresses where they are for the
-- caller.  Then the chats, where person is NULL; sender_json is there where the
-- last message is by neither the customer nor the agent.  No row: the caller is
-- unknown.
--
-- However many chats there are, each branch walks an index, for each state that
-- is wanted, and stops when it has enough (active_at is updated_at by the hour,
-- so both sort alike).  Who wrote the last message has read it.
CREATE OR REPLACE FUNCTION cs_chat.page_of_chats(
    p_role TEXT, p_caller UUID, p_status TEXT, p_limit INT, p_offset INT)
RETURNS TABLE (
    id UUID, customer UUID, agent UUID, status TEXT, created_at TIMESTAMP,
    updated_at TIMESTAMP, last_seq BIGINT, read_seq BIGINT,
    message UUID, sender UUID, content TEXT, type TEXT,
    message_created_at TIMESTAMP, client_id TEXT, sender_json TEXT,
    person UUID, username TEXT, email TEXT, name TEXT, role TEXT, avatar TEXT,
    online BOOLEAN)
LANGUAGE sql STABLE
AS $$
    WITH page AS MATERIALIZED (
        SELECT p.*,
               CASE p_caller WHEN p.customer_id THEN p.customer_seq
                             WHEN p.agent_id THEN p.agent_seq END AS own_seq
          FROM (VALUES (CASE p_status WHEN 'archived' THEN 2
                                      WHEN 'closed' THEN 1 ELSE 0 END),
                       (CASE WHEN p_status IS NULL THEN 1 END))
               AS s (state)
         CROSS JOIN LATERAL (
            SELECT q.*
              FROM (SELECT k.*
                      FROM public.chats k
                     WHERE CASE p_role
                               WHEN 'customer' THEN k.customer_id = p_caller
                               WHEN 'agent' THEN k.agent_id = p_caller
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
         WHERE p_role = (SELECT CASE WHEN me.role IN ('agent', 'super-agent')
                                     THEN me.role ELSE 'customer' END
                           FROM public.users me
                          WHERE me.id = p_caller)
         ORDER BY p.active_at DESC, p.updated_at DESC, p.id
         LIMIT p_limit OFFSET p_offset)
    (SELECT NULL::UUID, NULL::UUID, NULL::UUID, NULL::TEXT, u.created_at,
            u.updated_at, NULL::BIGINT, NULL::BIGINT, NULL::UUID, NULL::UUID,
            NULL::TEXT, NULL::TEXT, NULL::TIMESTAMP, NULL::TEXT, NULL::TEXT,
            u.id, u.username::TEXT,
            CASE WHEN p_role = 'super-agent' OR u.id = p_caller
                 THEN u.email END::TEXT,
            u.name::TEXT, u.role::TEXT, u.avatar, cs_chat.is_online(u)
       FROM public.users u
      WHERE u.id = ANY (ARRAY(
                SELECT p_caller
                UNION ALL
                SELECT p.customer_id FROM page p WHERE p_role <> 'customer'
                UNION ALL
                SELECT p.agent_id FROM page p))
      ORDER BY u.id)
    UNION ALL
    SELECT c.id, c.customer_id, c.agent_id,
           coalesce(c.status, 'active')::TEXT, c.created_at, c.updated_at,
           c.last_seq,
           CASE WHEN c.own_seq >= c.last_seq THEN c.own_seq
                ELSE greatest(c.own_seq,
                        (SELECT r.seq
                           FROM public.chat_reads r
                          WHERE r.chat_id = c.id AND r.user_id = p_caller))
                END,
           m.id, m.sender_id, m.content, m.message_type::TEXT, m.created_at,
           m.client_id::TEXT,
           CASE WHEN m.sender_id <> c.customer_id
                     AND m.sender_id IS DISTINCT FROM c.agent_id
                THEN (SELECT cs_chat.sender_json(s)::TEXT
                        FROM public.users s
                       WHERE s.id = m.sender_id) END,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL
      FROM page c
      LEFT JOIN public.messages m
             ON m.chat_id = c.id AND m.seq = nullif(c.last_seq, 0)
$$;
