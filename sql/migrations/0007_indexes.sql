-- Indexes over chats and users, built without keeping anybody from reading or writing; what an interrupted build left behind is dropped first.
-- no-transaction

-- Waiting for old transactions to end, it keeps nobody from anything.
SET lock_timeout = 0;
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
-- next
SET lock_timeout = '5s';
