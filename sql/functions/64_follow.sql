-- Following a chat: what a socket is told that joins it, comes back to it,
-- writes in it or leaves it.

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

-- The chat that the caller wants to follow or to write in, in one row; or why
-- they may not, and c is NULL.  It is taken into the statement that calls it.
CREATE OR REPLACE FUNCTION cs_chat.to_follow(p_caller UUID, p_chat UUID)
RETURNS TABLE (refused TEXT, c public.chats)
LANGUAGE sql STABLE ROWS 1
AS $$
    SELECT CASE WHEN u.id IS NULL THEN 'INVALID_TOKEN'
                WHEN n.id IS NULL THEN 'CHAT_NOT_FOUND' END, n
      FROM (SELECT p_caller AS id) me
      LEFT JOIN public.users u ON u.id = me.id
      LEFT JOIN public.chats n
             ON n.id = p_chat
            AND cs_chat.can_see(u.id, u.role, n.customer_id, n.agent_id)
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
    SELECT f.* INTO follow FROM cs_chat.to_follow(p_caller, p_chat) f;
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
    SELECT f.* INTO follow FROM cs_chat.to_follow(p_caller, p_chat) f;
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
    SELECT f.* INTO follow FROM cs_chat.to_follow(p_caller, p_chat) f;
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
