# Chat workers share the shards, and take over from one that stops, dies or
# loses its database; no message is lost or stored twice meanwhile.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;
use Time::HiRes qw(time);

my $limit = $ENV{SANITIZE} ? 20 : 5;  # seconds to take over
my $server = CSChat::Server->new(
    workers => 2,
    nginx_workers => 1,
    directives => 'cs_chat_request_timeout 2s;',
);
my $agent = $server->client('agent1');
my $customer = $server->client('customer1');
my @channels = map {"cs_chat:req:$_"} 0 .. 63;
my @chats = map { $customer->new_chat(agentId => $agent->id) } 1 .. 8;
my %sent;

# How many shards each session of the database holds: {pid => number}.
sub held {
    return {
        map { split /\|/ } $server->sql(
            'SELECT pid, count(*) FROM pg_locks'
                . " WHERE locktype = 'advisory' AND granted AND objid < 64"
                . ' AND classid = (SELECT classid FROM pg_locks'
                . "  WHERE locktype = 'advisory' AND objid = 64 LIMIT 1)"
                . ' GROUP BY pid'
        )
    };
}

# How many hear each shard's channel: "1" when each has its one.
sub heard {
    my %numbers = @{$server->redis('PUBSUB', 'NUMSUB', @channels)};
    my %seen = map { $_ => 1 } values %numbers;

    return join ' ', sort keys %seen;
}

# Waits until so many workers hold all shards in equal parts.
sub shared {
    my ($name, $workers) = @_;
    my $start = time;
    my ($least, $most) = (int(64 / $workers), int(63 / $workers) + 1);
    my @held;

    ok(
        wait_until(
            $limit,
            sub {
                @held = values %{held()};
                return @held == $workers
                    && !(grep { $_ < $least || $_ > $most } @held)
                    && heard() eq '1';
            }
        ),
        "$name: $workers hold all shards in equal parts"
    ) or diag("held: @held, heard: ", heard());
    note(sprintf '%.1f s', time - $start);
    return;
}

# Sends a message to every chat, again with the same clientId as long as it is
# not there: how often that took more than one attempt.
sub say {
    my ($text) = @_;
    my $again = 0;

    for my $chat (@chats) {
        my $id = 'c-' . ++$sent{$chat};
        my $attempts = 0;
        wait_until(
            $limit + 2,
            sub {
                $attempts++;
                my ($status) = $customer->post("chats/$chat/messages",
                    {content => $text, clientId => $id});
                return $status == 201 || $status == 200;
            }
        ) or diag("$text: no message came through");
        $again++ if $attempts > 1;
    }
    return $again;
}

shared('two at start', 2);
is(say('two'), 0, 'both serve');

subtest 'one stops' => sub {
    kill 'TERM', $server->pid('worker-1');
    is(say('stopping'), 0, 'every request goes through at the first attempt');
    is($server->stop_part('worker-1'), 0, 'it ends cleanly');
    shared('the other', 1);
    is(say('one'), 0, 'it serves all');
};

subtest 'one joins' => sub {
    $server->start_worker(1);
    is(say('joining'), 0, 'every request goes through at the first attempt');
    shared('two again', 2);
    is(say('two again'), 0, 'both serve');
};

subtest 'one is killed' => sub {
    my $start = time;
    $server->kill_part('worker-2');
    say('killed');
    cmp_ok(time - $start, '<', $limit, 'messages go through within seconds');
    shared('the other', 1);
    is(say('one again'), 0, 'it serves all');
};

subtest 'two more join' => sub {
    $server->start_worker($_) for 2, 3;
    shared('three', 3);
    is(say('three'), 0, 'all serve');
};

subtest 'one loses its session' => sub {
    my ($pid) = sort keys %{held()};
    $server->sql("SELECT pg_terminate_backend($pid)");
    say('session lost');
    ok(wait_until($limit, sub { !held()->{$pid} && keys %{held()} == 3 }),
        'it comes back with another');
    shared('three again', 3);
    is(say('three again'), 0, 'all serve');
};

subtest 'all are killed' => sub {
    $server->kill_part("worker-$_") for 1 .. 3;
    my ($status, $json) = $customer->get("chats/$chats[0]");
    is("$status $json->{code}", '503 BACKEND_UNAVAILABLE',
        'with none there is no service');
    $server->start_worker(1);
    say('the last');
    shared('one', 1);
};

subtest 'what is stored' => sub {
    is($server->sql("SELECT count(*) FROM messages WHERE chat_id IN ("
                . join(',', map {"'$_'"} @chats) . ')'),
        8 * $sent{$chats[0]}, 'each message once');
    is(
        $server->sql(
            'SELECT count(*) FROM chats c WHERE last_seq <>'
                . ' (SELECT count(*) FROM messages m WHERE m.chat_id = c.id)'
        ),
        0,
        'numbered without a gap'
    );
};

$server->finish;
done_testing;
