-- Messages have no foreign keys: triggers keep chats and users from leaving
-- them behind.  And who leaves a seat in a chat takes their mark along.

SELECT t.chat('own', 'carl', 'anna'), t.chat('other', 'cora', 'anna');

CREATE FUNCTION t.refused(statement TEXT)
RETURNS TEXT
LANGUAGE plpgsql
AS $$
DECLARE
    state TEXT;
    name TEXT;
BEGIN
    EXECUTE statement;
    RETURN 'not at all';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, name = CONSTRAINT_NAME;
    RETURN concat_ws(' ', state, name);
END
$$;

SELECT t.is((SELECT count(*)::TEXT FROM pg_constraint
    WHERE conrelid = 'public.messages'::REGCLASS AND contype = 'f'), '0',
    'a message costs no look-up of what it refers to');

SELECT t.send('own', 'carl', 'Hello'), t.send('own', 'sue', 'Hello'),
       t.send('other', 'cora', 'Hello');
SELECT t.is(t.refused(format('DELETE FROM public.users WHERE id = %L',
    t.id('carl'))), '23503 chats_customer_id_fkey', 'a customer stays');
DELETE FROM public.chat_reads WHERE user_id = t.id('sue');
SELECT t.is(t.refused(format('DELETE FROM public.users WHERE id = %L',
    t.id('sue'))), '23503 messages_sender_id_fkey', 'who has written stays');
SELECT t.is(t.refused(format('UPDATE public.users SET id = %L WHERE id = %L',
    t.id('new'), t.id('sue'))), '23503 messages_sender_id_fkey',
    'under the same id');
SELECT t.is(t.refused(format('DELETE FROM public.users WHERE id = %L',
    t.id('ben'))), 'not at all', 'who has not can be deleted');

DELETE FROM public.chat_reads;
SELECT t.is(t.refused(format('UPDATE public.chats SET id = %L WHERE id = %L',
    t.id('new'), t.id('own'))), '23503 messages_chat_id_fkey',
    'a chat with messages keeps its id');
DELETE FROM public.chats WHERE id = t.id('own');
SELECT t.is((SELECT string_agg(t.names(chat_id::TEXT), ' ')
    FROM public.messages), 'other', 'a chat takes its messages along');
TRUNCATE public.chats, public.chat_reads;
SELECT t.is((SELECT count(*)::TEXT FROM public.messages), '0',
    'so do all chats at once');

BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT t.is(t.refused(format('DELETE FROM public.users WHERE id = %L',
    t.id('cora'))), '0A000 ', 'where it is not seen who has written, no one goes');
ROLLBACK;

-- Seats.

CREATE FUNCTION t.mark(who TEXT)
RETURNS TEXT
LANGUAGE sql
AS $$
    SELECT concat_ws(' ', cs_chat.read_seq(t.id(who), r.seq, c.customer_id,
               c.customer_seq, c.agent_id, c.agent_seq), r.seq IS NULL)
      FROM public.chats c
      LEFT JOIN public.chat_reads r
             ON r.chat_id = c.id AND r.user_id = t.id(who)
     WHERE c.id = t.id('seats')
$$;

SELECT t.person('dan', 'agent'), t.chat('seats', 'carl', 'anna');
SELECT t.is((SELECT concat_ws(' ', s.place, s.seq, s.name, s.other_name)
      FROM cs_chat.messages_store(t.ids('seats'), '{2}', t.ids('carl'),
           t.ids('anna'), '{1}', t.ids('m1', 'm2'), '{1,1}', '{t,f}', '{a,b}',
           '{text,text}', '{NULL,NULL}') s), '1 2 Carl Anna', 'both write');
SELECT t.is(t.mark('carl'), '2 t', 'the last one has read all');
SELECT t.is(t.mark('anna'), '1 t', 'the other up to their own');
UPDATE public.chats SET agent_id = t.id('dan') WHERE id = t.id('seats');
SELECT t.is(t.mark('anna'), '1 f', 'who leaves keeps that');
SELECT t.is(t.mark('dan'), '0 t', 'who comes has read nothing');
UPDATE public.chats SET agent_id = t.id('anna') WHERE id = t.id('seats');
SELECT t.is(t.mark('anna'), '1 f', 'who comes back has read no less');
UPDATE public.chats SET last_seq = 5 WHERE id = t.id('seats');
SELECT t.does($$chats_read(t.ids('seats'), t.ids('carl'), '{2}')$$,
    '1 reply 200', 'what one has read by writing is no news');
SELECT t.does($$chats_read(t.ids('seats'), t.ids('carl'), '{4}')$$,
    '1 reply 200, 1 event messages_read', 'what comes after it is');
SELECT t.is(t.mark('carl'), '4 f', 'the further one counts');
