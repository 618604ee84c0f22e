-- Chats: who opens, sees, changes and deletes them.

SELECT t.chat('own', 'carl', 'anna'), t.chat('queue', 'cora', NULL),
       t.chat('bens', 'cora', 'ben'), t.chat('old', 'carl', 'anna', 'archived');
UPDATE public.chats SET updated_at = '2025-01-01 10:00' WHERE id = t.id('own');
UPDATE public.chats SET updated_at = '2025-01-01 10:30' WHERE id = t.id('queue');
UPDATE public.chats SET updated_at = '2025-01-03 10:00' WHERE id = t.id('bens');
SELECT t.is((SELECT active_at::TEXT FROM public.chats WHERE id = t.id('queue')),
    '2025-01-01 10:00:00', 'active_at follows updated_at by the hour');

-- Lists.

CREATE FUNCTION t.list(who TEXT, status TEXT, lim INT DEFAULT 50,
                       off INT DEFAULT 0)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format('chats_list(%L, %L, %s, %s)', t.id(who), status, lim,
                         off));
    RETURN t.names(t.pluck(t.data(), 'id'));
END
$$;

SELECT t.is(t.list('carl', NULL), 'own', 'a customer sees their own chats');
SELECT t.is(t.list('carl', 'archived'), 'old', 'the archived ones apart');
SELECT t.is(t.list('anna', NULL), 'queue own',
    'an agent sees their own and the unassigned, newest activity first');
SELECT t.is(t.list('ben', NULL), 'bens queue', 'another agent others');
SELECT t.is(t.list('sue', NULL), 'bens queue own', 'a super-agent sees all');
SELECT t.is(t.list('sue', 'archived'), 'old', 'archived for a super-agent');
SELECT t.is(t.list('sue', 'closed'), '', 'none is closed');
UPDATE public.chats SET status = 'closed' WHERE id = t.id('own');
SELECT t.is(t.list('sue', 'closed'), 'own', 'status=closed');
SELECT t.is(t.list('sue', 'active'), 'bens queue', 'status=active');
SELECT t.is(t.list('sue', NULL, 1, 1), 'queue', 'limit and offset');
SELECT t.is(t.list('anna', NULL, 1, 1), 'own',
    'limit and offset over own and unassigned');
SELECT t.is(t.list('anna', NULL, 200, 1000), '', 'an offset beyond the end');
SELECT t.is(t.data()::TEXT, '[]', 'an empty list is []');
UPDATE public.chats SET status = NULL WHERE id = t.id('own');
SELECT t.is(t.list('carl', 'active'), 'own', 'no status means active');
SELECT t.is(t.data()->0->>'status', 'active', 'and is shown so');
UPDATE public.chats SET status = 'active' WHERE id = t.id('own');
SELECT t.is(t.list('carl', NULL), 'own', 'once more');
SELECT t.is(t.keys(t.data()->0),
    'id,customerId,agentId,status,isActive,createdAt,updatedAt,lastSeq,'
    'unreadCount,customer,agent,lastMessage',
    'a chat has the members of the API');
SELECT t.is(t.data()->0->>'lastMessage', NULL, 'no message yet');
SELECT t.is(t.data()->0->'customer'->>'email', 'carl@example.com',
    'one''s own e-mail in it');
SELECT t.is(t.keys(t.data()->0->'agent'),
    'id,username,name,role,avatar,isOnline,createdAt,updatedAt',
    'not the other''s');
SELECT t.does($$chats_list(t.id('none'), NULL, 50, 0)$$,
    '1 reply 401 INVALID_TOKEN', 'chats_list of nobody');

-- One chat, and who may know of it.

CREATE FUNCTION t.sees(who TEXT, chat TEXT)
RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format('chats_get(%L, %L)', t.id(who), t.id(chat)));
    RETURN t.summary() = '1 reply 200';
END
$$;

SELECT t.is(
    (SELECT string_agg(p || ':' || c, ' ' ORDER BY p, c)
       FROM unnest(ARRAY['anna', 'ben', 'sue', 'carl', 'cora']) p,
            unnest(ARRAY['own', 'queue', 'bens']) c
      WHERE t.sees(p, c)),
    'anna:own anna:queue ben:bens ben:queue carl:own cora:bens cora:queue '
    'sue:bens sue:own sue:queue', 'everyone sees what the rules say');
SELECT t.does($$chats_get(t.id('carl'), t.id('bens'))$$,
    '1 reply 404 CHAT_NOT_FOUND', 'what one may not know does not exist');
SELECT t.does($$chats_get(t.id('carl'), t.id('nothing'))$$,
    '1 reply 404 CHAT_NOT_FOUND', 'like what does not');
SELECT t.does($$chats_get(t.id('none'), t.id('own'))$$,
    '1 reply 401 INVALID_TOKEN', 'chats_get of nobody');
SELECT t.does($$chats_get(t.id('carl'), t.id('own'))$$, '1 reply 200',
    'chats_get');
SELECT t.is(t.data()->>'messages', '[]', 'no messages are an empty list');
SELECT t.is(t.keys(t.data()),
    'id,customerId,agentId,status,isActive,createdAt,updatedAt,lastSeq,'
    'unreadCount,customer,agent,lastMessage,messages,reads',
    'with messages, and how far they are read');

-- Opening.

SELECT t.does($$chats_create(t.id('carl'), t.id('n1'), NULL, NULL)$$,
    '1 reply 201, 1 event new_chat', 'a customer opens a chat');
SELECT t.is(t.data()->>'customerId', t.id('carl')::TEXT, 'of their own');
SELECT t.is(t.data()->>'unreadCount', '0', 'nothing unread');
SELECT t.is(t.names((t.event('new_chat')).topics),
    'user:carl,role:agent,role:super-agent,chat:' || t.id('n1'),
    'every agent hears of it');
SELECT t.is(t.keys((t.event('new_chat')).body::JSON), 'type,data,chatId',
    'chatId stands beside data too');
SELECT t.is(t.keys((t.event('new_chat')).body::JSON->'data'),
    'id,customerId,agentId,status,isActive,createdAt,updatedAt,lastSeq,'
    'customer,agent,lastMessage', 'the event shows nobody''s unreadCount');
SELECT t.is(t.keys((t.event('new_chat')).body::JSON->'data'->'customer'),
    'id,username,name,role,avatar,isOnline,createdAt,updatedAt',
    'and no e-mail address');
SELECT t.does($$chats_create(t.id('carl'), t.id('n1'), NULL, NULL)$$,
    '1 reply 201', 'the same request again makes no second chat');
SELECT t.does($$chats_create(t.id('cora'), t.id('n1'), NULL, NULL)$$,
    '1 reply 409 CONFLICT', 'an id that is taken');
SELECT t.does($$chats_create(t.id('carl'), t.id('n2'), t.id('carl'),
    t.id('anna'))$$, '1 reply 201, 1 event new_chat',
    'a customer chooses the agent');
SELECT t.is(t.names((t.event('new_chat')).topics),
    'user:carl,user:anna,role:super-agent,chat:' || t.id('n2'),
    'other agents do not hear of it');
SELECT t.does($$chats_create(t.id('carl'), t.id('n3'), t.id('cora'), NULL)$$,
    '1 reply 403 ACCESS_DENIED customerId', 'a customer for another');
SELECT t.does($$chats_create(t.id('carl'), t.id('n3'), t.id('none'), NULL)$$,
    '1 reply 404 USER_NOT_FOUND customerId', 'an unknown customer');
SELECT t.does($$chats_create(t.id('carl'), t.id('n3'), NULL, t.id('none'))$$,
    '1 reply 404 USER_NOT_FOUND agentId', 'an unknown agent');
SELECT t.does($$chats_create(t.id('carl'), t.id('n3'), NULL, t.id('cora'))$$,
    '1 reply 400 INVALID_INPUT agentId', 'an agent who is none');
SELECT t.does($$chats_create(t.id('anna'), t.id('n3'), t.id('ben'), NULL)$$,
    '1 reply 400 INVALID_INPUT customerId', 'a customer who is none');
SELECT t.does($$chats_create(t.id('anna'), t.id('n3'), t.id('anna'), NULL)$$,
    '1 reply 400 INVALID_INPUT customerId', 'an agent is no customer');
SELECT t.does($$chats_create(t.id('anna'), t.id('n3'), NULL, NULL)$$,
    '1 reply 400 INVALID_INPUT customerId', 'an agent names a customer');
SELECT t.does($$chats_create(t.id('sue'), t.id('n3'), NULL, NULL)$$,
    '1 reply 400 INVALID_INPUT customerId', 'so does a super-agent');
SELECT t.does($$chats_create(t.id('anna'), t.id('n3'), t.id('carl'),
    t.id('ben'))$$, '1 reply 403 ACCESS_DENIED agentId',
    'an agent for another agent');
SELECT t.does($$chats_create(t.id('anna'), t.id('n3'), t.id('carl'),
    t.id('anna'))$$, '1 reply 201, 1 event new_chat', 'an agent for themselves');
SELECT t.does($$chats_create(t.id('anna'), t.id('n4'), t.id('carl'), NULL)$$,
    '1 reply 201, 1 event new_chat', 'an agent for nobody yet');
SELECT t.does($$chats_create(t.id('sue'), t.id('n5'), t.id('carl'),
    t.id('ben'))$$, '1 reply 201, 1 event new_chat', 'a super-agent for any');
SELECT t.does($$chats_create(t.id('none'), t.id('n6'), NULL, NULL)$$,
    '1 reply 401 INVALID_TOKEN', 'chats_create of nobody');

-- Status.

SELECT t.does($$chats_set_status(t.id('carl'), t.id('own'), 'closed')$$,
    '1 reply 200, 1 event chat_status_updated', 'a customer closes');
SELECT t.is((SELECT (o).error FROM t.r WHERE n = 1), 'Chat status updated',
    'the reply has a sentence');
SELECT t.is(t.data()->>'status', 'closed', 'and the chat');
SELECT t.is((t.event('chat_status_updated')).body,
    format('{"type":"chat_status_updated","data":{"chatId":"%1$s",'
           '"status":"closed"},"chatId":"%1$s"}', t.id('own')), 'the event');
SELECT t.is(t.names((t.event('chat_status_updated')).topics),
    'user:carl,user:anna,role:super-agent,chat:own', 'its audience');
SELECT t.does($$chats_set_status(t.id('carl'), t.id('own'), 'closed')$$,
    '1 reply 200', 'closing again is no news');
SELECT t.does($$chats_set_status(t.id('carl'), t.id('own'), 'active')$$,
    '1 reply 403 ACCESS_DENIED', 'a customer does not reopen');
SELECT t.does($$chats_set_status(t.id('carl'), t.id('own'), 'archived')$$,
    '1 reply 200, 1 event chat_status_updated', 'a customer archives');
SELECT t.is((SELECT (o).error FROM t.r WHERE n = 1), 'Chat archived',
    'and is told so');
SELECT t.does($$chats_unarchive(t.id('carl'), t.id('own'))$$,
    '1 reply 200, 1 event chat_status_updated', 'and takes it back');
SELECT t.does($$chats_unarchive(t.id('ben'), t.id('own'))$$,
    '1 reply 404 CHAT_NOT_FOUND', 'as another agent can not');
SELECT t.does($$chats_set_status(t.id('carl'), t.id('own'), 'archived')$$,
    '1 reply 200, 1 event chat_status_updated', 'archived once more');
SELECT t.does($$chats_set_status(t.id('anna'), t.id('own'), 'active')$$,
    '1 reply 200, 1 event chat_status_updated', 'an agent reopens');
SELECT t.ok((SELECT updated_at > timezone('UTC', now()) - interval '1 minute'
               FROM public.chats WHERE id = t.id('own')),
    'a change of status is activity');
SELECT t.does($$chats_set_status(t.id('ben'), t.id('own'), 'closed')$$,
    '1 reply 404 CHAT_NOT_FOUND', 'another agent knows nothing of it');
SELECT t.does($$chats_set_status(t.id('ben'), t.id('queue'), 'closed')$$,
    '1 reply 200, 1 event chat_status_updated',
    'any agent changes an unassigned chat');
SELECT t.does($$chats_set_status(t.id('none'), t.id('own'), 'closed')$$,
    '1 reply 401 INVALID_TOKEN', 'chats_set_status of nobody');

-- Following.

SELECT t.does($$chats_join(t.id('ben'), t.id('queue'), NULL)$$, '1 reply 200',
    'an agent looks at the queue');
SELECT t.is(t.data()::TEXT,
    format('{"chatId":"%s","lastSeq":0}', t.id('queue')), 'what a join says');
SELECT t.does($$chats_join(t.id('carl'), t.id('queue'), NULL)$$,
    '1 reply 404 CHAT_NOT_FOUND', 'another customer can''t');
SELECT t.does($$chats_join(t.id('ben'), t.id('none'), NULL)$$,
    '1 reply 404 CHAT_NOT_FOUND', 'nor anybody a chat that is not there');
SELECT t.does($$chats_join(t.id('none'), t.id('queue'), NULL)$$,
    '1 reply 401 INVALID_TOKEN', 'chats_join of nobody');
SELECT t.does($$chats_leave(t.id('ben'), t.id('queue'))$$, '1 reply 200',
    'and leaves');
SELECT t.does($$chats_leave(t.id('carl'), t.id('queue'))$$,
    '1 reply 404 CHAT_NOT_FOUND', 'one can''t leave what one can''t see');

-- Typing.

SELECT t.does($$chats_typing(t.id('carl'), t.id('own'), true)$$,
    '1 reply 200, 1 event user_typing', 'a customer writes');
SELECT t.is(t.names((SELECT (o).topics FROM t.r WHERE n = 2)),
    'user:carl,user:anna,chat:own', 'shown to who is in the chat');
SELECT t.is((SELECT (o).class FROM t.r WHERE n = 2), 'typing', 'its class');
SELECT t.does($$chats_typing(t.id('cora'), t.id('queue'), false)$$,
    '1 reply 200, 1 event user_typing', 'a customer waits');
SELECT t.is(t.names((SELECT (o).topics FROM t.r WHERE n = 2)),
    'user:cora,chat:queue', 'in the queue to nobody but who looks on');
SELECT t.is((SELECT (o).class FROM t.r WHERE n = 2), 'typed', 'its class');
SELECT t.does($$chats_typing(t.id('carl'), t.id('queue'), true)$$,
    '1 reply 404 CHAT_NOT_FOUND', 'not in a chat that one does not see');
SELECT t.does($$chats_typing(t.id('none'), t.id('queue'), true)$$,
    '1 reply 401 INVALID_TOKEN', 'chats_typing of nobody');

-- Going on after a reconnect.

SELECT t.does($$chats_resume(t.id('ben'), t.id('queue'), 0)$$, '1 reply 200',
    'resuming a chat without messages');
SELECT t.is(t.data()::TEXT,
    format('{"chatId":"%s","recovered":true,"fromSeq":1,"toSeq":0,'
           '"status":"closed","agentId":null}', t.id('queue')),
    'says where it stands');
SELECT t.does($$chats_resume(t.id('ben'), t.id('queue'), 1)$$, '1 reply 200',
    'a client that is ahead');
SELECT t.is(t.data()::TEXT,
    format('{"chatId":"%s","recovered":false,"lastSeq":0}', t.id('queue')),
    'has not recovered');
SELECT t.does($$chats_resume(t.id('carl'), t.id('queue'), 0)$$,
    '1 reply 404 CHAT_NOT_FOUND', 'another customer has nothing to resume');
SELECT t.does($$chats_resume(t.id('none'), t.id('queue'), 0)$$,
    '1 reply 401 INVALID_TOKEN', 'chats_resume of nobody');

-- Deleting.

SELECT t.does($$chats_delete(t.id('carl'), t.id('own'))$$,
    '1 reply 403 ACCESS_DENIED', 'a customer deletes nothing');
SELECT t.does($$chats_delete(t.id('anna'), t.id('queue'))$$,
    '1 reply 403 ACCESS_DENIED', 'nor an agent what is not theirs');
SELECT t.does($$chats_delete(t.id('anna'), t.id('bens'))$$,
    '1 reply 404 CHAT_NOT_FOUND', 'nor what they do not see');
SELECT t.send('own', 'carl', 'Hello');
SELECT t.does($$chats_delete(t.id('anna'), t.id('own'))$$,
    '1 reply 200, 1 event chat_deleted', 'its agent deletes a chat');
SELECT t.is((t.event('chat_deleted')).keep, '', 'nobody follows it further');
SELECT t.is((SELECT (o).body FROM t.r WHERE n = 1), NULL, 'nothing to return');
SELECT t.is((SELECT count(*)::TEXT FROM public.messages), '0',
    'its messages go with it');
SELECT t.is((SELECT count(*)::TEXT FROM public.chat_reads), '0',
    'and its read pointers');
SELECT t.does($$chats_delete(t.id('sue'), t.id('queue'))$$,
    '1 reply 200, 1 event chat_deleted', 'a super-agent deletes any');
SELECT t.is(t.names((t.event('chat_deleted')).topics),
    'user:cora,role:agent,role:super-agent,chat:queue', 'its audience');
SELECT t.does($$chats_delete(t.id('sue'), t.id('queue'))$$,
    '1 reply 404 CHAT_NOT_FOUND', 'once');
SELECT t.does($$chats_delete(t.id('none'), t.id('bens'))$$,
    '1 reply 401 INVALID_TOKEN', 'chats_delete of nobody');
