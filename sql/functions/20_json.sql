-- The JSON objects of the API.  All of these are simple enough for the planner
-- to expand them in place; row_to_json() writes compact JSON.

-- A time as the API writes it.  An unknown one, which only a foreign database
-- may hold, is the epoch.
CREATE OR REPLACE FUNCTION cs_chat.rfc3339(t TIMESTAMP)
RETURNS TEXT
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT to_char(coalesce(t, '1970-01-01 00:00:00'::TIMESTAMP),
                   'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- Whether others see the person online.
CREATE OR REPLACE FUNCTION cs_chat.is_online(u public.users)
RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce((u).is_online, false) AND NOT (u).hidden
$$;

-- A user, without the e-mail address.
CREATE OR REPLACE FUNCTION cs_chat.user_json(u public.users)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT row_to_json(ROW(
        (u).id, (u).username, (u).name, (u).role, (u).avatar,
        coalesce((u).is_online, false) AND NOT (u).hidden,
        cs_chat.rfc3339((u).created_at), cs_chat.rfc3339((u).updated_at)
    )::cs_chat.user_view)
$$;

-- A user with the e-mail address, online or not as the caller says.
CREATE OR REPLACE FUNCTION cs_chat.user_json_email(
    u public.users, online BOOLEAN)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT row_to_json(ROW(
        (u).id, (u).username, (u).email, (u).name, (u).role, (u).avatar,
        online,
        cs_chat.rfc3339((u).created_at), cs_chat.rfc3339((u).updated_at)
    )::cs_chat.user_view_email)
$$;

-- A user as the viewer may see them: the e-mail address is for oneself and
-- for super-agents.
CREATE OR REPLACE FUNCTION cs_chat.user_json_for(
    u public.users, viewer UUID, viewer_role TEXT)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN viewer_role = 'super-agent' OR (u).id = viewer
        THEN cs_chat.user_json_email(u, cs_chat.is_online(u))
        ELSE cs_chat.user_json(u)
    END
$$;

-- The writer of a message.
CREATE OR REPLACE FUNCTION cs_chat.sender_json(u public.users)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT row_to_json(ROW(
        (u).id, (u).name, (u).role, (u).avatar
    )::cs_chat.sender_view)
$$;

-- A message; clientId only where the sender gave one.
CREATE OR REPLACE FUNCTION cs_chat.message_json(
    m public.messages, sender public.users)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN (m).client_id IS NULL
        THEN row_to_json(ROW(
            (m).id, (m).chat_id, (m).sender_id, (m).content,
            coalesce((m).message_type, 'text'),
            cs_chat.rfc3339((m).created_at), (m).seq,
            cs_chat.sender_json(sender)
        )::cs_chat.message_view)
        ELSE row_to_json(ROW(
            (m).id, (m).chat_id, (m).sender_id, (m).content,
            coalesce((m).message_type, 'text'),
            cs_chat.rfc3339((m).created_at), (m).seq, (m).client_id,
            cs_chat.sender_json(sender)
        )::cs_chat.message_view_client)
    END
$$;

-- The event that brings a message; message is what message_json() made.
CREATE OR REPLACE FUNCTION cs_chat.new_message_json(
    chat_id UUID, message JSON)
RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT '{"type":"new_message","data":' || message::TEXT
           || ',"chatId":"' || chat_id::TEXT || '"}'
$$;

-- A chat as events carry it.
CREATE OR REPLACE FUNCTION cs_chat.chat_json_event(
    c public.chats, customer JSON, agent JSON, last_message JSON)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT row_to_json(ROW(
        (c).id, (c).customer_id, (c).agent_id,
        coalesce((c).status, 'active'), coalesce((c).status, 'active') = 'active',
        cs_chat.rfc3339((c).created_at), cs_chat.rfc3339((c).updated_at),
        (c).last_seq, customer, agent, last_message
    )::cs_chat.chat_view_event)
$$;

-- How far a person has read a chat: by their mark (NULL: none), or by writing.
CREATE OR REPLACE FUNCTION cs_chat.read_seq(
    person UUID, mark BIGINT, customer UUID, customer_seq BIGINT, agent UUID,
    agent_seq BIGINT)
RETURNS BIGINT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT greatest(mark, CASE person WHEN customer THEN customer_seq
                                      WHEN agent THEN agent_seq END)
$$;

-- How far the customer and the agent of a chat have read it, a JSON array; who
-- has read nothing is not in it.
CREATE OR REPLACE FUNCTION cs_chat.reads_json(c public.chats)
RETURNS TEXT
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT '[' || coalesce(string_agg('{"userId":"' || seat.id::TEXT
           || '","seq":' || greatest(r.seq, seat.seq)::TEXT || '}', ','), '')
           || ']'
      FROM (VALUES ((c).customer_id, (c).customer_seq),
                   ((c).agent_id, (c).agent_seq)) AS seat (id, seq)
      LEFT JOIN public.chat_reads r
             ON r.chat_id = (c).id AND r.user_id = seat.id
     WHERE greatest(r.seq, seat.seq) > 0 AND seat.id IS NOT NULL
$$;

-- A chat as one person sees it; read_seq is how far that person has read.
-- Numbers have no gap and writing reads up to the message written, so that
-- everything above read_seq is by others and unread.
CREATE OR REPLACE FUNCTION cs_chat.chat_json(
    c public.chats, read_seq BIGINT, customer JSON, agent JSON,
    last_message JSON)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT row_to_json(ROW(
        (c).id, (c).customer_id, (c).agent_id,
        coalesce((c).status, 'active'), coalesce((c).status, 'active') = 'active',
        cs_chat.rfc3339((c).created_at), cs_chat.rfc3339((c).updated_at),
        (c).last_seq, greatest((c).last_seq - coalesce(read_seq, 0), 0),
        customer, agent, last_message
    )::cs_chat.chat_view)
$$;

-- The same with messages, a JSON array.
CREATE OR REPLACE FUNCTION cs_chat.chat_json_messages(
    c public.chats, read_seq BIGINT, customer JSON, agent JSON,
    last_message JSON, messages JSON)
RETURNS JSON
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT row_to_json(ROW(
        (c).id, (c).customer_id, (c).agent_id,
        coalesce((c).status, 'active'), coalesce((c).status, 'active') = 'active',
        cs_chat.rfc3339((c).created_at), cs_chat.rfc3339((c).updated_at),
        (c).last_seq, greatest((c).last_seq - coalesce(read_seq, 0), 0),
        customer, agent, last_message, messages
    )::cs_chat.chat_view_messages)
$$;
