# What a chat worker holds in memory is bounded: with PostgreSQL or Redis
# frozen it refuses, or gives up, what is above its limits, at once, keeps its
# size, and goes on as soon as they do.  After a long stop of its own it does
# not start what nobody waits for any more.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Bus;
use CSChat::Psql;
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;

my $megabyte = 1024 * 1024;
my $server = CSChat::Server->new(
    only => [qw(redis postgres worker)],
    # Redis is to cut off nobody who is slow
    redis_args => [qw(--client-output-buffer-limit pubsub 0 0 0)],
    worker_env => {
        CS_CHAT_MAX_QUEUE => 400,
        CS_CHAT_MAX_QUEUE_SIZE => '8m',
        CS_CHAT_REDIS_BUFFER => '1m',
        CS_CHAT_STATEMENT_TIMEOUT => '60s',
        CS_CHAT_HANG_TIMEOUT => '60s',
    },
);
my $bus = CSChat::Bus->new($server, 'test');
my %id = map { split /\|/ } $server->sql('SELECT username, id FROM users');
my $user = "user=$id{customer1} role=customer";
my $chat = $bus->new_chat($id{customer1});

ok($chat, 'a chat');

# Resident memory of the worker, in bytes.
sub memory {
    open my $status, '<', '/proc/' . $server->pid('worker-1') . '/status'
        or die "status: $!\n";
    my ($kb) = join('', <$status>) =~ /^VmRSS:\s+(\d+) kB/m;
    return 1024 * $kb;
}

sub grown {
    my ($before, $limit, $name) = @_;
    my $grown = memory() - $before;

    note(sprintf '%s: %.1f MB more', $name, $grown / $megabyte);
    return if $ENV{SANITIZE};  # keeps what was freed
    cmp_ok($grown, '<', $limit, "$name: memory is bounded");
    return;
}

# Sends so many messages in bodies of so many bytes: {number of the request => 1}.
sub send_messages {
    my ($count, $size) = @_;
    my %sent;

    for my $n (1 .. $count) {
        my $body = "{\"content\":\"message $n\"";
        $body .= ' ' x ($size - length $body) if $size > length $body;
        $sent{$bus->request("op=messages.send $user chat=$chat",
            shard => $chat, body => "$body}")} = 1;
    }
    return \%sent;
}

# The replies to these requests: {status => number}.
sub statuses {
    my ($sent, $seconds) = @_;
    my %statuses;

    while (%$sent) {
        my $reply = $bus->next(
            $seconds,
            sub { $_[0]{kind} eq 'R' && $sent->{hex $_[0]{id}} }
        ) or last;
        delete $sent->{hex $reply->{id}};
        $statuses{$reply->{status}}++;
    }
    return \%statuses;
}

sub stored {
    return $server->sql("SELECT count(*) FROM messages WHERE chat_id = '$chat'");
}

sub freeze_database {
    my ($pid) = $server->sql('SELECT pid FROM pg_locks'
            . " WHERE locktype = 'advisory' AND objid = 64");

    kill 'STOP', $pid;
    return $pid;
}

# One that is on its way first, so that the others wait in the worker.
sub limited {
    my ($name, $count, $size, $taken) = @_;
    my $before = stored();
    my $size_before = memory();
    my $pid = freeze_database();
    my $sent = send_messages($count, $size);
    my $refused = statuses($sent, $ENV{SANITIZE} ? 10 : 2);

    is_deeply([keys %$refused], [503], "$name: some are refused, at once");
    cmp_ok($count - $refused->{503}, '<=', $taken, "$name: all above the limit");
    grown($size_before, 48 * $megabyte, $name);
    kill 'CONT', $pid;

    my $left = $count - $refused->{503};
    my $stored = statuses($sent, 10);
    is($stored->{201} // 0, $left, "$name: the others are stored");
    is(stored() - $before, $left, "$name: and nothing else");
    return;
}

subtest 'many requests' => sub {
    limited('many', 1000, 0, 400);
};

subtest 'large requests' => sub {
    limited('large', 300, 250_000, 17);
};

subtest 'a refused event' => sub {
    my $pid = freeze_database();
    my $sent = send_messages(450, 0);
    my $event = '{"type":"send_message","data":{"chatId":"' . $chat
        . '","content":"too much","clientId":"c-9"}}';
    my $reply = $bus->ask("op=messages.send $user chat=$chat as=ws",
        shard => $chat, body => $event);

    is($reply->{status}, 503, 'is refused at once');
    like($reply->{body}, qr/"clientId":"c-9"/, 'by its name');
    kill 'CONT', $pid;
    statuses($sent, 10);
};

subtest 'messages that come too late to be stored in time' => sub {
    my $pid = freeze_database();
    my @sent;
    my $refused = wait_until(
        20,
        sub {
            my ($number) = keys %{send_messages(1, 0)};
            push @sent, $number;
            my $reply = $bus->reply($number, 0.2);
            return $reply && $reply->{status};
        }
    );

    is($refused, 503, 'are refused, once another one has waited for long');
    cmp_ok(scalar @sent, '>', 2, 'and not before');
    kill 'CONT', $pid;
    pop @sent;
    is_deeply([keys %{statuses({map { $_ => 1 } @sent}, 10)}], [201],
        'the others are stored');
    is(wait_until(10, sub {
        my $reply = $bus->ask("op=messages.send $user chat=$chat",
            shard => $chat, seconds => 5, body => '{"content":"after that"}');
        return $reply && $reply->{status};
    }), 201, 'then all are again');
};

subtest 'a worker that was stopped for long' => sub {
    my $before = stored();
    my $send = "op=messages.send $user chat=$chat";
    my @message = (shard => $chat, body => '{"content":"late"}');

    $server->freeze_part('worker-1');
    my $old = $bus->request("$send ttl=2000", @message);
    my $patient = $bus->request("$send ttl=60000", @message);
    select undef, undef, undef, 3.5;
    $server->thaw_part('worker-1');
    my $fresh = $bus->request("op=users.me $user ttl=60000",
        shard => $id{customer1});
    is($bus->reply($patient)->{status}, 201, 'does what is still waited for');
    is($bus->reply($fresh)->{status}, 200, 'and what is new');
    is($bus->reply($old, 0.1), undef, 'not what its asker has given up');
    is(stored(), $before + 1, 'nothing of that is stored');

    ok(
        wait_until(
            10,
            sub {
                my $reply = $bus->ask("op=users.me $user ttl=1000",
                    shard => $id{customer1}, seconds => 1);
                return $reply && $reply->{status} == 200;
            }
        ),
        'soon it trusts what is new again'
    );
};

subtest 'a frozen Redis' => sub {
    $server->sql('INSERT INTO messages (chat_id, sender_id, content, seq)'
            . " SELECT '$chat', '$id{customer1}', repeat('x', 9000), 100000 + n"
            . ' FROM generate_series(1, 200) n');
    $server->sql("UPDATE chats SET last_seq = 100200 WHERE id = '$chat'");
    my $list = "op=messages.list $user chat=$chat";
    my @list = (shard => $chat, body => 'limit=200');
    cmp_ok(length $bus->ask($list, @list)->{body}, '>', 1_800_000,
        'a reply of some size');

    # the replies are made while Redis takes nothing
    my $before = memory();
    my $session = CSChat::Psql->new($server);
    $session->run('BEGIN; LOCK TABLE messages');
    $bus->request($list, @list) for 1 .. 40;
    wait_until(10, sub { $server->sql('SELECT count(*) FROM pg_locks'
        . " WHERE NOT granted AND relation = 'messages'::regclass") >= 3 });
    $server->freeze_part('redis');
    $session->end;
    ok($server->wait_log('worker-1', qr/found no way to Redis/, 20),
        'the worker gives up replies');
    grown($before, 64 * $megabyte, 'replies');
    $server->thaw_part('redis');

    ok(
        wait_until(20, sub {
            my $reply = $bus->ask("op=users.me $user",
                shard => $id{customer1}, seconds => 1);
            return $reply && $reply->{status} == 200;
        }),
        'and goes on'
    );
};

$server->finish;
done_testing;
