-- Indexes, built without keeping anybody from reading or writing; what an interrupted build left behind is dropped first.
-- no-transaction

DROP INDEX CONCURRENTLY IF EXISTS public.messages_chat_seq_key;
-- next
CREATE UNIQUE INDEX CONCURRENTLY messages_chat_seq_key
    ON public.messages (chat_id, seq);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.messages_client_key;
-- next
CREATE UNIQUE INDEX CONCURRENTLY messages_client_key
    ON public.messages (chat_id, sender_id, client_id)
    WHERE client_id IS NOT NULL;
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
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_customer_idx;
-- next
CREATE INDEX CONCURRENTLY chats_customer_idx ON public.chats
    (customer_id, (coalesce(status, 'active') = 'archived'), active_at);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_agent_idx;
-- next
CREATE INDEX CONCURRENTLY chats_agent_idx ON public.chats
    (agent_id, (coalesce(status, 'active') = 'archived'), active_at);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_active_idx;
-- next
CREATE INDEX CONCURRENTLY chats_active_idx ON public.chats
    ((coalesce(status, 'active') = 'archived'), active_at);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.users_email_lower_idx;
-- next
CREATE INDEX CONCURRENTLY users_email_lower_idx
    ON public.users (lower(email));
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.users_role_idx;
-- next
CREATE INDEX CONCURRENTLY users_role_idx ON public.users (role, username);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.users_online_idx;
-- next
CREATE INDEX CONCURRENTLY users_online_idx
    ON public.users (role) WHERE is_online;
