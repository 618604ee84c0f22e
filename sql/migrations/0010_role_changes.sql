-- Whose role was changed, so that tokens that still name the old one are refused.

CREATE TABLE cs_chat.role_changes (
    user_id UUID,
    changed_at TIMESTAMP NOT NULL,
    CONSTRAINT role_changes_pkey PRIMARY KEY (user_id),
    CONSTRAINT role_changes_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES public.users (id) ON DELETE CASCADE
);

-- Whoever changes a role, the chat workers hear of it.  It runs with the rights
-- of its owner: who may change a role need not know of the table.
CREATE FUNCTION cs_chat.user_role_changed()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog
AS $$
BEGIN
    INSERT INTO cs_chat.role_changes AS r (user_id, changed_at)
    VALUES (NEW.id, timezone('UTC', clock_timestamp()))
    ON CONFLICT (user_id) DO UPDATE SET changed_at = excluded.changed_at;

    PERFORM pg_notify('cs_chat_roles', NEW.id::TEXT);
    RETURN NULL;
END
$$;

CREATE TRIGGER users_role_changed
    AFTER UPDATE OF role ON public.users
    FOR EACH ROW
    WHEN (OLD.role IS DISTINCT FROM NEW.role)
    EXECUTE FUNCTION cs_chat.user_role_changed();
