-- What a sender calls a message is unique for sender and chat.
-- no-transaction

-- Waiting for old transactions to end, it keeps nobody from anything.
SET lock_timeout = 0;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.messages_client_key;
-- next
CREATE UNIQUE INDEX CONCURRENTLY messages_client_key
    ON public.messages (chat_id, sender_id, client_id)
    WHERE client_id IS NOT NULL;
-- next
SET lock_timeout = '5s';
