-- The rules that several operations share.

-- Whether the person sees the chat: its customer, its agent, every
-- super-agent, and every agent while it has none.
CREATE OR REPLACE FUNCTION cs_chat.can_see(
    person UUID, role TEXT, customer UUID, agent UUID)
RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT customer = person OR role = 'super-agent'
        OR coalesce(agent = person, role = 'agent')
$$;

-- The state of a chat, as the indexes over chats have it: 0 active, 1 closed,
-- 2 archived.
CREATE OR REPLACE FUNCTION cs_chat.chat_state(status VARCHAR)
RETURNS INT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE coalesce(status, 'active') WHEN 'active' THEN 0
           WHEN 'archived' THEN 2 ELSE 1 END
$$;

-- The topics of an event about a chat.
CREATE OR REPLACE FUNCTION cs_chat.chat_topics(
    chat UUID, customer UUID, agent UUID)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT 'user:' || customer::TEXT
           || coalesce(',user:' || agent::TEXT, ',role:agent')
           || ',role:super-agent,chat:' || chat::TEXT
$$;

-- The topics whose sockets may go on following a chat.
CREATE OR REPLACE FUNCTION cs_chat.chat_keep(customer UUID, agent UUID)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT 'user:' || customer::TEXT
           || coalesce(',user:' || agent::TEXT, ',role:agent')
           || ',role:super-agent'
$$;

-- The time in UTC, as the tables keep it.
CREATE OR REPLACE FUNCTION cs_chat.utc_now()
RETURNS TIMESTAMP
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
    SELECT timezone('UTC', clock_timestamp())
$$;

-- One chat as the viewer sees it, as data of a reply.
CREATE OR REPLACE FUNCTION cs_chat.chat_body(c public.chats, viewer public.users)
RETURNS TEXT
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    body TEXT;
BEGIN
    SELECT cs_chat.chat_json(c, cs_chat.read_seq(viewer.id, r.seq, c.customer_id,
                   c.customer_seq, c.agent_id, c.agent_seq),
               cs_chat.user_json_for(cu, viewer.id, viewer.role),
               CASE WHEN ag.id IS NOT NULL THEN
                   cs_chat.user_json_for(ag, viewer.id, viewer.role) END,
               CASE WHEN m.id IS NOT NULL THEN
                   cs_chat.message_json(m, su) END)
      INTO body
      FROM public.users cu
      LEFT JOIN public.users ag ON ag.id = c.agent_id
      LEFT JOIN public.messages m ON m.chat_id = c.id AND m.seq = c.last_seq
      LEFT JOIN public.users su ON su.id = m.sender_id
      LEFT JOIN public.chat_reads r
             ON r.chat_id = c.id AND r.user_id = viewer.id
     WHERE cu.id = c.customer_id;

    RETURN body;
END
$$;

-- The event that brings a new chat; chat is what chat_json_event() made.
CREATE OR REPLACE FUNCTION cs_chat.new_chat_json(chat_id UUID, chat JSON)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT '{"type":"new_chat","data":' || chat::TEXT || ',"chatId":"'
           || chat_id::TEXT || '"}'
$$;

-- The event that tells the status of a chat.
CREATE OR REPLACE FUNCTION cs_chat.status_json(chat_id UUID, status TEXT)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT '{"type":"chat_status_updated","data":{"chatId":"'
           || chat_id::TEXT || '","status":' || to_json(status)::TEXT
           || '},"chatId":"' || chat_id::TEXT || '"}'
$$;

-- The event that tells whose chat it is now; agent NULL: nobody's.
CREATE OR REPLACE FUNCTION cs_chat.assigned_json(
    chat_id UUID, agent public.users)
RETURNS TEXT
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT '{"type":"chat_assigned","data":{"chatId":"' || chat_id::TEXT
           || '","agentId":'
           || coalesce('"' || (agent).id::TEXT || '"', 'null') || ',"agent":'
           || CASE WHEN (agent).id IS NULL THEN 'null'
                   ELSE cs_chat.user_json(agent)::TEXT END
           || '},"chatId":"' || chat_id::TEXT || '"}'
$$;

-- Whether a UUIDv7 was made no later than a moment, to the millisecond: a
-- message that was on its way when another agent took the chat is told so.
CREATE OR REPLACE FUNCTION cs_chat.made_before(id UUID, moment TIMESTAMP)
RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT substr(id::TEXT, 15, 1) = '7'
       AND ('x0000' || translate(left(id::TEXT, 13), '-', ''))::BIT(64)::BIGINT
           <= floor(extract(epoch FROM moment) * 1000)
$$;
