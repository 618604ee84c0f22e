-- The sample data.

SELECT t.is(cs_chat.seed('hash')::TEXT, 'false',
    'nothing is added where there are users');
TRUNCATE public.users CASCADE;
SELECT t.is(cs_chat.seed('$2a$10$sample')::TEXT, 'true', 'an empty database');
SELECT t.is(cs_chat.seed('$2a$10$sample')::TEXT, 'false', 'once');
SELECT t.is((SELECT string_agg(concat_ws(':', username, name, role,
        password_hash), ' ' ORDER BY username) FROM public.users),
    'agent1:Agent One:agent:$2a$10$sample '
    'agent2:Agent Two:super-agent:$2a$10$sample '
    'customer1:Customer One:customer:$2a$10$sample '
    'customer2:Customer Two:customer:$2a$10$sample', 'the four people');
SELECT t.is((SELECT string_agg(concat_ws(':', cu.username,
        coalesce(ag.username, '-'), c.status, c.last_seq), ' '
        ORDER BY c.created_at)
        FROM public.chats c JOIN public.users cu ON cu.id = c.customer_id
        LEFT JOIN public.users ag ON ag.id = c.agent_id),
    'customer1:agent2:archived:3 customer1:agent1:closed:4 '
    'customer2:-:active:2', 'their chats');
INSERT INTO t.chats SELECT c.id, c.id::TEXT FROM public.chats c;
SELECT t.ok((SELECT bool_and(m.n = c.last_seq AND m.last = c.last_seq
                             AND m.first = 1)
               FROM public.chats c,
                    LATERAL (SELECT count(*) AS n, max(seq) AS last,
                                    min(seq) AS first
                               FROM public.messages
                              WHERE chat_id = c.id) m), 'numbered without gap');
SELECT t.run(format('chats_list(%L, NULL, 50, 0)',
    (SELECT id FROM public.users WHERE username = 'agent1')));
SELECT t.is(t.pluck(t.data(), 'unreadCount'), '2 0',
    'only the queue is unread');
SELECT t.is(t.data()->0->'lastMessage'->'sender'->>'name', 'Customer Two',
    'with last messages');
