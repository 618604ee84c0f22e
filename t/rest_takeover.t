# Protects the data of the server whose database is taken over: its tables and
# rows stay, its people log in, its chats go on.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    only => [qw(redis postgres)],
    empty_database => 1,
);
my $smile = "\xf0\x9f\x98\x80";
my $bcrypt = crypt 'password123', '$2a$10$N9qo8uLOickgx2ZMRZoMye';
like $bcrypt, qr/^\$2a\$10\$.{53}$/, 'bcrypt as Go writes it';

# the tables, word by word
$server->sql(<<'END');
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
END

$server->sql(<<"END");
INSERT INTO users (username, email, password_hash, name, role, avatar,
                   is_online, created_at, updated_at)
VALUES ('agent1', 'agent1\@example.com', '$bcrypt', 'Agent One', 'agent',
        'https://x.example/a.png', true, '2025-09-26 10:30:00.5',
        '2025-09-26 10:30:00.5'),
       ('senior', 'Mixed\@Example.com', '$bcrypt', 'Senior', 'super-agent',
        NULL, NULL, NULL, NULL),
       ('customer1', 'mixed\@example.com', '$bcrypt', 'Customer One',
        'customer', NULL, false, '2025-09-01', '2025-09-02'),
       ('old.name\@x', 'old', '$bcrypt', 'Old $smile Name', 'customer',
        '', NULL, NULL, NULL),
       ('nohash', 'nohash', 'password123', 'No Hash', 'customer', NULL, NULL,
        NULL, NULL),
       ('locked', 'locked', '*0', 'Locked', 'customer', NULL, NULL, NULL,
        NULL),
       ('owner', 'owner', '$bcrypt', 'Owner', 'owner', NULL, NULL, NULL,
        NULL);
INSERT INTO chats (id, customer_id, agent_id, status, created_at, updated_at)
SELECT ids.id::UUID, c.id, a.id, ids.status, ids.at::TIMESTAMP,
       ids.at::TIMESTAMP
  FROM (VALUES
    ('11111111-1111-4111-8111-111111111111', 'customer1', 'agent1', 'active',
     '2025-09-26 10:00:00'),
    ('22222222-2222-4222-8222-222222222222', 'customer1', NULL, NULL, NULL),
    ('33333333-3333-4333-8333-333333333333', 'old.name\@x', 'senior',
     'archived', '2025-09-26 11:00:00'),
    ('44444444-4444-4444-8444-444444444444', 'customer1', 'agent1', 'closed',
     '2025-09-26 12:00:00'))
    AS ids (id, customer, agent, status, at)
  JOIN users c ON c.username = ids.customer
  LEFT JOIN users a ON a.username = ids.agent;
INSERT INTO messages (chat_id, sender_id, content, message_type, created_at)
SELECT m.chat_id::UUID, u.id, m.content, m.type, m.at::TIMESTAMP
  FROM (VALUES
    ('11111111-1111-4111-8111-111111111111', 'agent1', 'third', 'text',
     '2025-09-26 10:00:03'),
    ('11111111-1111-4111-8111-111111111111', 'customer1', 'first', 'text',
     '2025-09-26 10:00:01.000001'),
    ('11111111-1111-4111-8111-111111111111', 'agent1', 'second', 'image',
     '2025-09-26 10:00:02'),
    ('22222222-2222-4222-8222-222222222222', 'customer1', 'no time', NULL,
     NULL),
    ('22222222-2222-4222-8222-222222222222', 'customer1', '', NULL,
     '2025-09-26 10:00:00'),
    ('33333333-3333-4333-8333-333333333333', 'old.name\@x', 'same', 'sticker',
     '2025-09-26 11:00:00'),
    ('33333333-3333-4333-8333-333333333333', 'senior', 'same', 'text',
     '2025-09-26 11:00:00'))
    AS m (chat_id, sender, content, type, at)
  JOIN users u ON u.username = m.sender;
INSERT INTO messages (chat_id, sender_id, content, created_at)
SELECT '33333333-3333-4333-8333-333333333333', u.id, 'n' || n,
       '2025-09-27'::TIMESTAMP + n * interval '1 ms'
  FROM users u, generate_series(1, 3000) n
 WHERE u.username = 'senior';
END

my @chats = map { sprintf '%1$s' x 8 . ('-' . '%1$s' x 4) . '-4%1$s%1$s%1$s'
        . '-8%1$s%1$s%1$s-' . '%1$s' x 12, $_ } 1 .. 4;

# every row, as far as the old server knew it
sub rows {
    my ($users) = @_;
    my $hash = $users ? 'password_hash' : 'NULL';

    return [
        $server->sql("SELECT id, username, email, $hash, name, role, avatar,
                created_at, updated_at FROM users ORDER BY id"),
        $server->sql('SELECT id, customer_id, agent_id, status, created_at,
                updated_at FROM chats ORDER BY id'),
        $server->sql('SELECT id, chat_id, sender_id, content, message_type,
                created_at FROM messages ORDER BY id'),
    ];
}

my $before = rows(1);
$server->start_worker(1);
$server->start_nginx(0);
$server->wait_ready;

# Whether all that was there still is; a NULL may have been filled.
sub kept {
    my ($old, $new, $name) = @_;
    my @lost = @$old == @$new ? () : 'rows';

    for my $i (0 .. $#$old) {
        my @was = split /\|/, $old->[$i];
        my @is = split /\|/, $new->[$i];
        push @lost, "$old->[$i] -> $new->[$i]"
            if grep { $was[$_] ne '' && $was[$_] ne $is[$_] } 0 .. $#was;
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok !@lost, $name or diag @lost[0 .. ($#lost < 9 ? $#lost : 9)];
    return;
}

kept($before, rows(1), 'nothing that was there is changed');

sub hash_of {
    return scalar $server->sql(
        "SELECT password_hash FROM users WHERE username = '$_[0]'");
}

subtest 'logins' => sub {
    my $anyone = $server->client;
    my $login = sub {
        return [$anyone->post('auth/login',
                {username => $_[0], password => $_[1]})];
    };

    refused($login->('agent1', 'password124'), 401, 'INVALID_CREDENTIALS',
        'a wrong password');
    is hash_of('agent1'), $bcrypt, 'leaves the hash';

    for my $username ('agent1', 'senior', 'customer1', 'old.name@x') {
        my $got = $login->($username, 'password123');
        my $data = given($got, 200, "$username logs in");
        is_user($data->{user}, "$username: whole", email => 1);
        like hash_of($username), qr/^\$y\$/, "$username: hashed anew";
        given([$server->client(undef, token => $data->{token})
                    ->get('users/me')], 200, "$username: the token is good");
        my $hash = hash_of($username);
        given($login->($username, 'password123'), 200, "$username: again");
        is hash_of($username), $hash, "$username: hashed once";
        refused($login->($username, 'password124'), 401,
            'INVALID_CREDENTIALS', "$username: not with another password");
    }

    refused($login->($_, 'password123'), 401, 'INVALID_CREDENTIALS',
        "$_: a hash that is none")
        for qw(nohash locked);
    is hash_of('nohash'), 'password123', 'and it is not made one';
    refused($login->('owner', 'password123'), 403, 'ACCESS_DENIED',
        'a role that there is not');
};

kept([map {s/\|(?:\$2a\$[^|]*|password123|\*0)\|/||/r} @$before],
    rows(0), 'logins change hashes alone');

my ($agent, $senior, $customer, $old) = map { $server->client($_) }
    'agent1', 'senior', 'customer1', 'old.name@x';

subtest 'people' => sub {
    my $me = $agent->get('users/me')->{data};
    is $me->{avatar}, 'https://x.example/a.png', 'avatar';
    is $me->{createdAt}, '2025-09-26T10:30:00.500000Z', 'createdAt';
    is_user($senior->get('users/me')->{data}, 'NULL times', email => 1);
    is_user($_, $_->{username}, email => 1)
        for @{$senior->get('users')->{data}};
    refused(
        [   $server->client->post(
                'auth/register',
                {   username => 'new',
                    email => 'MIXED@example.com',
                    password => 'password123',
                    name => 'New'
                }
            )
        ],
        409, 'CONFLICT', 'addresses that differ in case', field => 'email');
};

subtest 'chats' => sub {
    is_deeply [sort @{ids($customer->get('chats')->{data})}],
        [@chats[0, 1, 3]], 'of the customer';
    is_deeply [sort @{ids($agent->get('chats')->{data})}],
        [@chats[0, 1, 3]], 'of the agent, the unassigned one among them';
    is_deeply ids($senior->get('archived-chats')->{data}), [$chats[2]],
        'archived';
    is_chat($_, "$_->{id}") for @{$senior->get('chats')->{data}};
    my $chat = $customer->get("chats/$chats[1]")->{data};
    is_chat($chat, 'with NULLs', messages => 1);
    is $chat->{status}, 'active', 'no status is active';
    is $chat->{lastSeq}, 2, 'lastSeq';
};

subtest 'history' => sub {
    my $list = given([$customer->get("chats/$chats[0]/messages")],
        200, 'a page');
    is_deeply [map {"$_->{seq} $_->{content} $_->{type}"} @$list],
        ['1 first text', '2 second image', '3 third text'],
        'in the order of time';
    is $list->[0]{timestamp}, '2025-09-26T10:00:01.000001Z', 'the time';

    $list = $customer->get("chats/$chats[1]/messages")->{data};
    is_message($_, "NULLs: $_->{seq}") for @$list;
    is_deeply [sort map { $_->{content} } @$list], ['', 'no time'], 'both';

    my @all = map {
        @{$old->get("chats/$chats[2]/messages?limit=200&after=$_")->{data}}
    } map { $_ * 200 } 0 .. 15;
    is_deeply [map { $_->{seq} } @all], [1 .. 3002], 'no gap in a long one';
    is_deeply [map { $_->{content} } @all[2 .. 3001]],
        [map {"n$_"} 1 .. 3000], 'in their order';
};

subtest 'and on they go' => sub {
    my $message = given(
        [   $customer->post("chats/$chats[0]/messages",
                {content => 'fourth', clientId => 'c'})
        ],
        201, 'a message');
    is $message->{seq}, 4, 'the next number';
    given([$agent->post("chats/$chats[1]/messages", {content => 'mine'})],
        201, 'an agent takes the unassigned one');
    is $customer->get("chats/$chats[1]")->{data}{agent}{username}, 'agent1',
        'which is theirs now';
    given([$customer->post("chats/$chats[3]/messages", {content => 'hey'})],
        201, 'a closed one');
    is $customer->get("chats/$chats[3]")->{data}{status}, 'active',
        'opens again';
    refused([$old->post("chats/$chats[2]/messages", {content => 'x'})],
        409, 'CHAT_ARCHIVED', 'an archived one stays so');
};

subtest 'a second start finds its work done' => sub {
    my $rows = rows(1);
    is $server->stop_part('worker-1'), 0, 'the worker ends';
    $server->start_worker(1);
    $server->wait_ready;
    is_deeply rows(1), $rows, 'nothing is changed';
    given([$customer->get('chats')], 200, 'and all goes on');
};

$server->finish;
done_testing;
