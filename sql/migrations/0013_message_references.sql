-- Messages refer to chats and users that are there, without a look-up of each and a lock on its row for every message: what stores
-- messages holds the chat, and these triggers keep chats and users from leaving messages behind.

DO $$
DECLARE
    name TEXT;
BEGIN
    FOR name IN SELECT c.conname FROM pg_catalog.pg_constraint c
                 WHERE c.conrelid = 'public.messages'::REGCLASS
                   AND c.contype = 'f' LOOP
        EXECUTE format('ALTER TABLE public.messages DROP CONSTRAINT %I', name);
    END LOOP;
END
$$;

-- A chat takes its messages along.  Who stores one holds the row of the chat
-- until the end of the transaction, so none can come after this has looked.
CREATE FUNCTION cs_chat.chat_gone()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM public.messages;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM public.messages m WHERE m.chat_id = OLD.id;
    ELSIF EXISTS (SELECT FROM public.messages m WHERE m.chat_id = OLD.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'the chat has messages', TABLE = 'chats',
            SCHEMA = 'public', CONSTRAINT = 'messages_chat_id_fkey';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER chats_gone
    AFTER DELETE ON public.chats
    FOR EACH ROW
    EXECUTE FUNCTION cs_chat.chat_gone();

CREATE TRIGGER chats_moved
    AFTER UPDATE OF id ON public.chats
    FOR EACH ROW
    WHEN (OLD.id <> NEW.id)
    EXECUTE FUNCTION cs_chat.chat_gone();

CREATE TRIGGER chats_emptied
    AFTER TRUNCATE ON public.chats
    FOR EACH STATEMENT
    EXECUTE FUNCTION cs_chat.chat_gone();

-- Who has written can't be deleted.  A message that is being stored is by the
-- customer or the agent of a chat whose row is held, which the foreign keys of
-- chats, checked before this by the names of the triggers, keep from being
-- deleted, or by somebody whose own row is held.  That this sees what was
-- committed until then takes a snapshot of its own.
CREATE FUNCTION cs_chat.user_gone()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE feature_not_supported USING
            MESSAGE = 'users are deleted in transactions that are read committed';
    END IF;

    IF EXISTS (SELECT FROM public.messages m WHERE m.sender_id = OLD.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'the user has written messages', TABLE = 'users',
            SCHEMA = 'public', CONSTRAINT = 'messages_sender_id_fkey';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER users_gone
    AFTER DELETE ON public.users
    FOR EACH ROW
    EXECUTE FUNCTION cs_chat.user_gone();

CREATE TRIGGER users_moved
    AFTER UPDATE OF id ON public.users
    FOR EACH ROW
    WHEN (OLD.id <> NEW.id)
    EXECUTE FUNCTION cs_chat.user_gone();
