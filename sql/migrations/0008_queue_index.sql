-- An index over the chats that have no agent, in the order of lists.
-- no-transaction

-- Waiting for old transactions to end, it keeps nobody from anything.
SET lock_timeout = 0;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_queue_idx;
-- next
CREATE INDEX CONCURRENTLY chats_queue_idx ON public.chats
    ((coalesce(status, 'active') = 'archived'), active_at)
    WHERE agent_id IS NULL;
-- next
SET lock_timeout = '5s';
