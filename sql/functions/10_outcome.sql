-- What every operation answers with: rows of cs_chat.outcome.

-- The refusal of the request ord: a code of the API, with the field at fault
-- and a sentence for a person where the usual one would not do.
CREATE OR REPLACE FUNCTION cs_chat.refusal(
    ord INT, code TEXT, field TEXT DEFAULT NULL, error TEXT DEFAULT NULL)
RETURNS cs_chat.outcome
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT ROW(ord, 'reply',
               CASE code
                   WHEN 'INVALID_INPUT' THEN 400
                   WHEN 'INVALID_TOKEN' THEN 401
                   WHEN 'ACCESS_DENIED' THEN 403
                   WHEN 'CHAT_NOT_FOUND' THEN 404
                   WHEN 'USER_NOT_FOUND' THEN 404
                   WHEN 'CONFLICT' THEN 409
                   WHEN 'CHAT_ASSIGNED' THEN 409
                   WHEN 'CHAT_ARCHIVED' THEN 409
                   ELSE 500
               END,
               code, field, error, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
               NULL, NULL)::cs_chat.outcome
$$;

-- The success of the only request: its status, the data as JSON (NULL: none)
-- and the sentence of an action (NULL: none).
CREATE OR REPLACE FUNCTION cs_chat.success(
    status INT, body TEXT, sentence TEXT DEFAULT NULL,
    chat UUID DEFAULT NULL, id UUID DEFAULT NULL, seq BIGINT DEFAULT NULL)
RETURNS cs_chat.outcome
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT ROW(1, 'reply', status, NULL, NULL, sentence, chat, id, seq, NULL,
               NULL, NULL, NULL, NULL, body)::cs_chat.outcome
$$;

-- An event: who gets it, who may go on following the chat (NULL: all), its
-- class, the chat and message number it is about, and its JSON.
CREATE OR REPLACE FUNCTION cs_chat.event(
    ord INT, topics TEXT, keep TEXT, class TEXT, chat UUID, seq BIGINT,
    body TEXT)
RETURNS cs_chat.outcome
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT ROW(ord, 'event', NULL, NULL, NULL, NULL, chat, NULL, seq, NULL,
               NULL, topics, keep, class, body)::cs_chat.outcome
$$;
