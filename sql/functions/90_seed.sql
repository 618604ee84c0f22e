-- The users and conversations that a new installation starts with.

-- Makes the four users, all with p_password_hash, and sample chats (--seed).
-- Where there is any user nothing is done; gives whether it did something.
CREATE OR REPLACE FUNCTION cs_chat.seed(p_password_hash TEXT)
RETURNS BOOLEAN
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    at CONSTANT TIMESTAMP := date_trunc('second', cs_chat.utc_now());
    agent1 UUID;
    agent2 UUID;
    customer1 UUID;
    customer2 UUID;
BEGIN
    LOCK TABLE public.users IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM public.users) THEN
        RETURN false;
    END IF;

    INSERT INTO public.users
           (username, email, password_hash, name, role, created_at, updated_at)
    SELECT p.username, p.username || '@example.com', p_password_hash, p.name,
           p.role, at - interval '7 days', at - interval '7 days'
      FROM (VALUES ('agent1', 'Agent One', 'agent'),
                   ('agent2', 'Agent Two', 'super-agent'),
                   ('customer1', 'Customer One', 'customer'),
                   ('customer2', 'Customer Two', 'customer'))
           AS p (username, name, role);

    SELECT id INTO agent1 FROM public.users WHERE username = 'agent1';
    SELECT id INTO agent2 FROM public.users WHERE username = 'agent2';
    SELECT id INTO customer1 FROM public.users WHERE username = 'customer1';
    SELECT id INTO customer2 FROM public.users WHERE username = 'customer2';

    PERFORM cs_chat.seed_chat(customer1, agent2, 'archived',
        at - interval '6 days', ARRAY[customer1, agent2, customer1], ARRAY[
        'My invoice shows last year''s address.',
        'Thank you for telling us. I have corrected it and sent a new one.',
        'It arrived, thanks!'], 3);
    PERFORM cs_chat.seed_chat(customer1, agent1, 'closed',
        at - interval '1 day', ARRAY[customer1, agent1, customer1, agent1],
        ARRAY[
        'Hello, I can''t sign in on my new phone.',
        'Hello! Does it say that the code has expired?',
        'Yes, exactly that.',
        'Please set the phone''s clock to automatic and try again.'], 4);
    PERFORM cs_chat.seed_chat(customer2, NULL, 'active',
        at - interval '1 hour', ARRAY[customer2, customer2], ARRAY[
        'Hi, when will order 1042 be delivered?',
        'The page has said "packed" since Monday.'], 2);
    RETURN true;
END
$$;

-- One chat of the sample: a message a minute from p_at on, read by customer
-- and agent up to p_read (for cs_chat.seed()).
CREATE OR REPLACE FUNCTION cs_chat.seed_chat(
    p_customer UUID, p_agent UUID, p_status TEXT, p_at TIMESTAMP,
    p_senders UUID[], p_contents TEXT[], p_read BIGINT)
RETURNS VOID
LANGUAGE sql VOLATILE
AS $$
    WITH chat AS (
        INSERT INTO public.chats (customer_id, agent_id, status, created_at,
                                  updated_at, last_seq)
        VALUES (p_customer, p_agent, p_status, p_at,
                p_at + cardinality(p_contents) * interval '1 minute',
                cardinality(p_contents))
        RETURNING id
    ), stored AS (
        INSERT INTO public.messages (chat_id, sender_id, content, created_at,
                                     seq)
        SELECT c.id, m.sender_id, m.content,
               p_at + m.n * interval '1 minute', m.n
          FROM chat c
         CROSS JOIN unnest(p_senders, p_contents)
               WITH ORDINALITY AS m (sender_id, content, n)
    )
    INSERT INTO public.chat_reads (chat_id, user_id, seq)
    SELECT c.id, p.id, p_read
      FROM chat c
     CROSS JOIN (VALUES (p_customer), (p_agent)) AS p (id)
     WHERE p.id IS NOT NULL
$$;
