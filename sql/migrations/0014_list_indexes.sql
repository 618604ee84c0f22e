-- Indexes over chats that tell the active ones from the closed ones, in place of those over "archived or not"; over who is online by name; over when that changed.
-- no-transaction

-- Waiting for old transactions to end, it keeps nobody from anything.
SET lock_timeout = 0;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_customer_state_idx;
-- next
CREATE INDEX CONCURRENTLY chats_customer_state_idx ON public.chats
    (customer_id, (CASE coalesce(status, 'active') WHEN 'active' THEN 0
                   WHEN 'archived' THEN 2 ELSE 1 END), active_at);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_agent_state_idx;
-- next
CREATE INDEX CONCURRENTLY chats_agent_state_idx ON public.chats
    (agent_id, (CASE coalesce(status, 'active') WHEN 'active' THEN 0
                WHEN 'archived' THEN 2 ELSE 1 END), active_at)
    INCLUDE (customer_id);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_state_idx;
-- next
CREATE INDEX CONCURRENTLY chats_state_idx ON public.chats
    ((CASE coalesce(status, 'active') WHEN 'active' THEN 0
      WHEN 'archived' THEN 2 ELSE 1 END), active_at);
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_queue_state_idx;
-- next
CREATE INDEX CONCURRENTLY chats_queue_state_idx ON public.chats
    ((CASE coalesce(status, 'active') WHEN 'active' THEN 0
      WHEN 'archived' THEN 2 ELSE 1 END), active_at)
    WHERE agent_id IS NULL;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.users_online_name_idx;
-- next
CREATE INDEX CONCURRENTLY users_online_name_idx
    ON public.users (role, username) WHERE is_online;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.users_presence_idx;
-- next
CREATE INDEX CONCURRENTLY users_presence_idx
    ON public.users (presence_at) WHERE presence_at IS NOT NULL;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_customer_idx;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_agent_idx;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_active_idx;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.chats_queue_idx;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.users_online_idx;
-- next
-- What is planned by the expression of an index needs its statistics.
ANALYZE public.chats;
-- next
SET lock_timeout = '5s';
