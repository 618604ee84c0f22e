-- Chats: the list, one chat, and what changes a chat.

-- One chat with its last 50 messages, oldest first (chats.get).
CREATE OR REPLACE FUNCTION cs_chat.chats_get(p_caller UUID, p_chat UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    me_id UUID;
    found_id UUID;
    body TEXT;
BEGIN
    SELECT me.id, c.id,
           cs_chat.chat_json_messages(c, cs_chat.read_seq(me.id, r.seq, c.customer_id,
                   c.customer_seq, c.agent_id, c.agent_seq),
               cs_chat.user_json_for(cu, me.id, me.role),
               CASE WHEN ag.id IS NOT NULL THEN
                   cs_chat.user_json_for(ag, me.id, me.role) END,
               l.last_message, l.messages)::TEXT
      INTO me_id, found_id, body
      FROM public.users me
      LEFT JOIN public.chats c
             ON c.id = p_chat
            AND cs_chat.can_see(me.id, me.role, c.customer_id, c.agent_id)
      LEFT JOIN public.users cu ON cu.id = c.customer_id
      LEFT JOIN public.users ag ON ag.id = c.agent_id
      LEFT JOIN public.chat_reads r
             ON r.chat_id = c.id AND r.user_id = me.id
      LEFT JOIN LATERAL (
            SELECT (array_agg(x.message ORDER BY x.seq DESC))[1]
                   AS last_message,
                   ('[' || coalesce(string_agg(x.message::TEXT, ','
                       ORDER BY x.seq), '') || ']')::JSON AS messages
              FROM (SELECT m.seq, cs_chat.message_json(m, su) AS message
                      FROM public.messages m
                      JOIN public.users su ON su.id = m.sender_id
                     WHERE m.chat_id = c.id
                       AND m.seq > c.last_seq - 50) x
           ) l ON true
     WHERE me.id = p_caller;

    IF me_id IS NULL THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
    ELSIF found_id IS NULL THEN
        RETURN NEXT cs_chat.refusal(1, 'CHAT_NOT_FOUND');
    ELSE
        RETURN NEXT cs_chat.success(200, body, chat => p_chat);
    END IF;
END
$$;

-- Opens a chat under the id p_chat, which the caller of this function made
-- (chats.create).  A customer may leave p_customer out.  The same request
-- again, with the same p_chat, finds the chat it made and makes no event.
CREATE OR REPLACE FUNCTION cs_chat.chats_create(
    p_caller UUID, p_chat UUID, p_customer UUID, p_agent UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    me public.users;
    customer public.users;
    agent public.users;
    c public.chats;
    at TIMESTAMP;
BEGIN
    SELECT u.* INTO me FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;

    IF p_customer IS NULL AND me.role IN ('agent', 'super-agent') THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_INPUT', 'customerId',
            'The customerId is required.');
        RETURN;
    END IF;

    SELECT u.* INTO customer
      FROM public.users u WHERE u.id = coalesce(p_customer, p_caller);
    SELECT u.* INTO agent FROM public.users u WHERE u.id = p_agent;

    IF customer.id <> p_caller AND customer.role <> 'customer'
       OR customer.id = p_caller AND me.role IN ('agent', 'super-agent') THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_INPUT', 'customerId',
            'The customerId must be the id of a customer.');
        RETURN;
    END IF;
    IF agent.role NOT IN ('agent', 'super-agent') THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_INPUT', 'agentId',
            'The agentId must be the id of an agent.');
        RETURN;
    END IF;

    IF customer.id IS NULL THEN
        RETURN NEXT cs_chat.refusal(1, 'USER_NOT_FOUND', 'customerId');
        RETURN;
    END IF;
    IF p_agent IS NOT NULL AND agent.id IS NULL THEN
        RETURN NEXT cs_chat.refusal(1, 'USER_NOT_FOUND', 'agentId');
        RETURN;
    END IF;

    IF me.role NOT IN ('agent', 'super-agent') AND customer.id <> me.id THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED', 'customerId',
            'A customer may open only chats of their own.');
        RETURN;
    END IF;
    IF me.role = 'agent' AND agent.id <> me.id THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED', 'agentId',
            'An agent may name no other agent.');
        RETURN;
    END IF;

    at := cs_chat.utc_now();
    INSERT INTO public.chats AS n
           (id, customer_id, agent_id, status, created_at, updated_at)
    VALUES (p_chat, customer.id, agent.id, 'active', at, at)
    ON CONFLICT (id) DO NOTHING
    RETURNING n.* INTO c;

    IF FOUND THEN
        RETURN NEXT cs_chat.success(201, cs_chat.chat_body(c, me),
            chat => c.id);
        RETURN NEXT cs_chat.event(1,
            cs_chat.chat_topics(c.id, c.customer_id, c.agent_id), NULL,
            'chat', c.id, NULL,
            cs_chat.new_chat_json(c.id, cs_chat.chat_json_event(c,
                cs_chat.user_json(customer),
                CASE WHEN agent.id IS NOT NULL THEN
                    cs_chat.user_json(agent) END,
                NULL)));
        RETURN;
    END IF;

    SELECT n.* INTO c
      FROM public.chats n
     WHERE n.id = p_chat AND n.customer_id = customer.id
       AND cs_chat.can_see(me.id, me.role, n.customer_id, n.agent_id);
    IF FOUND THEN
        RETURN NEXT cs_chat.success(201, cs_chat.chat_body(c, me),
            chat => c.id);
    ELSE
        RETURN NEXT cs_chat.refusal(1, 'CONFLICT');
    END IF;
END
$$;

-- Sets the status of a chat, for the two functions below.  p_customers: they
-- may do this too.  The event comes only when the status really changed.
CREATE OR REPLACE FUNCTION cs_chat.change_status(
    p_caller UUID, p_chat UUID, p_status TEXT, p_customers BOOLEAN,
    p_sentence TEXT)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    me public.users;
    c public.chats;
    changed BOOLEAN := false;
BEGIN
    SELECT u.* INTO me FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;

    SELECT n.* INTO c
      FROM public.chats n WHERE n.id = p_chat FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT cs_chat.can_see(
           me.id, me.role, c.customer_id, c.agent_id) THEN
        RETURN NEXT cs_chat.refusal(1, 'CHAT_NOT_FOUND');
        RETURN;
    END IF;
    IF NOT p_customers AND me.role NOT IN ('agent', 'super-agent') THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED', NULL,
            'A customer may close or archive a chat, not reopen it.');
        RETURN;
    END IF;

    IF coalesce(c.status, 'active') <> p_status THEN
        changed := true;
        UPDATE public.chats n
           SET status = p_status, updated_at = cs_chat.utc_now()
         WHERE n.id = p_chat
        RETURNING n.* INTO c;
    END IF;

    RETURN NEXT cs_chat.success(200, cs_chat.chat_body(c, me), p_sentence,
        chat => c.id);
    IF changed THEN
        RETURN NEXT cs_chat.event(1,
            cs_chat.chat_topics(c.id, c.customer_id, c.agent_id), NULL,
            'chat', c.id, NULL, cs_chat.status_json(c.id, p_status));
    END IF;
END
$$;

-- chats.status, chats.archive: customers may close and archive, not open.
CREATE OR REPLACE FUNCTION cs_chat.chats_set_status(
    p_caller UUID, p_chat UUID, p_status TEXT)
RETURNS SETOF cs_chat.outcome
LANGUAGE sql VOLATILE
AS $$
    SELECT * FROM cs_chat.change_status(p_caller, p_chat, p_status,
        p_status <> 'active',
        CASE p_status WHEN 'archived' THEN 'Chat archived'
                      ELSE 'Chat status updated' END);
$$;

-- chats.unarchive: everyone who sees the chat may.
CREATE OR REPLACE FUNCTION cs_chat.chats_unarchive(p_caller UUID, p_chat UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE sql VOLATILE
AS $$
    SELECT * FROM cs_chat.change_status(p_caller, p_chat, 'active', true,
        'Chat unarchived');
$$;

-- Why an agent does not find a chat: it may have been taken from under their
-- hands while the request, of which p_request is a UUIDv7, was on its way.
CREATE OR REPLACE FUNCTION cs_chat.not_found_by(
    me public.users, p_request UUID, assigned_at TIMESTAMP)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN (me).role = 'agent'
                     AND cs_chat.made_before(p_request, assigned_at)
                THEN 'CHAT_ASSIGNED' ELSE 'CHAT_NOT_FOUND' END
$$;

-- Why a person who sees a chat may not give it to an agent (NULL: nobody);
-- NULL where they may.
CREATE OR REPLACE FUNCTION cs_chat.assign_denied(
    me public.users, c public.chats, p_agent UUID)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN (me).role = 'super-agent' THEN NULL
        WHEN (me).role <> 'agent' THEN 'Customers assign no chats.'
        WHEN (c).agent_id = (me).id THEN NULL
        WHEN (c).agent_id IS NOT NULL
        THEN 'Only the agent of a chat or a super-agent may assign it.'
        WHEN p_agent <> (me).id
        THEN 'An agent may take a chat from the queue only for themselves.'
    END
$$;

-- Who comes to see a chat that goes from one agent to another: NULL for
-- nobody, as who takes a chat from the queue has seen it there.
CREATE OR REPLACE FUNCTION cs_chat.assign_gain(
    before UUID, agent public.users)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN before IS NULL THEN NULL
        WHEN (agent).id IS NULL THEN 'role:agent'
        WHEN (agent).role = 'agent' THEN 'user:' || (agent).id::TEXT
    END
$$;

-- The events of a chat that has gone from one agent to another: new_chat to
-- those who had not seen it, then chat_assigned to all who saw it or see it
-- now, after which those who lost sight of it follow it no longer.
CREATE OR REPLACE FUNCTION cs_chat.assign_events(
    c public.chats, before UUID, agent public.users)
RETURNS SETOF cs_chat.outcome
LANGUAGE sql STABLE
AS $$
    SELECT e.*
      FROM public.users cu
      LEFT JOIN public.messages m
             ON m.chat_id = (c).id AND m.seq = (c).last_seq
      LEFT JOIN public.users su ON su.id = m.sender_id
     CROSS JOIN LATERAL cs_chat.event(1,
           cs_chat.assign_gain(before, agent), NULL, 'chat', (c).id, NULL,
           cs_chat.new_chat_json((c).id, cs_chat.chat_json_event(c,
               cs_chat.user_json(cu),
               CASE WHEN (agent).id IS NOT NULL THEN
                   cs_chat.user_json(agent) END,
               CASE WHEN m.id IS NOT NULL THEN
                   cs_chat.message_json(m, su) END))) e
     WHERE cu.id = (c).customer_id
       AND cs_chat.assign_gain(before, agent) IS NOT NULL
    UNION ALL
    SELECT e.*
      FROM cs_chat.event(1,
           cs_chat.chat_topics((c).id, (c).customer_id, (c).agent_id)
           || CASE WHEN before IS NOT NULL THEN ',user:' || before::TEXT
                   ELSE ',role:agent' END,
           cs_chat.chat_keep((c).customer_id, (c).agent_id), 'chat', (c).id,
           NULL, cs_chat.assigned_json((c).id, agent)) e
$$;

-- Gives a chat to an agent, or with NULL back to the queue (chats.assign).
-- assigned_at is set in both cases: it tells whom a request was overtaken by,
-- and what a take-over may have to tell again.
CREATE OR REPLACE FUNCTION cs_chat.chats_assign(
    p_caller UUID, p_chat UUID, p_agent UUID, p_request UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    me public.users;
    agent public.users;
    c public.chats;
    before UUID;
    at TIMESTAMP;
    denied TEXT;
BEGIN
    SELECT u.* INTO me FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;

    SELECT u.* INTO agent FROM public.users u WHERE u.id = p_agent;
    SELECT n.* INTO c
      FROM public.chats n WHERE n.id = p_chat FOR NO KEY UPDATE;

    IF agent.role NOT IN ('agent', 'super-agent') THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_INPUT', 'agentId',
            'The agentId must be the id of an agent.');
        RETURN;
    END IF;
    IF c.id IS NULL OR NOT cs_chat.can_see(
           me.id, me.role, c.customer_id, c.agent_id) THEN
        RETURN NEXT cs_chat.refusal(1,
            cs_chat.not_found_by(me, p_request, c.assigned_at));
        RETURN;
    END IF;
    IF p_agent IS NOT NULL AND agent.id IS NULL THEN
        RETURN NEXT cs_chat.refusal(1, 'USER_NOT_FOUND', 'agentId');
        RETURN;
    END IF;
    IF p_agent = c.customer_id THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_INPUT', 'agentId',
            'The customer of a chat can not be its agent.');
        RETURN;
    END IF;

    denied := cs_chat.assign_denied(me, c, p_agent);
    IF denied IS NOT NULL THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED', NULL, denied);
        RETURN;
    END IF;
    IF c.status = 'archived' THEN
        RETURN NEXT cs_chat.refusal(1, 'CHAT_ARCHIVED');
        RETURN;
    END IF;

    before := c.agent_id;
    at := cs_chat.utc_now();
    IF before IS DISTINCT FROM p_agent THEN
        UPDATE public.chats n
           SET agent_id = p_agent, assigned_at = at, updated_at = at
         WHERE n.id = p_chat
        RETURNING n.* INTO c;
    END IF;

    RETURN NEXT cs_chat.success(200, cs_chat.chat_body(c, me),
        CASE WHEN p_agent IS NULL THEN 'Chat returned to the queue'
             ELSE 'Chat assigned' END, chat => c.id);
    IF before IS DISTINCT FROM p_agent THEN
        RETURN QUERY
        SELECT e.* FROM cs_chat.assign_events(c, before, agent) e;
    END IF;
END
$$;

-- Deletes a chat with its messages (chats.delete): for its agent and
-- super-agents.  Nobody goes on following it.
CREATE OR REPLACE FUNCTION cs_chat.chats_delete(p_caller UUID, p_chat UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    me public.users;
    c public.chats;
BEGIN
    SELECT u.* INTO me FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;

    SELECT n.* INTO c FROM public.chats n WHERE n.id = p_chat FOR UPDATE;
    IF NOT FOUND OR NOT cs_chat.can_see(
           me.id, me.role, c.customer_id, c.agent_id) THEN
        RETURN NEXT cs_chat.refusal(1, 'CHAT_NOT_FOUND');
        RETURN;
    END IF;
    IF me.role <> 'super-agent' AND c.agent_id IS DISTINCT FROM me.id THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED', NULL,
            'Only the agent of a chat or a super-agent may delete it.');
        RETURN;
    END IF;

    DELETE FROM public.chats n WHERE n.id = p_chat;

    RETURN NEXT cs_chat.success(200, NULL, 'Chat deleted', chat => c.id);
    RETURN NEXT cs_chat.event(1,
        cs_chat.chat_topics(c.id, c.customer_id, c.agent_id), '', 'chat',
        c.id, NULL,
        '{"type":"chat_deleted","data":{"chatId":"' || c.id::TEXT
        || '"},"chatId":"' || c.id::TEXT || '"}');
END
$$;

-- The messages of a chat from first to last, as rows of kind "replay": events
-- for the asking socket, in order.
CREATE OR REPLACE FUNCTION cs_chat.replay(
    p_chat UUID, p_first BIGINT, p_last BIGINT)
RETURNS SETOF cs_chat.outcome
LANGUAGE sql STABLE
AS $$
    SELECT 1, 'replay', NULL::INT, NULL, NULL, NULL, p_chat, m.id, m.seq,
           NULL, NULL::BOOLEAN, NULL, NULL, 'message',
           cs_chat.new_message_json(p_chat, cs_chat.message_json(m, su))
      FROM public.messages m
      JOIN public.users su ON su.id = m.sender_id
     WHERE m.chat_id = p_chat AND m.seq BETWEEN p_first AND p_last
     ORDER BY m.seq
$$;

-- The chat that the caller begins to follow, or why they may not: one of
-- refused and c is NULL.
CREATE OR REPLACE FUNCTION cs_chat.chat_to_follow(
    p_caller UUID, p_chat UUID, OUT refused TEXT, OUT c public.chats)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    me public.users;
BEGIN
    SELECT u.* INTO me FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        refused := 'INVALID_TOKEN';
        RETURN;
    END IF;

    SELECT n.* INTO c FROM public.chats n WHERE n.id = p_chat;
    IF NOT FOUND OR NOT cs_chat.can_see(
           me.id, me.role, c.customer_id, c.agent_id) THEN
        refused := 'CHAT_NOT_FOUND';
        c := NULL;
    END IF;
END
$$;

-- Begins to follow a chat (chats.join).  With p_after: all messages after it,
-- as events for the asking socket; where more than 500 are missing it is told
-- to fetch them instead.
CREATE OR REPLACE FUNCTION cs_chat.chats_join(
    p_caller UUID, p_chat UUID, p_after BIGINT)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    follow RECORD;
    c public.chats;
BEGIN
    follow := cs_chat.chat_to_follow(p_caller, p_chat);
    IF follow.refused IS NOT NULL THEN
        RETURN NEXT cs_chat.refusal(1, follow.refused);
        RETURN;
    END IF;
    c := follow.c;

    RETURN NEXT cs_chat.success(200,
        '{"chatId":"' || c.id::TEXT || '","lastSeq":' || c.last_seq::TEXT
        || '}', chat => c.id, seq => c.last_seq);

    IF p_after >= c.last_seq - 500 AND p_after < c.last_seq THEN
        RETURN QUERY
        SELECT r.* FROM cs_chat.replay(c.id, p_after + 1, c.last_seq) r;
    ELSIF p_after < c.last_seq THEN
        RETURN QUERY
        SELECT 1, 'replay', NULL::INT, NULL, NULL, NULL, c.id, NULL::UUID,
               NULL::BIGINT, NULL, NULL::BOOLEAN, NULL, NULL, 'chat',
               '{"type":"resync","data":{"reason":"more than 500 messages of '
               || 'a chat are missing"},"chatId":"' || c.id::TEXT || '"}';
    END IF;
END
$$;

-- Goes on following a chat after a reconnect (chats.resume): the same, but the
-- answer says where the chat stands and whether all that was missed is coming.
-- An older state than the client's, as after a restore, can't be made up for.
CREATE OR REPLACE FUNCTION cs_chat.chats_resume(
    p_caller UUID, p_chat UUID, p_after BIGINT)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    follow RECORD;
    c public.chats;
BEGIN
    follow := cs_chat.chat_to_follow(p_caller, p_chat);
    IF follow.refused IS NOT NULL THEN
        RETURN NEXT cs_chat.refusal(1, follow.refused);
        RETURN;
    END IF;
    c := follow.c;

    IF p_after BETWEEN c.last_seq - 500 AND c.last_seq THEN
        RETURN NEXT cs_chat.success(200,
            '{"chatId":"' || c.id::TEXT || '","recovered":true,"fromSeq":'
            || (p_after + 1)::TEXT || ',"toSeq":' || c.last_seq::TEXT
            || ',"status":' || to_json(coalesce(c.status, 'active'))::TEXT
            || ',"agentId":' || coalesce('"' || c.agent_id::TEXT || '"', 'null')
            || '}', chat => c.id, seq => c.last_seq);
        RETURN QUERY
        SELECT r.* FROM cs_chat.replay(c.id, p_after + 1, c.last_seq) r;
    ELSE
        RETURN NEXT cs_chat.success(200,
            '{"chatId":"' || c.id::TEXT || '","recovered":false,"lastSeq":'
            || c.last_seq::TEXT || '}', chat => c.id, seq => c.last_seq);
    END IF;
END
$$;

-- Somebody begins or ends to write in a chat (typing.start, typing.stop): an
-- event for those who are in it, its customer, its agent and who joined it.
CREATE OR REPLACE FUNCTION cs_chat.chats_typing(
    p_caller UUID, p_chat UUID, p_typing BOOLEAN)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    follow RECORD;
    c public.chats;
BEGIN
    follow := cs_chat.chat_to_follow(p_caller, p_chat);
    IF follow.refused IS NOT NULL THEN
        RETURN NEXT cs_chat.refusal(1, follow.refused);
        RETURN;
    END IF;
    c := follow.c;

    RETURN NEXT cs_chat.success(200, NULL, chat => c.id);
    RETURN NEXT cs_chat.event(1,
        'user:' || c.customer_id::TEXT
        || coalesce(',user:' || c.agent_id::TEXT, '') || ',chat:' || c.id::TEXT,
        NULL, CASE WHEN p_typing THEN 'typing' ELSE 'typed' END, c.id, NULL,
        '{"type":"user_typing","data":{"chatId":"' || c.id::TEXT
        || '","userId":"' || p_caller::TEXT || '","isTyping":'
        || p_typing::TEXT || '}}');
END
$$;

-- Ends following a chat (chats.leave): tells only where it stands.
CREATE OR REPLACE FUNCTION cs_chat.chats_leave(p_caller UUID, p_chat UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE sql STABLE
AS $$
    SELECT j.* FROM cs_chat.chats_join(p_caller, p_chat, NULL) j
$$;
