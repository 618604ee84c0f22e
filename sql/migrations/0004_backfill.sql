-- Numbers the messages and dates the chats of an older database, in short transactions; it may be stopped and started again at any point.
-- no-transaction

-- Waiting for old transactions to end, it keeps nobody from anything.
SET lock_timeout = 0;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.messages_backfill_idx;
-- next
-- The first server had no index by chat: without one every batch would read
-- the whole table.  Rows leave this one as they are numbered.
CREATE INDEX CONCURRENTLY messages_backfill_idx
    ON public.messages (chat_id, created_at, id) WHERE seq IS NULL;
-- next
SET lock_timeout = '5s';
-- next
DO $$
DECLARE
    batch CONSTANT INT := 5000;
    highest CONSTANT UUID := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    done UUID := '00000000-0000-0000-0000-000000000000';
    last UUID;
BEGIN
    LOOP
        -- Whatever the statistics say: a batch must never read a whole table.
        PERFORM set_config(name, 'off', true)
           FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin',
                             'enable_mergejoin', 'jit']) AS name;

        -- The chats of the next messages, each with all of its messages.
        SELECT m.chat_id INTO last
          FROM public.messages m
         WHERE m.seq IS NULL AND m.chat_id >= done
         ORDER BY m.chat_id, m.created_at, m.id
        OFFSET batch LIMIT 1;
        last := coalesce(last, highest);

        PERFORM FROM public.chats c
          WHERE c.id >= done AND c.id <= last
          ORDER BY c.id FOR NO KEY UPDATE;

        WITH numbered AS MATERIALIZED (
            SELECT m.id, m.chat_id, m.sender_id, c.last_seq + row_number() OVER
                   (PARTITION BY m.chat_id
                    ORDER BY m.created_at NULLS FIRST, m.id) AS seq
              FROM public.messages m
              JOIN public.chats c ON c.id = m.chat_id
             WHERE m.seq IS NULL AND m.chat_id >= done
               AND m.chat_id <= last
        ), stored AS (
            UPDATE public.messages m
               SET seq = n.seq,
                   created_at = coalesce(m.created_at, 'epoch')
              FROM numbered n
             WHERE m.id = n.id
        ), ends AS MATERIALIZED (
            SELECT n.chat_id, max(n.seq) AS seq
              FROM numbered n
             GROUP BY n.chat_id
        ), people AS (
            SELECT n.chat_id, n.sender_id AS user_id FROM numbered n
            UNION
            SELECT c.id, p.user_id
              FROM ends e
              JOIN public.chats c ON c.id = e.chat_id
             CROSS JOIN LATERAL (VALUES (c.customer_id), (c.agent_id))
                   AS p (user_id)
             WHERE p.user_id IS NOT NULL
        ), reads AS (
            -- The older server knew no read pointers: nothing of its time is
            -- unread to those who took part.
            INSERT INTO public.chat_reads AS r (chat_id, user_id, seq)
            SELECT p.chat_id, p.user_id, e.seq
              FROM people p
              JOIN ends e ON e.chat_id = p.chat_id
            ON CONFLICT (chat_id, user_id) DO UPDATE
                SET seq = greatest(r.seq, excluded.seq)
        )
        UPDATE public.chats c
           SET last_seq = e.seq
          FROM ends e
         WHERE c.id = e.chat_id;

        COMMIT;
        EXIT WHEN last = highest;
        done := last;
    END LOOP;
END
$$;
-- next
DO $$
DECLARE
    batch CONSTANT INT := 5000;
    highest CONSTANT UUID := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    done UUID := '00000000-0000-0000-0000-000000000000';
    last UUID;
BEGIN
    LOOP
        SELECT c.id INTO last
          FROM public.chats c
         WHERE c.id >= done
         ORDER BY c.id
        OFFSET batch LIMIT 1;
        last := coalesce(last, highest);

        UPDATE public.chats c
           SET updated_at = coalesce(c.updated_at, c.created_at, 'epoch'),
               active_at = date_trunc('hour',
                   coalesce(c.updated_at, c.created_at, 'epoch'))
         WHERE c.id >= done AND c.id <= last
           AND c.active_at IS NULL;

        COMMIT;
        EXIT WHEN last = highest;
        done := last;
    END LOOP;
END
$$;
-- next
SET lock_timeout = 0;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.messages_backfill_idx;
-- next
SET lock_timeout = '5s';
