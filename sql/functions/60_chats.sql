-- Chats: one chat, and what changes a chat.

-- One chat with its last 50 messages, oldest first, and how far they are read
-- (chats.get).
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
           left(cs_chat.chat_json_messages(c, cs_chat.read_seq(me.id, r.seq, c.customer_id,
                   c.customer_seq, c.agent_id, c.agent_seq),
               cs_chat.user_json_for(cu, me.id, me.role),
               CASE WHEN ag.id IS NOT NULL THEN
                   cs_chat.user_json_for(ag, me.id, me.role) END,
               l.last_message, l.messages)::TEXT, -1)
           || ',"reads":' || cs_chat.reads_json(c) || '}'
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
