-- Take-over: who holds shards, what the last holder left.

SELECT t.is((SELECT concat_ws(' ', count(*), min(shard), max(shard),
        count(holder)) FROM cs_chat.shards), '64 0 63 0', 'nobody holds a shard');

-- Claims, marks and clean ends.

SELECT t.is((SELECT concat_ws(' ', count(*), count(since), count(first),
        count(until)) FROM cs_chat.shards_claim('{1,2,3}', 'a')), '3 0 0 3',
    'the first holder finds nothing left');
SELECT cs_chat.shards_mark('{1,2}', 'a', '2025-01-01 12:00');
SELECT cs_chat.shards_mark('{3}', 'b', '2025-01-01 12:00');
SELECT t.is((SELECT string_agg(shard::TEXT, ' ' ORDER BY shard)
    FROM cs_chat.shards WHERE published = '2025-01-01 12:00'), '1 2',
    'only the holder marks');
SELECT cs_chat.shards_clear('{2}', 'a'), cs_chat.shards_clear('{1}', 'b');
CREATE TABLE t.claimed AS SELECT * FROM cs_chat.shards_claim('{1,2,3}', 'b');
SELECT t.is((SELECT since::TEXT FROM t.claimed WHERE shard = 1),
    '2025-01-01 11:59:58', 'left: since the last mark, and a little more');
SELECT t.is((SELECT since::TEXT FROM t.claimed WHERE shard = 2), NULL,
    'let go of: nothing is left');
SELECT t.ok((SELECT since BETWEEN until - interval '1 min' AND until
    FROM t.claimed WHERE shard = 3), 'never marked: since it was claimed');
SELECT t.is((SELECT DISTINCT first::TEXT FROM t.claimed),
    '2025-01-01 11:59:58', 'the earliest of all');
SELECT t.is((SELECT since::TEXT FROM cs_chat.shards_claim('{1}', 'c')),
    '2025-01-01 11:59:58', 'a holder that dies over it leaves it all');
SELECT cs_chat.shards_mark('{1}', 'c', '2999-01-01');
SELECT t.ok((SELECT since < until FROM cs_chat.shards_claim('{1}', 'd')),
    'a mark of a clock that was ahead');

-- Chats.

SELECT t.chat('still', 'carl', 'anna'), t.chat('busy', 'carl', 'anna'),
       t.chat('gone', 'carl', 'anna', 'archived');
UPDATE public.chats SET created_at = '2025-02-01 09:00',
       updated_at = CASE id WHEN t.id('still') THEN '2025-02-01 10:59:59.9'
                            WHEN t.id('busy') THEN '2025-02-01 11:00:00.1'
                            ELSE '2025-02-01 11:30' END::TIMESTAMP;

CREATE FUNCTION t.changed(since TEXT, until TEXT, at TEXT, id UUID, n INT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT string_agg(concat_ws(' ', k.name, c.created), ', ' ORDER BY c.changed)
      FROM cs_chat.takeover_chats(since::TIMESTAMP, until::TIMESTAMP,
               at::TIMESTAMP, id, n) c
      JOIN t.chats k ON k.id = c.id
$$;

SELECT t.is(t.changed('2025-02-01 10:59:59', '2025-02-01 12:00',
        '2025-02-01 10:59:59', t.id('x'), 9), 'still f, busy f, gone f',
    'over the hour, archived ones too');
SELECT t.is(t.changed('2025-02-01 11:00', '2025-02-01 11:10',
        '2025-02-01 11:00', t.id('x'), 9), 'busy f', 'from and until');
SELECT t.is(t.changed('2025-02-01 09:00', '2025-02-01 12:00',
        '2025-02-01 09:00', t.id('x'), 2), 'still t, busy t', 'a page');
SELECT t.is(t.changed('2025-02-01 09:00', '2025-02-01 12:00',
        '2025-02-01 11:00:00.1', t.id('busy'), 2), 'gone t', 'the next');

-- Events.

INSERT INTO public.messages (chat_id, sender_id, content, seq, created_at)
SELECT t.id('busy'), t.id('carl'), n::TEXT, n,
       '2025-02-01 10:00'::TIMESTAMP + n * interval '10 min'
  FROM generate_series(1, 6) n;
UPDATE public.chats SET last_seq = 6, assigned_at = '2025-02-01 10:30'
 WHERE id = t.id('busy');

CREATE FUNCTION t.left(since TEXT, whole TEXT, chat UUID, place INT, n INT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM t.run(format(
        'takeover_events(t.ids(''busy''), %L, %L, %L, %s, %s)', since, whole,
        chat, place, n));
    RETURN (SELECT string_agg(concat_ws(' ', (o).body::JSON->>'type', (o).seq),
                ', ' ORDER BY r.n) FROM t.r);
END
$$;

SELECT t.is(t.left('{2025-02-01 10:40}', '{t}',
        'ffffffff-ffff-ffff-ffff-ffffffffffff', -4, 9), NULL,
    'a chat before the place');
SELECT t.is(t.left('{2025-02-01 10:40}', '{t}',
        '00000000-0000-0000-0000-000000000000', -4, 9),
    'chat_status_updated, new_message 4, new_message 5, new_message 6',
    'the status and messages since then');
SELECT t.is(t.left('{2025-02-01 10:25}', '{t}',
        '00000000-0000-0000-0000-000000000000', -4, 4),
    'new_chat, chat_assigned, chat_status_updated, new_message 3',
    'who took it; a page');
SELECT t.is(t.names((t.event('new_chat')).topics), 'user:anna',
    'to whom it may be new');
SELECT t.is(t.names((t.event('chat_assigned')).topics),
    'user:carl,user:anna,role:super-agent,chat:busy,role:agent',
    'which every agent hears');
SELECT t.is(t.names((t.event('chat_assigned')).keep),
    'user:carl,user:anna,role:super-agent', 'and who may go on following');
UPDATE public.chats SET agent_id = NULL WHERE id = t.id('busy');
SELECT t.is(t.left('{2025-02-01 10:25}', '{t}',
        '00000000-0000-0000-0000-000000000000', -4, 2),
    'new_chat, chat_assigned', 'that it went back to the queue');
SELECT t.is(t.names((t.event('new_chat')).topics), 'role:agent',
    'where it may be new to every agent');
SELECT t.is(t.names((t.event('chat_assigned')).topics),
    'user:carl,role:agent,role:super-agent,chat:busy', 'its audience');
SELECT t.is(t.names((t.event('chat_assigned')).keep),
    'user:carl,role:agent,role:super-agent', 'who may all follow it');
SELECT t.is((t.event('chat_assigned')).body,
    format('{"type":"chat_assigned","data":{"chatId":"%1$s","agentId":null,'
           '"agent":null},"chatId":"%1$s"}', t.id('busy')), 'nobody''s');
UPDATE public.chats SET agent_id = t.id('anna') WHERE id = t.id('busy');
SELECT t.is(t.left('{2025-02-01 10:25}', '{t}', t.id('busy'), 3, 2),
    'new_message 4, new_message 5', 'the next page');
SELECT t.is(t.left('{2025-02-01 10:25}', '{t}', t.id('busy'), 5, 2),
    'new_message 6', 'the last');
SELECT t.is(t.left('{2025-02-01 08:00}', '{t}',
        '00000000-0000-0000-0000-000000000000', -4, 3),
    'new_chat, chat_assigned, new_message 1', 'a new chat');
SELECT t.is(t.left('{2025-02-01 08:00}', '{f}',
        '00000000-0000-0000-0000-000000000000', -4, 9),
    'new_chat', 'of another shard');
SELECT t.is((t.event('new_chat')).body::JSON->'data'->'lastMessage'->>'seq',
    '6', 'as it is now');
