-- Accounts: login, registration, the lists of users.

-- The account of a user name, for the check of a password (auth.login).  A
-- login counts as presence, so its body says that the person is online.
CREATE OR REPLACE FUNCTION cs_chat.user_by_name(p_username TEXT)
RETURNS TABLE (id UUID, username TEXT, role TEXT, password_hash TEXT, body TEXT)
LANGUAGE sql STABLE
AS $$
    SELECT u.id, u.username::TEXT, u.role::TEXT, u.password_hash::TEXT,
           cs_chat.user_json_email(u, true)::TEXT
      FROM public.users u
     WHERE u.username = p_username
$$;

-- The account of an id (auth.refresh).
CREATE OR REPLACE FUNCTION cs_chat.user_by_id(p_id UUID)
RETURNS TABLE (id UUID, username TEXT, role TEXT, password_hash TEXT, body TEXT)
LANGUAGE sql STABLE
AS $$
    SELECT u.id, u.username::TEXT, u.role::TEXT, u.password_hash::TEXT,
           cs_chat.user_json_email(u, NOT u.hidden)::TEXT
      FROM public.users u
     WHERE u.id = p_id
$$;

-- Stores a password's newer hash, unless the password was changed meanwhile
-- (after a login that met an old kind of hash).
CREATE OR REPLACE FUNCTION cs_chat.user_set_hash(
    p_id UUID, p_old TEXT, p_new TEXT)
RETURNS VOID
LANGUAGE sql VOLATILE
AS $$
    UPDATE public.users
       SET password_hash = p_new
     WHERE id = p_id AND password_hash = p_old
$$;

-- Creates an account (auth.register).  p_caller is NULL without a token; only
-- a super-agent creates anyone but customers.  An e-mail address is unique
-- without regard to case; older databases may hold two that differ in case,
-- so that a lock guards it instead of an index.
CREATE OR REPLACE FUNCTION cs_chat.users_register(
    p_caller UUID, p_username TEXT, p_email TEXT, p_password_hash TEXT,
    p_name TEXT, p_role TEXT)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    caller_role TEXT;
    account public.users;
    at TIMESTAMP := cs_chat.utc_now();
BEGIN
    IF p_caller IS NOT NULL THEN
        SELECT u.role INTO caller_role
          FROM public.users u WHERE u.id = p_caller;
        IF NOT FOUND THEN
            RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
            RETURN;
        END IF;
    END IF;

    IF p_role <> 'customer' AND caller_role IS DISTINCT FROM 'super-agent' THEN
        RETURN NEXT cs_chat.refusal(1, 'ACCESS_DENIED', 'role',
            'Only a super-agent may create agents.');
        RETURN;
    END IF;

    PERFORM pg_advisory_xact_lock(hashtextextended(lower(p_email), 0));

    IF EXISTS (SELECT FROM public.users u WHERE u.username = p_username) THEN
        RETURN NEXT cs_chat.refusal(1, 'CONFLICT', 'username',
            'This username is taken.');
        RETURN;
    END IF;

    IF EXISTS (SELECT FROM public.users u
                WHERE lower(u.email) = lower(p_email)) THEN
        RETURN NEXT cs_chat.refusal(1, 'CONFLICT', 'email',
            'This e-mail address is taken.');
        RETURN;
    END IF;

    INSERT INTO public.users AS u
           (username, email, password_hash, name, role, created_at, updated_at)
    VALUES (p_username, p_email, p_password_hash, p_name, p_role, at, at)
    ON CONFLICT DO NOTHING
    RETURNING u.* INTO account;

    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'CONFLICT', 'username',
            'This username is taken.');
        RETURN;
    END IF;

    RETURN NEXT cs_chat.success(201,
        cs_chat.user_json_email(account, false)::TEXT, id => account.id);
END
$$;

-- The callers' own accounts, one for each element in order (users.me): one
-- SELECT that the planner takes into the prepared statement.  The subquery with
-- its limit is a look at the index for each of them, whatever the statistics
-- say of a crowd.
CREATE OR REPLACE FUNCTION cs_chat.users_self(p_callers UUID[])
RETURNS SETOF cs_chat.outcome
LANGUAGE sql STABLE
AS $$
    SELECT c.ord::INT, 'reply'::TEXT,
           CASE WHEN u.id IS NOT NULL THEN 200 ELSE 401 END,
           CASE WHEN u.id IS NULL THEN 'INVALID_TOKEN' END,
           NULL::TEXT, NULL::TEXT, NULL::UUID, u.id, NULL::BIGINT, NULL::TEXT,
           NULL::BOOLEAN, NULL::TEXT, NULL::TEXT, NULL::TEXT, u.body
      FROM unnest(p_callers) WITH ORDINALITY AS c (id, ord)
      LEFT JOIN LATERAL (
            SELECT me.id,
                   cs_chat.user_json_email(me, cs_chat.is_online(me))::TEXT
                   AS body
              FROM public.users me
             WHERE me.id = c.id
             LIMIT 1
           ) u ON true
$$;

-- The users that the caller may see (users.list): super-agents see everyone,
-- all others agents and super-agents.  p_role and p_online narrow the list
-- (NULL: do not); it is sorted by user name.
CREATE OR REPLACE FUNCTION cs_chat.users_list(
    p_caller UUID, p_role TEXT, p_online BOOLEAN, p_limit INT, p_offset INT)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    caller_role TEXT;
    roles TEXT[];
    names TEXT[];
    body TEXT;
BEGIN
    SELECT u.role INTO caller_role FROM public.users u WHERE u.id = p_caller;
    IF NOT FOUND THEN
        RETURN NEXT cs_chat.refusal(1, 'INVALID_TOKEN');
        RETURN;
    END IF;

    roles := CASE
        WHEN p_role IS NOT NULL AND (caller_role = 'super-agent'
                                     OR p_role IN ('agent', 'super-agent'))
        THEN ARRAY[p_role]
        WHEN p_role IS NOT NULL THEN '{}'
        WHEN caller_role = 'super-agent'
        THEN ARRAY['customer', 'agent', 'super-agent']
        ELSE ARRAY['agent', 'super-agent']
    END;

    -- The names of the page, of each role from the index that has just those
    -- in this order.
    IF p_online THEN
        names := ARRAY(
            SELECT x.username
              FROM unnest(roles) AS r (role)
             CROSS JOIN LATERAL (
                SELECT u.username
                  FROM public.users u
                 WHERE u.role = r.role AND u.is_online AND NOT u.hidden
                 ORDER BY u.username
                 LIMIT p_offset::BIGINT + p_limit) x
             ORDER BY x.username
             LIMIT p_limit OFFSET p_offset);
    ELSE
        names := ARRAY(
            SELECT x.username
              FROM unnest(roles) AS r (role)
             CROSS JOIN LATERAL (
                SELECT u.username
                  FROM public.users u
                 WHERE u.role = r.role
                   AND (p_online IS NULL OR NOT cs_chat.is_online(u))
                 ORDER BY u.username
                 LIMIT p_offset::BIGINT + p_limit) x
             ORDER BY x.username
             LIMIT p_limit OFFSET p_offset);
    END IF;

    SELECT string_agg(cs_chat.user_json_for(u, p_caller, caller_role)::TEXT,
                      ',' ORDER BY u.username) INTO body
      FROM public.users u
     WHERE u.username = ANY (names);

    RETURN NEXT cs_chat.success(200, '[' || coalesce(body, '') || ']');
END
$$;

-- Those whose role was changed, with the present one.  A token lives much
-- shorter than that.
CREATE OR REPLACE FUNCTION cs_chat.roles_changed()
RETURNS TABLE (id UUID, role TEXT)
LANGUAGE sql STABLE
AS $$
    SELECT u.id, u.role::TEXT
      FROM cs_chat.role_changes r
      JOIN public.users u ON u.id = r.user_id
     WHERE r.changed_at > cs_chat.utc_now() - interval '400 days'
$$;
