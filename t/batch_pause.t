# Where many messages come, the worker lets them gather between two commits,
# for a time that follows from how many there were, and forgets none of them.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Bus;
use CSChat::Psql;
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;

my $crowd = 2000;
my $server = CSChat::Server->new(
    only => [qw(redis postgres worker)],
    worker_env => {
        CS_CHAT_BATCH_PAUSE => '1s',
        CS_CHAT_MAX_BATCH => 2 * $crowd,
        # the crowd may take a while to come
        CS_CHAT_MAX_WAIT => '60s',
        CS_CHAT_STATEMENT_TIMEOUT => '60s',
        CS_CHAT_HANG_TIMEOUT => '60s',
    },
);
my $bus = CSChat::Bus->new($server, 'test');
my %id = map { split /\|/ } $server->sql('SELECT username, id FROM users');
my $user = "user=$id{customer1} role=customer";
my $chat = $bus->new_chat($id{customer1});

ok($chat, 'a chat');

sub send_message {
    my ($text) = @_;

    return $bus->request("op=messages.send $user chat=$chat",
        shard => $chat, body => "{\"content\":\"$text\"}");
}

sub stored {
    my ($number, $name) = @_;
    my $reply = $bus->reply($number, 20);

    is($reply && $reply->{status}, 201, $name);
    return;
}

# The first batch waits for the row of the chat, so that all of the crowd are in
# the second one.
my $holder = CSChat::Psql->new($server);
$holder->run("BEGIN; SELECT FROM chats WHERE id = '$chat' FOR UPDATE");
my $first = send_message('first');
ok(
    wait_until(
        10,
        sub {
            $server->sql('SELECT count(*) FROM pg_stat_activity'
                    . " WHERE wait_event_type = 'Lock'");
        }
    ),
    'the first waits'
);
my @crowd = map { send_message("crowd $_") } 1 .. $crowd;
$bus->ask("op=users.me $user", shard => $id{customer1});
$holder->run('COMMIT');

stored($first, 'the first is stored');
is(scalar(grep { my $r = $bus->reply($_, 20); $r && $r->{status} == 201 } @crowd),
    $crowd, 'the crowd is');
stored(send_message('last'), 'who comes behind is');
$holder->end;

my @batches = map { [split /\|/] } $server->sql(<<"END");
SELECT count(*), extract(epoch FROM created_at), min(seq), max(seq)
  FROM messages WHERE chat_id = '$chat' GROUP BY created_at ORDER BY created_at
END

is_deeply([map { $_->[0] } @batches], [1, $crowd, 1],
    'the crowd was one batch');
is_deeply([map { @{$_}[2, 3] } @batches],
    [1, 1, 2, $crowd + 1, $crowd + 2, $crowd + 2], 'in order');
# 0.2 s, less what passed until PostgreSQL began
cmp_ok($batches[2][1] - $batches[1][1], '>', 0.15,
    'the next one did not follow at once');

$server->finish;
done_testing;
