-- A database as the product's first server leaves it: its tables, and rows as
-- it wrote them and as people may have changed them by hand.

CREATE TABLE users (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    username VARCHAR(50) UNIQUE NOT NULL,
    email VARCHAR(100) UNIQUE NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    name VARCHAR(100) NOT NULL,
    role VARCHAR(20) NOT NULL DEFAULT 'customer',
    avatar TEXT,
    is_online BOOLEAN DEFAULT false,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE chats (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id UUID NOT NULL REFERENCES users(id),
    agent_id UUID REFERENCES users(id),
    status VARCHAR(20) DEFAULT 'active',
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE messages (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    chat_id UUID NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
    sender_id UUID NOT NULL REFERENCES users(id),
    content TEXT NOT NULL,
    message_type VARCHAR(20) DEFAULT 'text',
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- Two e-mail addresses that differ in case; everything unknown that may be.
INSERT INTO users (id, username, email, password_hash, name, role, is_online,
                   created_at, updated_at)
VALUES (md5('olga')::UUID, 'olga', 'olga@example.com',
        '$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
        'Olga', 'agent', true, '2024-05-01 08:00', '2024-05-01 08:00'),
       (md5('otto')::UUID, 'otto', 'otto@example.com', 'h', 'Otto', 'customer',
        NULL, NULL, NULL),
       (md5('oskar')::UUID, 'oskar', 'Otto@Example.com', 'h', 'Oskar',
        'customer', false, '2024-05-01 08:00', '2024-05-01 08:00'),
       (md5('opal')::UUID, 'opal', 'opal@example.com', 'h', 'Opal',
        'super-agent', false, '2024-05-01 08:00', '2024-05-01 08:00');

INSERT INTO chats (id, customer_id, agent_id, status, created_at, updated_at)
VALUES (md5('short')::UUID, md5('otto')::UUID, md5('olga')::UUID, 'active',
        '2024-05-01 08:00', '2024-05-02 08:00'),
       (md5('vague')::UUID, md5('otto')::UUID, NULL, NULL, NULL, NULL),
       (md5('empty')::UUID, md5('oskar')::UUID, NULL, 'archived',
        '2024-05-01 08:00', '2024-05-03 08:00');

-- Out of order, two at the same time, one at none; a super-agent looked in.
INSERT INTO messages (id, chat_id, sender_id, content, message_type, created_at)
VALUES ('00000000-0000-0000-0000-000000000005', md5('short')::UUID,
        md5('olga')::UUID, 'fourth', 'text', '2024-05-01 10:00'),
       ('00000000-0000-0000-0000-000000000003', md5('short')::UUID,
        md5('otto')::UUID, 'third', 'text', '2024-05-01 09:00'),
       ('00000000-0000-0000-0000-000000000002', md5('short')::UUID,
        md5('opal')::UUID, 'second', 'text', '2024-05-01 09:00'),
       ('00000000-0000-0000-0000-000000000009', md5('short')::UUID,
        md5('otto')::UUID, 'first', NULL, NULL),
       ('00000000-0000-0000-0000-000000000001', md5('vague')::UUID,
        md5('otto')::UUID, 'hello?', 'text', '2024-05-01 09:00');

-- More than a few batches: one very long chat, many of some length.
INSERT INTO chats (id, customer_id, agent_id)
SELECT md5('bulk' || n)::UUID, md5('otto')::UUID, md5('olga')::UUID
  FROM generate_series(0, 2000) n;
INSERT INTO messages (chat_id, sender_id, content, created_at)
SELECT md5('bulk' || CASE WHEN n <= 12000 THEN 0 ELSE n % 2000 + 1 END)::UUID,
       md5('otto')::UUID, n::TEXT,
       '2024-01-01'::TIMESTAMP + n * interval '1 second'
  FROM generate_series(1, 32000) n;
