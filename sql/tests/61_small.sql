-- Plans: with a few dozen chats, too, a batch finds its own by index, and does
-- not walk through all of them.

INSERT INTO public.users (id, username, email, password_hash, name, role)
SELECT t.id('p' || n), 'p' || n, 'p' || n || '@example.com', 'h', 'P', 'customer'
  FROM generate_series(1, 100) n;
INSERT INTO public.chats (id, customer_id, agent_id)
SELECT t.id('x' || n), t.id('p' || n), t.id('anna')
  FROM generate_series(1, 50) n;
ANALYZE;

CREATE FUNCTION t.entries()
RETURNS BIGINT
LANGUAGE plpgsql
AS $$
DECLARE
    index CONSTANT OID := 'public.chats_pkey'::REGCLASS;
    before BIGINT := pg_stat_get_xact_tuples_returned(index);
BEGIN
    PERFORM cs_chat.messages_store(t.ids('x7', 'x8'), '{1,2}',
        t.ids('p7', 'anna'), '{NULL,NULL}', '{0,0}',
        ARRAY[gen_random_uuid(), gen_random_uuid()], '{1,2}', '{f,f}',
        '{a,b}', '{text,text}', '{NULL,NULL}');
    RETURN pg_stat_get_xact_tuples_returned(index) - before;
END
$$;

SELECT t.is(t.entries()::TEXT, '2', 'messages_store');
