-- The numbers of messages: unique within a chat, and never missing.
-- no-transaction

-- Waiting for old transactions to end, it keeps nobody from anything.
SET lock_timeout = 0;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.messages_chat_seq_key;
-- next
CREATE UNIQUE INDEX CONCURRENTLY messages_chat_seq_key
    ON public.messages (chat_id, seq);
-- next
SET lock_timeout = '5s';
-- next
ALTER TABLE public.messages
    DROP CONSTRAINT IF EXISTS messages_seq_present;
-- next
ALTER TABLE public.messages
    ADD CONSTRAINT messages_seq_present CHECK (seq IS NOT NULL) NOT VALID;
-- next
ALTER TABLE public.messages VALIDATE CONSTRAINT messages_seq_present;
-- next
-- Instant, for the constraint proves it; then the constraint has done its work.
ALTER TABLE public.messages ALTER COLUMN seq SET NOT NULL;
-- next
ALTER TABLE public.messages DROP CONSTRAINT messages_seq_present;
