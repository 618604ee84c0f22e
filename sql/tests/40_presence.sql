-- Presence: who is online, who hides, who hears of it, who is free.

SELECT t.chat('own', 'carl', 'anna'), t.chat('old', 'cora', 'anna', 'archived'),
       t.chat('queue', 'cora', NULL);

SELECT t.does($$presence_apply(t.ids('anna'), '{t}', '{t}', '{s1}')$$,
    '1 reply 200, 1 event user_status_change, 1 event user_connected, '
    '1 event user_status_change, 1 event user_connected',
    'an agent comes online');
SELECT t.is(t.names((t.event('user_status_change', 1)).topics),
    'role:agent,role:super-agent', 'agents and super-agents hear of it');
SELECT t.is(t.names((t.event('user_status_change', 2)).topics), 'user:carl',
    'and customers of open chats');
SELECT t.is((t.event('user_status_change')).body, format(
    '{"type":"user_status_change","data":{"userId":"%s","isOnline":true}}',
    t.id('anna')), 'user_status_change');
SELECT t.is((t.event('user_connected')).body, format(
    '{"type":"user_connected","data":{"userId":"%1$s","username":"anna",'
    '"isOnline":true},"userId":"%1$s","username":"anna"}', t.id('anna')),
    'user_connected');
SELECT t.is((t.event('user_status_change')).class || ' '
    || (t.event('user_connected')).class, 'presence legacy', 'their classes');
SELECT t.does($$presence_apply(t.ids('anna'), '{t}', '{t}', '{s1}')$$,
    '1 reply 200', 'online already is no news');
SELECT t.does($$presence_apply(t.ids('carl', 'none', 'sue'), '{t,t,f}',
    '{t,t,f}', '{a,b,c}')$$,
    '1 reply 200, 1 event user_status_change, 1 event user_connected, '
    '2 reply 404 USER_NOT_FOUND, 3 reply 200',
    'a customer, nobody, and one who was offline');
SELECT t.is((SELECT (o).id::TEXT FROM t.r WHERE n = 1), t.id('carl')::TEXT,
    'replies name the person');
SELECT t.does($$presence_apply(t.ids('ben', 'ben'), '{t,f}', '{t,f}',
    '{a,NULL}')$$, '1 reply 200, 2 reply 200', 'the last word counts');
SELECT t.does($$presence_apply(t.ids('ben', 'ben'), '{f,t}', '{f,t}',
    '{NULL,b}')$$, '1 reply 200, 2 reply 200, 2 event user_status_change, '
    '2 event user_connected', 'both ways');
SELECT t.is((SELECT string_agg(t.names(id::TEXT), ' '
    ORDER BY t.names(id::TEXT)) FROM cs_chat.presence_load('{}')),
    'anna ben carl', 'presence_load');
UPDATE cs_chat.shards SET published = '2020-01-01' WHERE shard = 7;
UPDATE public.users SET presence_at = '2019-12-31' WHERE username = 'ben';
SELECT t.is((SELECT string_agg(t.names(id::TEXT), ' '
    ORDER BY t.names(id::TEXT)) FROM cs_chat.presence_load('{7}') WHERE again),
    'anna carl', 'who changed since the mark is to be told again');
SELECT t.does($$presence_again(t.ids('carl', 'none', 'sue'))$$,
    '1 event user_status_change, 1 event user_connected, '
    '3 event user_status_change, 3 event user_disconnected',
    'and is told as it is');

-- Hiding.

SELECT t.does($$users_hide(t.id('anna'), true, true, true)$$,
    '1 reply 200, 1 event user_status_change, 1 event user_disconnected, '
    '1 event user_status_change, 1 event user_disconnected',
    'a person hides');
SELECT t.is(t.data()->>'isOnline', 'false', 'and is offline');
SELECT t.is((t.event('user_disconnected')).body, format(
    '{"type":"user_disconnected","data":{"userId":"%1$s","username":"anna",'
    '"isOnline":false},"userId":"%1$s","username":"anna"}', t.id('anna')),
    'user_disconnected');
SELECT t.does($$users_hide(t.id('anna'), true, true, true)$$, '1 reply 200',
    'hiding twice is no news');
SELECT t.does($$presence_apply(t.ids('anna'), '{t}', '{f}', '{NULL}')$$,
    '1 reply 200', 'a renewal does not end it');
SELECT t.is((SELECT (o).duplicate::TEXT FROM t.r), 'true',
    'the reply tells that the person hides');
SELECT t.does($$presence_apply(t.ids('anna'), '{t}', '{t}', '{s2}')$$,
    '1 reply 200, 1 event user_status_change, 1 event user_connected, '
    '1 event user_status_change, 1 event user_connected',
    'another connection does');
SELECT t.is((SELECT (o).duplicate::TEXT FROM t.r WHERE n = 1), 'false',
    'the reply tells that, too');
SELECT t.does($$users_hide(t.id('cora'), false, false, true)$$, '1 reply 200',
    'nobody comes online without a connection');
SELECT t.is(t.data()->>'isOnline', 'false', 'they stay offline');
SELECT t.does($$users_hide(t.id('sue'), false, true, true)$$,
    '1 reply 200, 1 event user_status_change, 1 event user_connected',
    'with one they do');
SELECT t.does($$users_hide(t.id('none'), false, true, true)$$,
    '1 reply 401 INVALID_TOKEN', 'users_hide of nobody');

-- Hiding so soon after a change that it may not be told yet.

SELECT t.does($$users_hide(t.id('sue'), true, true, false)$$, '1 reply 200',
    'a person hides, which is told later');
SELECT t.is(t.data()->>'isOnline', 'false', 'they are offline at once');
SELECT t.is((SELECT is_online || ' ' || cs_chat.is_online(u)
    FROM public.users u WHERE id = t.id('sue')), 'true false',
    'is_online is what was told');
SELECT t.does($$presence_apply(t.ids('sue'), '{t}', '{f}', '{NULL}')$$,
    '1 reply 200, 1 event user_status_change, 1 event user_disconnected',
    'now it is told');
SELECT t.is((SELECT is_online::TEXT FROM public.users
    WHERE id = t.id('sue')), 'false', 'and written');
SELECT t.does($$users_hide(t.id('sue'), false, true, false)$$, '1 reply 200',
    'a person shows again, which is told later');
SELECT t.is(t.data()->>'isOnline', 'true', 'the answer says so');
SELECT t.does($$users_hide(t.id('sue'), true, true, false)$$, '1 reply 200',
    'and hides again before it was');
SELECT t.does($$presence_apply(t.ids('sue'), '{t}', '{f}', '{NULL}')$$,
    '1 reply 200', 'no news in all');
SELECT t.does($$users_hide(t.id('sue'), false, true, true)$$,
    '1 reply 200, 1 event user_status_change, 1 event user_connected',
    'and back for good');

-- Many customers.

INSERT INTO public.users (id, username, email, password_hash, name)
SELECT t.id('c' || n), 'c' || n, 'c' || n || '@example.com', 'h', 'C'
  FROM generate_series(1, 250) n;
INSERT INTO public.chats (customer_id, agent_id)
SELECT t.id('c' || n), t.id('ben') FROM generate_series(1, 250) n,
       generate_series(1, 2);
SELECT t.run($$presence_apply(t.ids('ben'), '{f}', '{f}', '{NULL}')$$);
SELECT t.is((SELECT string_agg((length((o).topics)
        - length(replace((o).topics, 'user:', ''))) / 5 || '', ' ' ORDER BY n)
        FROM t.r WHERE (o).class = 'presence'), '0 100 100 50',
    'the customers of a busy agent are told in groups');
SELECT t.is((SELECT count(DISTINCT topic)::TEXT FROM t.r,
        unnest(string_to_array((o).topics, ',')) topic
        WHERE (o).class = 'legacy'), '252', 'each once');
SELECT t.ok((SELECT max(length((o).topics)) < 8000 FROM t.r),
    'so that the topics fit a header');
DELETE FROM public.chats WHERE agent_id = t.id('ben');

-- Who is free.

CREATE FUNCTION t.free(what TEXT, who TEXT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format('%s(%L)', what, t.id(who)));
    IF (SELECT (o).code FROM t.r) IS NOT NULL THEN
        RETURN t.summary();
    END IF;
    RETURN t.pluck(t.data(), 'username');
END
$$;

UPDATE public.users SET is_online = false, hidden = false;
SELECT t.is(t.free('agents_available', 'carl'), '', 'nobody is online');
SELECT t.is(t.data()::TEXT, '[]', 'an empty list');
UPDATE public.users SET is_online = true WHERE username NOT LIKE 'c%';
UPDATE public.users SET is_online = true WHERE username IN ('carl', 'cora');
SELECT t.is(t.free('agents_available', 'carl'), 'anna ben',
    'agents who serve nobody else, no super-agents');
SELECT t.is(t.free('agents_available', 'cora'), 'ben',
    'an agent with an active chat with another customer is busy');
UPDATE public.chats SET status = 'closed' WHERE id = t.id('own');
SELECT t.is(t.free('agents_available', 'cora'), 'anna ben',
    'a closed chat keeps nobody busy');
UPDATE public.chats SET status = NULL WHERE id = t.id('own');
SELECT t.is(t.free('agents_available', 'cora'), 'ben',
    'no status means active');
UPDATE public.users SET hidden = true WHERE username = 'ben';
SELECT t.is(t.free('agents_available', 'cora'), '', 'hidden people are offline');
UPDATE public.users SET hidden = false;
SELECT t.is(t.free('agents_available', 'anna'), '1 reply 403 ACCESS_DENIED',
    'for customers alone');
SELECT t.is(t.free('agents_available', 'none'), '1 reply 401 INVALID_TOKEN',
    'agents_available of nobody');
SELECT t.is(t.free('customers_available', 'anna'), 'carl cora',
    'customers whom no other agent serves');
SELECT t.is(t.keys(t.data()->0),
    'id,username,name,role,avatar,isOnline,createdAt,updatedAt',
    'without e-mail for agents');
SELECT t.is(t.free('customers_available', 'ben'), 'cora',
    'a customer whom another serves is not free');
SELECT t.is(t.free('customers_available', 'sue'), 'cora',
    'nor for a super-agent');
SELECT t.is(t.data()->0->>'email', 'cora@example.com', 'who sees e-mail');
SELECT t.is(t.free('customers_available', 'carl'), '1 reply 403 ACCESS_DENIED',
    'for agents alone');
SELECT t.is(t.free('customers_available', 'none'), '1 reply 401 INVALID_TOKEN',
    'customers_available of nobody');

SELECT t.is(cs_chat.health()::TEXT, '1', 'health');
