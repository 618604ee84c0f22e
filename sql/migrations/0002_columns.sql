-- What the product keeps beyond the first server's tables.  Every statement is instant, however large the tables are.

ALTER TABLE public.users
    ADD COLUMN IF NOT EXISTS hidden BOOLEAN NOT NULL DEFAULT false;

ALTER TABLE public.chats
    ADD COLUMN IF NOT EXISTS last_seq BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS assigned_at TIMESTAMP,
    ADD COLUMN IF NOT EXISTS active_at TIMESTAMP;

ALTER TABLE public.messages
    ADD COLUMN IF NOT EXISTS seq BIGINT,
    ADD COLUMN IF NOT EXISTS client_id VARCHAR(64);

CREATE TABLE IF NOT EXISTS public.chat_reads (
    chat_id UUID NOT NULL,
    user_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    CONSTRAINT chat_reads_pkey PRIMARY KEY (chat_id, user_id),
    CONSTRAINT chat_reads_chat_id_fkey FOREIGN KEY (chat_id)
        REFERENCES public.chats (id) ON DELETE CASCADE,
    CONSTRAINT chat_reads_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES public.users (id),
    CONSTRAINT chat_reads_seq_check CHECK (seq >= 0)
) WITH (fillfactor = 80);

-- Room on the page lets the update that every message makes stay there, off
-- the indexes (HOT).
ALTER TABLE public.chats
    SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);

-- active_at is updated_at rounded down to the hour: an index over it sorts the
-- chats by activity and changes once an hour of a chat instead of with every
-- message.  The condition of the trigger makes it free where nothing changes.
CREATE OR REPLACE FUNCTION cs_chat.chat_active_at()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.active_at := date_trunc('hour', NEW.updated_at);
    RETURN NEW;
END
$$;

DROP TRIGGER IF EXISTS chats_active_at ON public.chats;

CREATE TRIGGER chats_active_at
    BEFORE INSERT OR UPDATE ON public.chats
    FOR EACH ROW
    WHEN (NEW.active_at IS DISTINCT FROM date_trunc('hour', NEW.updated_at))
    EXECUTE FUNCTION cs_chat.chat_active_at();
