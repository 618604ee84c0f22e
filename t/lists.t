# Protects the bytes of lists: what the worker writes of chats and messages is
# just what PostgreSQL's functions write of the same rows.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Server;

my $server = CSChat::Server->new;
my %who = map {
    $_ => $server->client(undef, token => $server->signed_token($_))
} qw(customer1 customer2 agent1 agent2);
my $chat = $who{customer1}->new_chat;

# All control characters but NUL, what JSON escapes and what it need not, from
# one to four bytes; times with and without a fraction, of leap days and of the
# edges of months, years and centuries; what only a foreign database holds.
$server->sql(<<"END");
UPDATE users SET name = E'Quo"te \\\\ / <\\x7f> \\u00e9\\u20ac\\U0001f600'
 WHERE username = 'customer1';
UPDATE users SET avatar = 'https://example.com/a?b="c"', created_at = NULL
 WHERE username = 'agent1';
INSERT INTO messages (chat_id, sender_id, content, message_type, created_at,
                      seq, client_id)
SELECT '$chat',
       (SELECT id FROM users
         WHERE username = (ARRAY['customer1', 'agent1', 'agent2'])[1 + n % 3]),
       chr(n) || 'x' || chr(n * 37), CASE WHEN n % 5 > 0 THEN 'text' END,
       t, n, CASE WHEN n % 2 = 0 THEN 'c"' || n END
  FROM (SELECT n, CASE WHEN n <= 130
                  THEN '1999-12-25 23:59:59.9'::TIMESTAMP
                       + n * interval '1 day 1 hour 3.0007 s'
                  ELSE (ARRAY['0001-01-01', '1600-02-29', '1899-12-31',
                              '1900-03-01', '1970-01-01', '2000-02-29',
                              '2024-02-29 12:00:00.000001', '2100-02-28',
                              '2100-03-01 00:00:00.1',
                              '9999-12-31 23:59:59.999999'])[n - 130]::TIMESTAMP
              END AS t
          FROM generate_series(1, 140) AS n) AS m;
UPDATE chats SET last_seq = 140, status = NULL, created_at = NULL
 WHERE id = '$chat';
INSERT INTO chats (customer_id, agent_id, status, updated_at, last_seq)
SELECT c.id, a.id, s, '2025-01-01'::TIMESTAMP + interval '1 hour' * random(), 0
  FROM users c, (SELECT id FROM users WHERE role <> 'customer'
                  UNION ALL SELECT NULL) AS a,
       (VALUES ('active'), ('closed'), ('archived')) AS s (s)
 WHERE c.role = 'customer';
INSERT INTO chat_reads (chat_id, user_id, seq)
SELECT c.id, u.id, 0 FROM chats c, users u WHERE c.id <> '$chat'
    ON CONFLICT DO NOTHING;
INSERT INTO chat_reads (chat_id, user_id, seq)
SELECT '$chat', id, 3 FROM users WHERE username <> 'agent2';
END

my $messages = messages_of($chat);
is(body("customer1", "chats/$chat/messages?limit=200"), $messages,
    'messages, with all that JSON escapes, and times of all kinds');
is(body('customer1', 'chats/' . $who{customer1}->new_chat . '/messages'), '[]',
    'none');

# Who wrote last is shown, whichever of the chat's people it was, or another.
for my $seq (138 .. 140) {
    $server->sql("UPDATE chats SET last_seq = $seq WHERE id = '$chat'");
    lists("with message $seq as the last");
}
$server->sql("UPDATE chats SET agent_id = (SELECT id FROM users"
        . " WHERE username = 'agent1') WHERE id = '$chat'");
for my $seq (138 .. 140) {
    $server->sql("UPDATE chats SET last_seq = $seq WHERE id = '$chat'");
    lists("with an agent, and message $seq as the last");
}

# A role that changed since the token was made: the one in the database counts.
$server->sql("SET session_replication_role = replica;"
        . " UPDATE users SET role = 'super-agent' WHERE username = 'agent1'");
lists('when an agent is a super-agent by now');
$server->sql("SET session_replication_role = replica;"
        . " UPDATE users SET role = 'customer' WHERE username = 'agent1'");
lists('and a customer');

$server->finish;
done_testing;

sub body {
    my ($who, $path) = @_;
    my $answer = $server->connection->request('GET', "/api/$path",
        headers => [Authorization => "Bearer $who{$who}{token}"]);

    return $answer->{body} =~ /^\{"success":true,"data":(.*)\}$/s
        ? $1 : $answer->{body};
}

# As the functions of events and single chats write them.
sub messages_of {
    return join '', '[', $server->sql(<<"END"), ']';
SELECT string_agg(cs_chat.message_json(m, u)::TEXT, ',' ORDER BY m.seq)
  FROM messages m JOIN users u ON u.id = m.sender_id WHERE m.chat_id = '$_[0]'
END
}

sub chats_of {
    my ($who, $archived) = @_;

    return join '', '[', $server->sql(<<"END"), ']';
SELECT string_agg(cs_chat.chat_body(c, u), ','
                  ORDER BY c.updated_at DESC, c.id)
  FROM users u JOIN chats c
    ON (coalesce(c.status, 'active') = 'archived') = $archived
   AND CASE u.role WHEN 'super-agent' THEN true
                   WHEN 'agent' THEN coalesce(c.agent_id = u.id, true)
                   ELSE c.customer_id = u.id END
 WHERE u.username = '$who'
END
}

sub lists {
    my ($case) = @_;
    my @wrong;

    for my $who (sort keys %who) {
        push @wrong, "chats of $who"
            if body($who, 'chats?limit=200') ne chats_of($who, 'false');
        push @wrong, "archived chats of $who"
            if body($who, 'archived-chats?limit=200') ne chats_of($who, 'true');
    }
    is("@wrong", '', "lists of everyone, $case");
    return;
}
