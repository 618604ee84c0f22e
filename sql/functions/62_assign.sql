-- Giving a chat to an agent, or back to the queue.

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
