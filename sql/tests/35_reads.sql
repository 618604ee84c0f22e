-- Read state: marks move one pointer per person and chat, and only forward.

SELECT t.chat('own', 'carl', 'anna'), t.chat('queue', 'cora', NULL),
       t.chat('empty', 'carl', 'anna');
SELECT t.send('own', 'carl', 'm' || n) FROM generate_series(1, 5) n;
SELECT t.send('queue', 'cora', 'm' || n) FROM generate_series(1, 3) n;

-- One mark, and the pointer and unread count it leaves.
CREATE FUNCTION t.mark(who TEXT, chat TEXT, seq BIGINT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format('chats_read(%L, %L, %L)', ARRAY[t.id(chat)],
                         ARRAY[t.id(who)], ARRAY[seq]));
    RETURN t.summary();
END
$$;

CREATE FUNCTION t.pointer(who TEXT, chat TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT r.seq::TEXT FROM public.chat_reads r
     WHERE r.user_id = t.id(who) AND r.chat_id = t.id(chat)
$$;

CREATE FUNCTION t.unread(who TEXT, chat TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT (o.body::JSON)->>'unreadCount'
      FROM cs_chat.chats_get(t.id(who), t.id(chat)) o
$$;

-- Who has read how far, as GET chats/{id} tells everyone.
CREATE FUNCTION t.reads(who TEXT, chat TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT string_agg(replace(t.names('user:' || (x->>'userId')), 'user:', '') || ' ' || (x->>'seq'), ', ' ORDER BY n)
      FROM cs_chat.chats_get(t.id(who), t.id(chat)) o,
           json_array_elements((o.body::JSON)->'reads') WITH ORDINALITY AS e (x, n)
$$;

-- Where the row of a pointer lies: another place is another version of it.
CREATE FUNCTION t.place(who TEXT, chat TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT r.ctid::TEXT || ' ' || r.xmin::TEXT || ' ' || r.xmax::TEXT
      FROM public.chat_reads r
     WHERE r.user_id = t.id(who) AND r.chat_id = t.id(chat)
$$;

SELECT t.is(t.unread('carl', 'own'), '0', 'one''s own messages are not unread');
SELECT t.is(t.unread('anna', 'own'), '5', 'those of others are');
SELECT t.is(t.unread('sue', 'own'), '5', 'for a super-agent too');

SELECT t.is(t.reads('carl', 'own'), 'carl 5', 'who wrote has read it');
SELECT t.is(t.reads('carl', 'empty'), NULL, 'where nothing is nobody has');
SELECT t.is(t.reads('sue', 'queue'), 'cora 3', 'there need be no agent');

SELECT t.is(t.mark('anna', 'own', 3), '1 reply 200, 1 event messages_read',
    'a first mark');
SELECT t.is(t.reads('carl', 'own'), 'carl 5, anna 3', 'is there for all');
SELECT t.is((SELECT (o).body FROM t.r WHERE n = 1), NULL, 'has an empty answer');
SELECT t.is((t.event('messages_read')).body,
    format('{"type":"messages_read","data":{"chatId":"%s","userId":"%s",'
           '"seq":3}}', t.id('own'), t.id('anna')), 'and an event');
SELECT t.is(t.names((t.event('messages_read')).topics),
    'user:carl,user:anna,chat:own', 'for those in the chat');
SELECT t.is((t.event('messages_read')).class, 'read', 'of the class read');
SELECT t.is((t.event('messages_read')).seq::TEXT, NULL,
    'which is no message to be ordered');
SELECT t.is((t.event('messages_read')).chat::TEXT, t.id('own')::TEXT,
    'about the chat');
SELECT t.is(t.unread('anna', 'own'), '2', 'two are left');
SELECT t.is(t.unread('carl', 'own'), '0', 'others'' counts are theirs');

CREATE TABLE t.was AS SELECT t.place('anna', 'own') AS place;
SELECT t.is(t.mark('anna', 'own', 3), '1 reply 200', 'the same mark again');
SELECT t.is(t.mark('anna', 'own', 1), '1 reply 200', 'a lower one');
SELECT t.is(t.mark('anna', 'own', 0), '1 reply 200', 'and 0');
SELECT t.is(t.pointer('anna', 'own'), '3', 'move nothing back');
SELECT t.is(t.place('anna', 'own'), (SELECT place FROM t.was),
    'and write nothing');

SELECT t.is(t.mark('anna', 'own', 9223372036854775807),
    '1 reply 200, 1 event messages_read', 'a mark beyond the end');
SELECT t.is(t.pointer('anna', 'own'), '5', 'reads up to the end');
SELECT t.is((t.event('messages_read')).body::JSON->'data'->>'seq', '5',
    'as the event says');
SELECT t.is(t.mark('anna', 'own', 6), '1 reply 200', 'where it is the end');
SELECT t.send('own', 'carl', 'm6');
SELECT t.is(t.unread('anna', 'own'), '1', 'what comes later is unread');
SELECT t.send('own', 'anna', 'm7');
SELECT t.is(t.unread('anna', 'own'), '0', 'until one writes oneself');
SELECT t.is(t.mark('anna', 'own', 6), '1 reply 200', 'which has read it');

SELECT t.is(t.mark('carl', 'empty', 7), '1 reply 200',
    'of a chat without messages');
SELECT t.is(t.pointer('carl', 'empty'), NULL, 'nothing is read');

-- Who may, and who hears of it.

SELECT t.is(t.mark('ben', 'own', 1), '1 reply 404 CHAT_NOT_FOUND',
    'another agent''s chat is not to be read');
SELECT t.is(t.mark('cora', 'own', 1), '1 reply 404 CHAT_NOT_FOUND',
    'nor another customer''s');
SELECT t.is(t.mark('anna', 'nothing', 1), '1 reply 404 CHAT_NOT_FOUND',
    'nor one that is not there');
SELECT t.is(t.mark('none', 'own', 1), '1 reply 401 INVALID_TOKEN',
    'nor by nobody');
SELECT t.is(t.pointer('ben', 'own'), NULL, 'they leave no pointer');
SELECT t.is(t.mark('sue', 'own', 2), '1 reply 200, 1 event messages_read',
    'a super-agent reads any');
SELECT t.is(t.names((t.event('messages_read')).topics),
    'user:carl,user:anna,user:sue,chat:own', 'their own sockets hear of it');
SELECT t.is(t.mark('ben', 'queue', 3), '1 reply 200, 1 event messages_read',
    'an agent reads the queue');
SELECT t.is(t.names((t.event('messages_read')).topics),
    'user:cora,user:ben,chat:queue', 'of which other agents hear nothing');
SELECT t.is(t.mark('cora', 'queue', 3), '1 reply 200',
    'its customer wrote it all');
UPDATE public.chats SET status = 'archived' WHERE id = t.id('own');
SELECT t.is(t.mark('sue', 'own', 7), '1 reply 200, 1 event messages_read',
    'an archived chat can be read');

-- A batch.

SELECT t.send('queue', 'cora', 'm4'), t.send('queue', 'cora', 'm5');
SELECT t.does($$chats_read(
    t.ids('queue', 'own', 'queue', 'queue', 'queue', 'nothing'),
    t.ids('ben', 'ben', 'ben', 'ben', 'anna', 'anna'),
    '{4,1,5,5,2,1}')$$,
    '1 reply 200, 2 reply 404 CHAT_NOT_FOUND, 3 reply 200, '
    '3 event messages_read, 4 reply 200, 5 reply 200, 5 event messages_read, '
    '6 reply 404 CHAT_NOT_FOUND',
    'of a batch the furthest mark of each reader is told');
SELECT t.is(t.pointer('ben', 'queue') || t.pointer('anna', 'queue'), '52',
    'and kept');
