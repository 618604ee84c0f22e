-- Assigning: whose a chat becomes, who may, who hears of it.

SELECT t.person('dan', 'agent'), t.person('tom', 'super-agent');
SELECT t.chat('queue', 'carl', NULL), t.chat('own', 'carl', 'anna'),
       t.chat('old', 'carl', 'anna', 'archived'), t.chat('sues', 'cora', 'sue');
SELECT t.send('own', 'carl', 'm1'), t.send('own', 'anna', 'm2');

-- Assigns, with a request made at a moment (NULL: no id came with it).
CREATE FUNCTION t.assign(
    who TEXT, chat TEXT, agent TEXT, made TIMESTAMP DEFAULT NULL)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format('chats_assign(%L, %L, %L, %L)', t.id(who), t.id(chat),
        t.id(agent), regexp_replace(lpad(to_hex(floor(extract(
            epoch FROM made) * 1000)::BIGINT), 12, '0'), '^(.{8})', '\1-')
            || '-7abc-8abc-0123456789ab'));
    RETURN t.summary();
END
$$;

CREATE FUNCTION t.agent(chat TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT coalesce(t.names(c.agent_id::TEXT), 'nobody')
      FROM public.chats c WHERE c.id = t.id(chat)
$$;

-- From the queue.

SELECT t.is(t.assign('anna', 'queue', 'ben'), '1 reply 403 ACCESS_DENIED',
    'an agent gives a chat of the queue to no other');
SELECT t.is(t.assign('carl', 'queue', 'anna'), '1 reply 403 ACCESS_DENIED',
    'nor does its customer');
SELECT t.is(t.assign('anna', 'queue', NULL), '1 reply 200',
    'it is back in the queue already');
SELECT t.is(t.assign('anna', 'queue', 'anna'),
    '1 reply 200, 1 event chat_assigned', 'an agent takes it');
SELECT t.is((SELECT (o).error FROM t.r WHERE n = 1), 'Chat assigned',
    'the reply has a sentence');
SELECT t.is(t.names(t.data()->>'agentId'), 'anna', 'and the chat');
SELECT t.is(t.keys(t.data()),
    'id,customerId,agentId,status,isActive,createdAt,updatedAt,lastSeq,'
    'unreadCount,customer,agent,lastMessage', 'whole');
SELECT t.is(t.names((t.event('chat_assigned')).topics),
    'user:carl,user:anna,role:super-agent,chat:queue,role:agent',
    'every agent loses it');
SELECT t.is(t.names((t.event('chat_assigned')).keep),
    'user:carl,user:anna,role:super-agent', 'and follows it no longer');
SELECT t.is((t.event('chat_assigned')).body::JSON->'data'->'agent'->>'name',
    'Anna', 'the event names the agent');
SELECT t.ok((SELECT assigned_at >= timezone('UTC', now()) - interval '1 min'
        AND updated_at = assigned_at FROM public.chats
    WHERE id = t.id('queue')), 'when is kept');
SELECT t.is(t.assign('anna', 'queue', 'anna'), '1 reply 200',
    'once more changes nothing');

-- Of two agents at once.

SELECT t.is(t.assign('ben', 'queue', 'ben'), '1 reply 404 CHAT_NOT_FOUND',
    'a later agent does not see it');
SELECT t.is(t.assign('ben', 'queue', 'ben', '2025-01-01'),
    '1 reply 409 CHAT_ASSIGNED', 'one whose request was on its way is told');
SELECT t.is(t.assign('ben', 'queue', 'ben', '2999-01-01'),
    '1 reply 404 CHAT_NOT_FOUND', 'one whose was not, is not');
SELECT t.is(t.assign('cora', 'queue', NULL, '2025-01-01'),
    '1 reply 404 CHAT_NOT_FOUND', 'nor another customer');
SELECT t.is(t.assign('ben', 'sues', 'ben', '2025-01-01'),
    '1 reply 404 CHAT_NOT_FOUND', 'nor one of a chat that nobody took');

-- From hand to hand.

SELECT t.is(t.assign('ben', 'own', 'ben'), '1 reply 404 CHAT_NOT_FOUND',
    'another agent''s chat can''t be taken');
SELECT t.is(t.assign('anna', 'own', 'ben'),
    '1 reply 200, 1 event new_chat, 1 event chat_assigned',
    'its agent hands it over');
SELECT t.is(t.names((t.event('new_chat')).topics), 'user:ben',
    'the new one gets the chat');
SELECT t.is((t.event('new_chat')).keep, NULL, 'first');
SELECT t.is((t.event('new_chat')).body::JSON->'data'->'lastMessage'->>'content',
    'm2', 'as it is');
SELECT t.is(t.names((t.event('new_chat')).body::JSON->'data'->>'agentId'), 'ben',
    'and theirs');
SELECT t.is(t.names((t.event('chat_assigned')).topics),
    'user:carl,user:ben,role:super-agent,chat:own,user:anna',
    'all hear of it who saw it or see it now');
SELECT t.is(t.names((t.event('chat_assigned')).keep),
    'user:carl,user:ben,role:super-agent', 'the former agent for the last time');
SELECT t.is(t.assign('anna', 'own', 'anna'), '1 reply 404 CHAT_NOT_FOUND',
    'and does not get it back');
SELECT t.send('own', 'anna', 'late');
SELECT t.is(t.summary(), '1 reply 404 CHAT_NOT_FOUND', 'nor writes there');
SELECT t.is(t.assign('sue', 'own', 'dan'),
    '1 reply 200, 1 event new_chat, 1 event chat_assigned',
    'a super-agent assigns any chat');
SELECT t.is(t.assign('dan', 'own', 'tom'), '1 reply 200, 1 event chat_assigned',
    'a super-agent has seen it before');
SELECT t.is(t.assign('sue', 'own', 'sue'), '1 reply 200, 1 event chat_assigned',
    'and another one takes it');
SELECT t.is(t.names((t.event('chat_assigned')).topics),
    'user:carl,user:sue,role:super-agent,chat:own,user:tom', 'its audience');

-- Back to the queue.

SELECT t.is(t.assign('sue', 'own', NULL),
    '1 reply 200, 1 event new_chat, 1 event chat_assigned', 'to the queue');
SELECT t.is((SELECT (o).error FROM t.r WHERE n = 1),
    'Chat returned to the queue', 'as the reply says');
SELECT t.is(t.data()->>'agent', NULL, 'with the chat');
SELECT t.is(t.names((t.event('new_chat')).topics), 'role:agent',
    'every agent gets it');
SELECT t.is(t.names((t.event('chat_assigned')).topics),
    'user:carl,role:agent,role:super-agent,chat:own,user:sue', 'and hears of it');
SELECT t.is(t.names((t.event('chat_assigned')).keep),
    'user:carl,role:agent,role:super-agent', 'so may follow it');
SELECT t.is((t.event('chat_assigned')).body,
    format('{"type":"chat_assigned","data":{"chatId":"%1$s","agentId":null,'
           '"agent":null},"chatId":"%1$s"}', t.id('own')), 'it is nobody''s');
SELECT t.send('own', 'ben', 'm3');
SELECT t.is(t.summary(),
    '1 reply 201, 1 event chat_assigned, 1 event new_message',
    'and the first who writes takes it');
SELECT t.is(t.assign('ben', 'own', NULL),
    '1 reply 200, 1 event new_chat, 1 event chat_assigned',
    'an agent gives their own back');

-- What is refused.

SELECT t.is(t.assign('none', 'own', 'anna'), '1 reply 401 INVALID_TOKEN',
    'nobody assigns');
SELECT t.is(t.assign('sue', 'own', 'none'),
    '1 reply 404 USER_NOT_FOUND agentId', 'an unknown agent');
SELECT t.is(t.assign('sue', 'own', 'cora'),
    '1 reply 400 INVALID_INPUT agentId', 'one who is none');
SELECT t.is(t.assign('sue', 'nothing', 'none'), '1 reply 404 CHAT_NOT_FOUND',
    'the chat comes first');
SELECT t.is(t.assign('carl', 'own', 'none'),
    '1 reply 404 USER_NOT_FOUND agentId', 'then the agent');
SELECT t.is(t.assign('sue', 'old', 'ben'), '1 reply 409 CHAT_ARCHIVED',
    'an archived chat');
SELECT t.is(t.assign('anna', 'old', NULL), '1 reply 409 CHAT_ARCHIVED',
    'for its agent too');
SELECT t.is(t.assign('carl', 'old', NULL), '1 reply 403 ACCESS_DENIED',
    'a customer may not anyway');
UPDATE public.users SET role = 'agent' WHERE id = t.id('carl');
SELECT t.is(t.assign('sue', 'own', 'carl'),
    '1 reply 400 INVALID_INPUT agentId', 'nobody is the agent of themselves');
SELECT t.is(t.agent('own') || ' ' || t.agent('old'), 'nobody anna',
    'nothing of this has changed anything');
