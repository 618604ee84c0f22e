-- The types that functions answer with: the outcome of an operation, and the shape of the JSON objects (their attribute names are the JSON names).

CREATE TYPE cs_chat.outcome AS (
    ord INT,
    kind TEXT,
    status INT,
    code TEXT,
    field TEXT,
    error TEXT,
    chat UUID,
    id UUID,
    seq BIGINT,
    ts TEXT,
    duplicate BOOLEAN,
    topics TEXT,
    keep TEXT,
    class TEXT,
    body TEXT
);

CREATE TYPE cs_chat.user_view AS (
    id UUID,
    username TEXT,
    name TEXT,
    role TEXT,
    avatar TEXT,
    "isOnline" BOOLEAN,
    "createdAt" TEXT,
    "updatedAt" TEXT
);

CREATE TYPE cs_chat.user_view_email AS (
    id UUID,
    username TEXT,
    email TEXT,
    name TEXT,
    role TEXT,
    avatar TEXT,
    "isOnline" BOOLEAN,
    "createdAt" TEXT,
    "updatedAt" TEXT
);

CREATE TYPE cs_chat.sender_view AS (
    id UUID,
    name TEXT,
    role TEXT,
    avatar TEXT
);

CREATE TYPE cs_chat.message_view AS (
    id UUID,
    "chatId" UUID,
    "senderId" UUID,
    content TEXT,
    type TEXT,
    "timestamp" TEXT,
    seq BIGINT,
    sender JSON
);

CREATE TYPE cs_chat.message_view_client AS (
    id UUID,
    "chatId" UUID,
    "senderId" UUID,
    content TEXT,
    type TEXT,
    "timestamp" TEXT,
    seq BIGINT,
    "clientId" TEXT,
    sender JSON
);

-- As events carry a chat: the same bytes for everyone.
CREATE TYPE cs_chat.chat_view_event AS (
    id UUID,
    "customerId" UUID,
    "agentId" UUID,
    status TEXT,
    "isActive" BOOLEAN,
    "createdAt" TEXT,
    "updatedAt" TEXT,
    "lastSeq" BIGINT,
    customer JSON,
    agent JSON,
    "lastMessage" JSON
);

-- As one person sees it in a list.
CREATE TYPE cs_chat.chat_view AS (
    id UUID,
    "customerId" UUID,
    "agentId" UUID,
    status TEXT,
    "isActive" BOOLEAN,
    "createdAt" TEXT,
    "updatedAt" TEXT,
    "lastSeq" BIGINT,
    "unreadCount" BIGINT,
    customer JSON,
    agent JSON,
    "lastMessage" JSON
);

-- The same with its latest messages.
CREATE TYPE cs_chat.chat_view_messages AS (
    id UUID,
    "customerId" UUID,
    "agentId" UUID,
    status TEXT,
    "isActive" BOOLEAN,
    "createdAt" TEXT,
    "updatedAt" TEXT,
    "lastSeq" BIGINT,
    "unreadCount" BIGINT,
    customer JSON,
    agent JSON,
    "lastMessage" JSON,
    messages JSON
);
