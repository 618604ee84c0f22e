-- For the short way of storing messages: its answer, and how far the customer and the agent of a chat have read by writing, which is kept
-- in the row that every message updates anyway.

CREATE TYPE cs_chat.stored AS (
    place INT,
    seq BIGINT,
    ts TEXT,
    customer UUID,
    agent UUID,
    name TEXT,
    role TEXT,
    avatar TEXT,
    other_name TEXT,
    other_role TEXT,
    other_avatar TEXT
);

ALTER TABLE public.chats
    ADD COLUMN IF NOT EXISTS customer_seq BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS agent_seq BIGINT NOT NULL DEFAULT 0;

-- Who leaves a seat takes along what they have read.
CREATE FUNCTION cs_chat.chat_seats_changed()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
AS $$
BEGIN
    INSERT INTO public.chat_reads AS r (chat_id, user_id, seq)
    SELECT OLD.id, left_by.id, left_by.seq
      FROM (VALUES (OLD.customer_id, NEW.customer_id, OLD.customer_seq),
                   (OLD.agent_id, NEW.agent_id, OLD.agent_seq))
           AS left_by (id, next, seq)
     WHERE left_by.id IS DISTINCT FROM left_by.next AND left_by.seq > 0
    ON CONFLICT (chat_id, user_id) DO UPDATE
        SET seq = greatest(r.seq, excluded.seq);

    IF OLD.customer_id IS DISTINCT FROM NEW.customer_id THEN
        NEW.customer_seq := 0;
    END IF;
    IF OLD.agent_id IS DISTINCT FROM NEW.agent_id THEN
        NEW.agent_seq := 0;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER chats_seats_changed
    BEFORE UPDATE OF customer_id, agent_id ON public.chats
    FOR EACH ROW
    WHEN (OLD.customer_id IS DISTINCT FROM NEW.customer_id
          OR OLD.agent_id IS DISTINCT FROM NEW.agent_id)
    EXECUTE FUNCTION cs_chat.chat_seats_changed();
