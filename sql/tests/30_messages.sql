-- Messages: sending, one at a time and in batches, and reading.

SELECT t.chat('own', 'carl', 'anna'), t.chat('queue', 'cora', NULL),
       t.chat('queue2', 'carl', NULL), t.chat('queue3', 'carl', NULL),
       t.chat('shut', 'carl', 'anna', 'closed'),
       t.chat('old', 'carl', 'anna', 'archived');

-- One at a time.

SELECT t.send('own', 'carl', E'Hello "there"\n\u00e9 \\ /', 'c-1');
SELECT t.is(t.summary(), '1 reply 201, 1 event new_message', 'a message');
SELECT t.is(t.keys(t.data()),
    'id,chatId,senderId,content,type,timestamp,seq,clientId,sender',
    'has the members of the API');
SELECT t.is(t.keys(t.data()->'sender'), 'id,name,role,avatar', 'its sender too');
SELECT t.is(t.data()->>'content', E'Hello "there"\n\u00e9 \\ /',
    'the content is what was sent');
SELECT t.is((SELECT concat_ws(' ', (o).chat = t.id('own'),
        (o).id::TEXT = t.data()->>'id', (o).seq,
        (o).ts = t.data()->>'timestamp', (o).duplicate)
        FROM t.r WHERE n = 1), 't t 1 t f', 'the row tells the same');
SELECT t.is((t.event('new_message')).body,
    format('{"type":"new_message","data":%s,"chatId":"%s"}', t.data()::TEXT,
           t.id('own')), 'the event carries the message');
SELECT t.is(t.names((t.event('new_message')).topics),
    'user:carl,user:anna,role:super-agent,chat:own', 'its audience');
SELECT t.is((SELECT concat_ws(' ', (o).class, (o).seq, (o).keep IS NULL,
        (o).chat = t.id('own')) FROM t.r WHERE n = 2), 'message 1 t t',
    'its class and number');
SELECT t.is(
    (SELECT concat_ws(' ', content = t.data()->>'content', message_type,
            seq, client_id,
            cs_chat.rfc3339(created_at) = t.data()->>'timestamp')
       FROM public.messages WHERE id = (t.data()->>'id')::UUID),
    't text 1 c-1 t', 'it is stored so');
SELECT t.is((SELECT concat_ws(' ', last_seq, cs_chat.rfc3339(updated_at) =
        t.data()->>'timestamp') FROM public.chats WHERE id = t.id('own')),
    '1 t', 'and counted in its chat');
SELECT t.send('own', 'anna', 'No clientId');
SELECT t.is(t.keys(t.data()),
    'id,chatId,senderId,content,type,timestamp,seq,sender',
    'no clientId where none was given');
SELECT t.is(t.data()->>'seq', '2', 'the next number');

SELECT t.send('own', 'ben', 'Let me in');
SELECT t.is(t.summary(), '1 reply 404 CHAT_NOT_FOUND', 'another agent');
SELECT t.send('own', 'cora', 'Let me in');
SELECT t.is(t.summary(), '1 reply 404 CHAT_NOT_FOUND', 'another customer');
SELECT t.send('nothing', 'carl', 'Hello?');
SELECT t.is(t.summary(), '1 reply 404 CHAT_NOT_FOUND', 'no such chat');
SELECT t.send('own', 'none', 'Hello?');
SELECT t.is(t.summary(), '1 reply 401 INVALID_TOKEN', 'nobody');
SELECT t.send('old', 'carl', 'Hello?');
SELECT t.is(t.summary(), '1 reply 409 CHAT_ARCHIVED', 'an archived chat');
SELECT t.send('own', 'sue', 'I listen');
SELECT t.is(t.summary(), '1 reply 201, 1 event new_message',
    'a super-agent in an assigned chat');
SELECT t.is((SELECT agent_id::TEXT FROM public.chats WHERE id = t.id('own')),
    t.id('anna')::TEXT, 'which stays its agent''s');

-- Unread messages.

CREATE FUNCTION t.unread(who TEXT, chat TEXT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format('chats_get(%L, %L)', t.id(who), t.id(chat)));
    RETURN t.data()->>'unreadCount';
END
$$;

SELECT t.is(t.unread('carl', 'own'), '2', 'unread since one''s own message');
SELECT t.is(t.unread('anna', 'own'), '1', 'writing reads the chat');
SELECT t.is(t.unread('sue', 'own'), '0', 'for a super-agent too');
SELECT t.send('own', 'carl', 'I see');
SELECT t.is(t.unread('carl', 'own'), '0', 'all read again');
SELECT t.is(t.unread('sue', 'own'), '1', 'not by others');
SELECT t.run($$chats_list(t.id('anna'), 'active', 50, 0)$$);
SELECT t.is(t.data()->0->>'unreadCount', '2', 'the list counts alike');
SELECT t.is(t.data()->0->'lastMessage'->>'content', 'I see',
    'and has the last message');
SELECT t.is(t.keys(t.data()->0->'lastMessage'->'sender'),
    'id,name,role,avatar', 'with its sender');

-- Repeats.

SELECT t.send('own', 'carl', 'Something else', 'c-1');
SELECT t.is(t.summary(), '1 reply 200', 'the same clientId again');
SELECT t.is((SELECT concat_ws(' ', (o).duplicate, (o).seq,
        (o).ts = t.data()->>'timestamp', (o).id::TEXT = t.data()->>'id')
        FROM t.r), 't 1 t t', 'is the first message');
SELECT t.is(t.data()->>'content', E'Hello "there"\n\u00e9 \\ /',
    'whatever the repeat says');
SELECT t.send('own', 'anna', 'Mine', 'c-1');
SELECT t.is(t.summary(), '1 reply 201, 1 event new_message',
    'another sender''s clientId is another');
SELECT t.send('shut', 'carl', 'There', 'c-1');
SELECT t.is(t.data()->>'seq', '1', 'so is another chat''s');
UPDATE public.chats SET status = 'archived' WHERE id = t.id('own');
SELECT t.send('own', 'carl', 'Again', 'c-1');
SELECT t.is(t.summary(), '1 reply 200', 'whatever became of the chat');
UPDATE public.chats SET agent_id = t.id('ben') WHERE id = t.id('own');
SELECT t.send('own', 'anna', 'Again', 'c-1');
SELECT t.is(t.summary(), '1 reply 200', 'even where one sees it no more');
UPDATE public.chats SET status = 'active', agent_id = t.id('anna')
 WHERE id = t.id('own');
SELECT t.does($$messages_send(t.ids('m1'), t.ids('own'), t.ids('carl'),
    '{one}', '{text}', '{NULL}')$$, '1 reply 201, 1 event new_message',
    'a message under an id');
SELECT t.does($$messages_send(t.ids('m1'), t.ids('own'), t.ids('carl'),
    '{one}', '{text}', '{NULL}')$$, '1 reply 200',
    'the same id again is the same message');
SELECT t.does($$messages_send(t.ids('m1'), t.ids('shut'), t.ids('carl'),
    '{one}', '{text}', '{NULL}')$$, '1 reply 409 CONFLICT',
    'the same id elsewhere is refused');
SELECT t.does($$messages_send(t.ids('m1'), t.ids('own'), t.ids('anna'),
    '{one}', '{text}', '{NULL}')$$, '1 reply 409 CONFLICT',
    'and of another sender');
SELECT t.ok(t.gapless('own'), 'no gap so far');

-- A closed chat.

SELECT t.chat('shut2', 'carl', 'anna', 'closed');
SELECT t.send('shut2', 'anna', 'One more thing');
SELECT t.is(t.summary(), '1 reply 201, 1 event new_message',
    'an agent''s message leaves it closed');
SELECT t.is((SELECT status FROM public.chats WHERE id = t.id('shut2')),
    'closed', 'it is');
SELECT t.send('shut2', 'carl', 'Yes?');
SELECT t.is(t.summary(),
    '1 reply 201, 1 event chat_status_updated, 1 event new_message',
    'a customer''s message reopens it');
SELECT t.is((t.event('chat_status_updated')).body::JSON->'data'->>'status',
    'active', 'and everyone hears');
SELECT t.is((SELECT status FROM public.chats WHERE id = t.id('shut2')),
    'active', 'it is open');

-- Taking a chat.

SELECT t.send('queue', 'cora', 'Is anybody there?');
SELECT t.is(t.names((t.event('new_message')).topics),
    'user:cora,role:agent,role:super-agent,chat:queue',
    'every agent hears a message in an unassigned chat');
SELECT t.send('queue', 'ben', 'I am');
SELECT t.is(t.summary(),
    '1 reply 201, 1 event chat_assigned, 1 event new_message',
    'the first agent who writes takes it');
SELECT t.is(t.names((t.event('chat_assigned')).topics),
    'user:cora,user:ben,role:super-agent,chat:queue,role:agent',
    'those who lose sight of it hear that');
SELECT t.is(t.names((t.event('chat_assigned')).keep),
    'user:cora,user:ben,role:super-agent', 'and follow it no longer');
SELECT t.is(t.keys((t.event('chat_assigned')).body::JSON->'data'),
    'chatId,agentId,agent', 'what the event says');
SELECT t.is(t.keys((t.event('chat_assigned')).body::JSON->'data'->'agent'),
    'id,username,name,role,avatar,isOnline,createdAt,updatedAt',
    'without e-mail');
SELECT t.is(t.names((t.event('new_message')).topics),
    'user:cora,user:ben,role:super-agent,chat:queue',
    'the message is for those who still see it');
SELECT t.is((SELECT agent_id::TEXT FROM public.chats WHERE id = t.id('queue')),
    t.id('ben')::TEXT, 'the chat is assigned');
SELECT t.send('queue', 'anna', 'Me too');
SELECT t.is(t.summary(), '1 reply 404 CHAT_NOT_FOUND',
    'a later agent sees it no more');
SELECT t.does(format($$messages_send(ARRAY['%s-7abc-8abc-0123456789ab']::UUID[],
    t.ids('queue'), t.ids('anna'), '{late}', '{text}', '{NULL}')$$,
    (SELECT regexp_replace(lpad(to_hex((extract(epoch FROM assigned_at) * 1000
        )::BIGINT - 20), 12, '0'), '^(.{8})', '\1-')
       FROM public.chats WHERE id = t.id('queue'))),
    '1 reply 409 CHAT_ASSIGNED',
    'one whose message was under way when it was taken is told so');
SELECT t.does(format($$messages_send(ARRAY['%s-7abc-8abc-0123456789ab']::UUID[],
    t.ids('queue'), t.ids('carl'), '{late}', '{text}', '{NULL}')$$,
    (SELECT regexp_replace(lpad(to_hex((extract(epoch FROM assigned_at) * 1000
        )::BIGINT - 20), 12, '0'), '^(.{8})', '\1-')
       FROM public.chats WHERE id = t.id('queue'))),
    '1 reply 404 CHAT_NOT_FOUND', 'a stranger is not');
SELECT t.send('queue2', 'sue', 'Let me');
SELECT t.is(t.summary(),
    '1 reply 201, 1 event chat_assigned, 1 event new_message',
    'a super-agent takes a chat too');

-- Batches.

SELECT t.does($$messages_send(
    t.ids('b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7'),
    t.ids('queue3', 'queue3', 'queue3', 'own', 'queue3', 'queue3', 'queue3'),
    t.ids('carl', 'ben', 'anna', 'carl', 'carl', 'sue', 'ben'),
    '{1,2,3,4,5,6,7}', '{text,text,text,image,text,text,text}',
    '{NULL,x,x,NULL,NULL,NULL,NULL}')$$,
    '1 reply 201, 1 event new_message, '
    '2 reply 201, 2 event chat_assigned, 2 event new_message, '
    '3 reply 409 CHAT_ASSIGNED, '
    '4 reply 201, 4 event new_message, '
    '5 reply 201, 5 event new_message, '
    '6 reply 201, 6 event new_message, '
    '7 reply 201, 7 event new_message',
    'a race for a chat within a batch');
SELECT t.is((SELECT string_agg(((o).seq)::TEXT, ' ' ORDER BY n) FROM t.r
              WHERE (o).chat = t.id('queue3') AND (o).class = 'message'),
    '1 2 3 4 5', 'numbers follow the order of the batch');
SELECT t.is(t.names((t.event('new_message', 1)).topics),
    'user:carl,role:agent,role:super-agent,chat:queue3',
    'before it is taken all agents hear');
SELECT t.is(t.names((t.event('new_message', 4)).topics),
    'user:carl,user:ben,role:super-agent,chat:queue3',
    'and after it only its own');
SELECT t.ok(t.gapless('queue3'), 'the refused one leaves no gap');
SELECT t.is((SELECT string_agg(m.content, ' ' ORDER BY m.seq)
    FROM public.messages m WHERE m.chat_id = t.id('queue3')), '1 2 5 6 7',
    'what was stored');
SELECT t.is((SELECT string_agg(t.names(r.user_id::TEXT) || ':' || r.seq, ' '
        ORDER BY t.names(r.user_id::TEXT)) FROM public.chat_reads r
        WHERE r.chat_id = t.id('queue3')), 'ben:5 carl:3 sue:4',
    'everyone has read up to what they wrote');

SELECT t.does($$messages_send(
    t.ids('d1', 'd2', 'd3', 'd4', 'd4', 'd6', 'd1'),
    t.ids('own', 'own', 'own', 'own', 'own', 'own', 'own'),
    t.ids('carl', 'carl', 'anna', 'carl', 'carl', 'carl', 'carl'),
    '{1,2,3,4,5,6,7}', '{text,text,text,text,text,text,text}',
    '{k,k,k,NULL,NULL,c-1,k}')$$,
    '1 reply 201, 1 event new_message, 2 reply 200, '
    '3 reply 201, 3 event new_message, '
    '4 reply 201, 4 event new_message, 5 reply 200, 6 reply 200, 7 reply 200',
    'repeats within a batch, by clientId and by id, and of older messages');
SELECT t.is((SELECT string_agg((o).body::JSON->>'content', ' ' ORDER BY n)
    FROM t.r WHERE (o).kind = 'reply' AND (o).ord <> 6), '1 1 3 4 4 1',
    'answer with the first');
SELECT t.is((SELECT string_agg((o).duplicate::TEXT, ' ' ORDER BY n)
    FROM t.r WHERE (o).kind = 'reply'),
    'false true false false true true true', 'and say so');
SELECT t.is((SELECT (o).body::JSON->>'seq' FROM t.r
    WHERE (o).kind = 'reply' AND (o).ord = 6), '1', 'the older one with its own');
SELECT t.ok(t.gapless('own'), 'no gap');

SELECT t.does($$messages_send(
    t.ids('e1', 'e1', 'e2', 'e2', 'e3', 'e3'),
    t.ids('own', 'shut', 'own', 'own', 'own', 'own'),
    t.ids('carl', 'carl', 'carl', 'carl', 'carl', 'carl'),
    '{1,2,3,4,5,6}', '{text,text,text,text,text,text}',
    '{NULL,NULL,p,q,r,NULL}')$$,
    '1 reply 201, 1 event new_message, 2 reply 409 CONFLICT, '
    '3 reply 201, 3 event new_message, 4 reply 409 CONFLICT, '
    '5 reply 201, 5 event new_message, 6 reply 409 CONFLICT',
    'one id for different messages');

SELECT t.does($$messages_send(
    t.ids('f1', 'f2', 'f3', 'f4', 'f5'),
    t.ids('old', 'old', 'nothing', 'own', 'own'),
    t.ids('carl', 'carl', 'carl', 'none', 'ben'),
    '{1,2,3,4,5}', '{text,text,text,text,text}', '{a,a,NULL,NULL,NULL}')$$,
    '1 reply 409 CHAT_ARCHIVED, 2 reply 409 CHAT_ARCHIVED, '
    '3 reply 404 CHAT_NOT_FOUND, 4 reply 401 INVALID_TOKEN, '
    '5 reply 404 CHAT_NOT_FOUND', 'a batch of refusals');

SELECT t.chat('shut3', 'carl', NULL, 'closed');
SELECT t.does($$messages_send(
    t.ids('g1', 'g2', 'g3', 'g4'), t.ids('shut3', 'shut3', 'shut3', 'shut3'),
    t.ids('anna', 'carl', 'carl', 'ben'), '{1,2,3,4}',
    '{text,text,text,text}', '{NULL,NULL,NULL,NULL}')$$,
    '1 reply 201, 1 event chat_assigned, 1 event new_message, '
    '2 reply 201, 2 event chat_status_updated, 2 event new_message, '
    '3 reply 201, 3 event new_message, 4 reply 409 CHAT_ASSIGNED',
    'taken and reopened in one batch');
SELECT t.does($$messages_send('{}', '{}', '{}', '{}', '{}', '{}')$$, NULL,
    'an empty batch');
SELECT t.ok((SELECT bool_and(t.gapless(c.name)) FROM t.chats c
    WHERE c.name <> 'old'), 'no chat has a gap');

-- Reading.

SELECT t.chat('long', 'carl', 'anna');
INSERT INTO public.messages (chat_id, sender_id, content, seq, created_at)
SELECT t.id('long'), t.id('carl'), n::TEXT, n,
       '2025-01-01'::TIMESTAMP + n * interval '1 minute'
  FROM generate_series(1, 600) n;
UPDATE public.chats SET last_seq = 600 WHERE id = t.id('long');

-- The numbers of a page of history, as "first-last".
CREATE FUNCTION t.page(params TEXT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format('messages_list(%L, %L, %s)', t.id('carl'),
                         t.id('long'), params));
    RETURN CASE WHEN json_array_length(t.data()) = 0 THEN '[]' ELSE
        (t.data()->0->>'seq') || '-' || (t.data()->-1->>'seq') END;
END
$$;

SELECT t.is(t.page('50, NULL, NULL, NULL, NULL'), '551-600', 'the newest');
SELECT t.is(json_array_length(t.data())::TEXT, '50', 'fifty of them');
SELECT t.is(t.page('50, 10, NULL, NULL, NULL'), '541-590', 'offset');
SELECT t.is(t.page('50, 570, NULL, NULL, NULL'), '1-30', 'the last page');
SELECT t.is(t.page('50, 600, NULL, NULL, NULL'), '[]', 'beyond it');
SELECT t.is(t.page('50, NULL, 100, NULL, NULL'), '50-99', 'before a number');
SELECT t.is(t.page('50, NULL, 1, NULL, NULL'), '[]', 'before the first');
SELECT t.is(t.page('50, NULL, 9223372036854775807, NULL, NULL'), '551-600',
    'before a number to come');
SELECT t.is(t.page($$50, NULL, NULL, '2025-01-01T01:40:00Z', NULL$$), '50-99',
    'before a time');
SELECT t.is(t.page($$50, NULL, NULL, '2025-01-01T02:40:00.000001+01:00',
    NULL$$), '51-100', 'before a time of another zone');
SELECT t.is(t.page($$50, NULL, NULL, '2024-01-01T00:00:00Z', NULL$$), '[]',
    'before all time');
SELECT t.is(t.page('50, NULL, NULL, NULL, 0'), '1-50', 'after none');
SELECT t.is(t.page('50, NULL, NULL, NULL, 580'), '581-600', 'after a number');
SELECT t.is(t.page('50, NULL, NULL, NULL, 600'), '[]', 'after the last');
SELECT t.is(t.page('50, NULL, NULL, NULL, 9223372036854775807'), '[]',
    'after a number to come');
SELECT t.does($$messages_list(t.id('ben'), t.id('long'), 50, 0, NULL, NULL,
    NULL)$$, '1 reply 404 CHAT_NOT_FOUND', 'history is for those who see');
SELECT t.does($$messages_list(t.id('none'), t.id('long'), 50, 0, NULL, NULL,
    NULL)$$, '1 reply 401 INVALID_TOKEN', 'messages_list of nobody');

SELECT t.run($$chats_get(t.id('carl'), t.id('long'))$$);
SELECT t.is((t.data()->'messages'->0->>'seq') || '-'
    || (t.data()->'messages'->-1->>'seq'), '551-600',
    'a chat comes with its last fifty, oldest first');
SELECT t.is(t.data()->'lastMessage'->>'seq', '600', 'and the last one');

SELECT t.run($$chats_join(t.id('sue'), t.id('long'), 597)$$);
SELECT t.is((SELECT string_agg(concat_ws(':', (o).kind, (o).seq), ' '
    ORDER BY n) FROM t.r), 'reply:600 replay:598 replay:599 replay:600',
    'joining after a number replays, the reply first');
SELECT t.is((SELECT (o).body::JSON->'data'->>'content' FROM t.r WHERE n = 2),
    '598', 'the events of messages');
SELECT t.run($$chats_join(t.id('sue'), t.id('long'), 100)$$);
SELECT t.is((SELECT count(*)::TEXT FROM t.r), '501', 'five hundred are replayed');
SELECT t.run($$chats_join(t.id('sue'), t.id('long'), 99)$$);
SELECT t.is((SELECT string_agg((o).kind || ':'
    || coalesce((o).body::JSON->>'type', ''), ' ' ORDER BY n) FROM t.r),
    'reply: replay:resync', 'more have to be fetched');
SELECT t.run($$chats_join(t.id('sue'), t.id('long'), 600)$$);
SELECT t.is((SELECT count(*)::TEXT FROM t.r), '1', 'nothing is missing');
SELECT t.run($$chats_join(t.id('sue'), t.id('long'), 9223372036854775807)$$);
SELECT t.is((SELECT count(*)::TEXT FROM t.r), '1', 'a number to come');

-- Repeats, for an NGINX process that misses some.

SELECT t.chat('gap', 'carl', 'anna');
SELECT t.send('gap', 'carl', 'one', 'g-1');
SELECT t.send('gap', 'anna', 'two');
CREATE TABLE t.sent AS SELECT (t.event('new_message')).*;
SELECT t.does($$messages_repeat(t.id('gap'), 0)$$,
    '1 event new_message, 1 event new_message', 'all messages again');
SELECT t.is((SELECT concat_ws(' ', o.topics, o.class, o.chat, o.seq, o.body)
        FROM t.event('new_message', 2) o),
    (SELECT concat_ws(' ', topics, class, chat, seq, body) FROM t.sent),
    'just as the event that brought it');
SELECT t.is((SELECT string_agg((o).seq::TEXT, ' ' ORDER BY n) FROM t.r), '1 2',
    'in order');
SELECT t.does($$messages_repeat(t.id('gap'), 1)$$, '1 event new_message',
    'those after a number');
SELECT t.does($$messages_repeat(t.id('gap'), 2)$$, NULL, 'none');
SELECT t.does($$messages_repeat(t.id('gap'), 9223372036854775807)$$, NULL,
    'none after the largest number');
SELECT t.does($$messages_repeat(t.id('nothing'), 0)$$, NULL, 'no such chat');
INSERT INTO public.messages (chat_id, sender_id, content, seq)
SELECT t.id('gap'), t.id('carl'), 'x', n FROM generate_series(3, 600) n;
UPDATE public.chats SET last_seq = 600 WHERE id = t.id('gap');
SELECT t.run($$messages_repeat(t.id('gap'), 10)$$);
SELECT t.is((SELECT concat_ws(' ', count(*), min((o).seq), max((o).seq))
    FROM t.r), '500 11 510', 'at most 500 at once');
