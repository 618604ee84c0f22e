-- Accounts: login, registration, who sees whom.

SELECT t.is(
    (SELECT concat_ws(' ', username, role, password_hash)
       FROM cs_chat.user_by_name('anna')),
    'anna agent hash', 'user_by_name finds an account');
SELECT t.is(
    (SELECT t.keys(body::JSON) FROM cs_chat.user_by_name('anna')),
    'id,username,email,name,role,avatar,isOnline,createdAt,updatedAt',
    'a user has the members of the API');
SELECT t.is(
    (SELECT body::JSON->>'isOnline' FROM cs_chat.user_by_name('anna')),
    'true', 'a login counts as presence');
SELECT t.is((SELECT count(*)::TEXT FROM cs_chat.user_by_name('Anna')), '0',
    'user names are told apart by case');
SELECT t.is((SELECT count(*)::TEXT FROM cs_chat.user_by_name('nobody')), '0',
    'no account, no row');
SELECT t.is((SELECT username FROM cs_chat.user_by_id(t.id('carl'))), 'carl',
    'user_by_id finds an account');
SELECT t.ok(
    (SELECT body ~ '"createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"'
        AND body !~ '": |, ' FROM cs_chat.user_by_id(t.id('carl'))),
    'times are RFC 3339, JSON is compact');

SELECT cs_chat.user_set_hash(t.id('ben'), 'other', 'new');
SELECT t.is((SELECT password_hash FROM public.users WHERE username = 'ben'),
    'hash', 'a hash that changed meanwhile stays');
SELECT cs_chat.user_set_hash(t.id('ben'), 'hash', 'new');
SELECT t.is((SELECT password_hash FROM public.users WHERE username = 'ben'),
    'new', 'an old hash is replaced');

-- Registration.

SELECT t.does($$users_register(NULL, 'newbie', 'New@Example.org', 'h',
    'N"ew', 'customer')$$, '1 reply 201', 'anyone registers as a customer');
SELECT t.is(concat_ws(' ', t.data()->>'username', t.data()->>'email',
        t.data()->>'name', t.data()->>'role'),
    'newbie New@Example.org N"ew customer', 'the account is answered');
SELECT t.is((SELECT (o).id::TEXT FROM t.r), t.data()->>'id',
    'the id stands in the row');
SELECT t.does($$users_register(NULL, 'newbie', 'else@example.org', 'h', 'N',
    'customer')$$, '1 reply 409 CONFLICT username', 'a taken user name');
SELECT t.does($$users_register(NULL, 'newbie2', 'nEW@example.ORG', 'h', 'N',
    'customer')$$, '1 reply 409 CONFLICT email',
    'a taken e-mail address, in another case');
SELECT t.does($$users_register(NULL, 'newagent', 'a@example.org', 'h', 'N',
    'agent')$$, '1 reply 403 ACCESS_DENIED role', 'nobody becomes an agent');
SELECT t.does($$users_register(t.id('anna'), 'newagent', 'a@example.org', 'h',
    'N', 'agent')$$, '1 reply 403 ACCESS_DENIED role',
    'an agent makes no agents');
SELECT t.does($$users_register(t.id('sue'), 'newagent', 'a@example.org', 'h',
    'N', 'agent')$$, '1 reply 201', 'a super-agent makes agents');
SELECT t.does($$users_register(t.id('none'), 'x', 'x@example.org', 'h', 'N',
    'customer')$$, '1 reply 401 INVALID_TOKEN', 'a caller who is no more');

-- Who sees whom.

SELECT t.does($$users_self(ARRAY[t.id('carl')])$$, '1 reply 200', 'users_self');
SELECT t.is(t.data()->>'email', 'carl@example.com', 'one''s own e-mail');
SELECT t.does($$users_self(ARRAY[t.id('none')])$$, '1 reply 401 INVALID_TOKEN',
    'users_self of nobody');
SELECT t.does($$users_self(t.ids('carl', 'none', 'anna', 'carl'))$$,
    '1 reply 200, 2 reply 401 INVALID_TOKEN, 3 reply 200, 4 reply 200',
    'users_self of several, in order');

SELECT t.run($$users_list(t.id('carl'), NULL, NULL, 50, 0)$$);
SELECT t.is(t.pluck(t.data(), 'username'), 'anna ben newagent sue',
    'customers see agents and super-agents');
SELECT t.is(t.keys(t.data()->0),
    'id,username,name,role,avatar,isOnline,createdAt,updatedAt',
    'without e-mail addresses');
SELECT t.run($$users_list(t.id('anna'), NULL, NULL, 50, 0)$$);
SELECT t.is(t.pluck(t.data(), 'username'), 'anna ben newagent sue',
    'agents see agents and super-agents');
SELECT t.is(t.pluck(t.data(), 'email'), 'anna@example.com',
    'with their own e-mail address alone');
SELECT t.run($$users_list(t.id('sue'), NULL, NULL, 50, 0)$$);
SELECT t.is(t.pluck(t.data(), 'username'),
    'anna ben carl cora newagent newbie sue', 'super-agents see everyone');
SELECT t.is(t.data()->2->>'email', 'carl@example.com', 'with e-mail addresses');
SELECT t.run($$users_list(t.id('sue'), NULL, NULL, 2, 3)$$);
SELECT t.is(t.pluck(t.data(), 'username'), 'cora newagent',
    'limit and offset');
SELECT t.run($$users_list(t.id('sue'), 'customer', NULL, 50, 0)$$);
SELECT t.is(t.pluck(t.data(), 'username'), 'carl cora newbie', 'role=customer');
SELECT t.run($$users_list(t.id('anna'), 'customer', NULL, 50, 0)$$);
SELECT t.is(t.data()::TEXT, '[]', 'what one may not see is an empty list');
SELECT t.run($$users_list(t.id('carl'), 'super-agent', NULL, 50, 0)$$);
SELECT t.is(t.pluck(t.data(), 'username'), 'sue', 'role=super-agent');
UPDATE public.users SET is_online = true WHERE username IN ('ben', 'carl');
UPDATE public.users SET is_online = NULL WHERE username = 'anna';
SELECT t.run($$users_list(t.id('carl'), NULL, true, 50, 0)$$);
SELECT t.is(t.pluck(t.data(), 'username'), 'ben', 'online=true');
SELECT t.run($$users_list(t.id('carl'), NULL, false, 50, 0)$$);
SELECT t.is(t.pluck(t.data(), 'username'), 'anna newagent sue',
    'online=false; unknown is offline');
SELECT t.does($$users_list(t.id('none'), NULL, NULL, 50, 0)$$,
    '1 reply 401 INVALID_TOKEN', 'users_list of nobody');

-- Roles that change.

SELECT t.is((SELECT count(*)::TEXT FROM cs_chat.roles_changed()), '0',
    'nobody''s role was changed');
UPDATE public.users SET role = role, name = name;
SELECT t.is((SELECT count(*)::TEXT FROM cs_chat.roles_changed()), '0',
    'nor by an update that leaves it');
UPDATE public.users SET role = 'super-agent' WHERE username = 'anna';
UPDATE public.users SET role = 'customer' WHERE username IN ('anna', 'ben');
SELECT t.is(
    (SELECT string_agg(u.username || ' ' || r.role, ', ' ORDER BY u.username)
       FROM cs_chat.roles_changed() r JOIN public.users u ON u.id = r.id),
    'anna customer, ben customer', 'each is there once, with what it is now');
UPDATE public.users SET role = 'agent' WHERE username IN ('anna', 'ben');
