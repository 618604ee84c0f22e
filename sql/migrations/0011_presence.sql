-- When is_online last changed, so that a chat worker that takes over from one
-- that was killed tells again what may not have been told.

ALTER TABLE public.users
    ADD COLUMN IF NOT EXISTS presence_at TIMESTAMP;
