# What a chat worker stored and did not publish is published by the next holder
# of its shards, in order, before it answers there; after a clean stop nothing
# is published twice.
#
# A message that is stored by SQL stands for one whose worker died between
# COMMIT and PUBLISH: nobody publishes it.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Bus;
use CSChat::Psql;
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;
use Time::HiRes qw(time);

my $limit = $ENV{SANITIZE} ? 20 : 5;  # seconds to take over
my $server = CSChat::Server->new(only => [qw(redis postgres)]);

$server->seed if !$server->{from_template};

my $bus = CSChat::Bus->new($server, 'test')->listen_events;
my %id = map { split /\|/ } $server->sql('SELECT username, id FROM users');
my %heard;

$server->start_worker(1);

# A request to the worker that holds the chat, once there is one.
sub ask {
    my ($op, $chat, $user, $role, $body) = @_;
    my $reply;

    wait_until(
        $limit + 2,
        sub {
            $reply = $bus->ask(
                "op=$op user=$id{$user} role=$role chat=$chat",
                shard => $chat,
                seconds => 1,
                body => $body
            );
            return $reply && $reply->{status} < 500;
        }
    ) or die "$op: no answer\n";
    return $reply;
}

# A chat of customer1 with agent1, or without an agent.
sub new_chat {
    my ($agent) = @_;
    my $reply;

    wait_until(
        $limit + 2,
        sub {
            $reply = $bus->ask(
                "op=chats.create user=$id{customer1} role=customer",
                shard => $id{customer1},
                seconds => 1,
                body => $agent ? "{\"agentId\":\"$id{$agent}\"}" : '{}'
            );
            return $reply && $reply->{status} == 201;
        }
    ) or die "no chat\n";
    return $1 if $reply->{body} =~ /"data":\{"id":"([^"]+)"/;
    die "no chat: $reply->{body}\n";
}

sub send_message {
    my ($chat, $text, $user) = @_;

    $user //= 'customer1';
    my $reply = ask('messages.send', $chat, $user,
        $user =~ /^customer/ ? 'customer' : 'agent', "{\"content\":\"$text\"}");
    die "messages.send: $reply->{body}\n" if $reply->{status} != 201;
    return;
}

# What a worker stored and did not publish.
sub store {
    my ($chat, $user, @texts) = @_;

    for my $text (@texts) {
        $server->sql('SELECT count(*) FROM cs_chat.messages_send('
                . "ARRAY[gen_random_uuid()], ARRAY['$chat'::uuid],"
                . " ARRAY['$id{$user}'::uuid], ARRAY['$text'],"
                . " ARRAY['text'], ARRAY[NULL::text])");
    }
    return;
}

sub holders {
    return join ' ', $server->sql('SELECT DISTINCT coalesce(holder, $$-$$)'
            . ' FROM cs_chat.shards ORDER BY 1');
}

# Until shards have changed hands and all are served.
sub served {
    my ($name) = @_;
    my $start = time;

    ok(
        wait_until(
            $limit,
            sub {
                my %heard = @{$server->redis('PUBSUB', 'NUMSUB',
                        map {"cs_chat:req:$_"} 0 .. 63)};
                return !grep { $_ != 1 } values %heard;
            }
        ),
        "$name: every shard is served within $limit s"
    );
    note(sprintf '%.1f s', time - $start);
    return;
}

# Events about a chat up to now, told by their types and numbers.  What a
# worker published before its answer is here with that.
sub events {
    my ($chat) = @_;

    ask('chats.get', $chat, 'agent2', 'super-agent');
    for my $message ($bus->all) {
        push @{$heard{$message->{chat}}}, $message
            if $message->{kind} eq 'E' && defined $message->{chat};
    }
    return @{delete $heard{$chat} // []};
}

sub told {
    return join ', ', map {
        my ($type) = $_->{body} =~ /^\{"type":"(\w+)"/;
        defined $_->{seq} ? "$type $_->{seq}" : $type;
    } @_;
}

sub forget {
    $bus->all;
    %heard = ();
    return;
}

# The worker that runs now dies of something; what it had stored comes.
sub comes_after {
    my ($name, $death) = @_;
    my ($chat, $other) = map { new_chat('agent1') } 1 .. 2;

    send_message($chat, 'published');
    my @first = events($chat);
    is(told(@first), 'new_chat, new_message 1', "$name: the usual way");
    store($chat, 'customer1', 'second', 'third');
    store($other, 'agent1', 'elsewhere');
    forget();

    $death->();
    served($name);
    my @events = events($chat);
    my @messages = grep { defined $_->{seq} } @events;
    like(told(@messages), qr/(?:new_message 1, )?new_message 2, new_message 3$/,
        "$name: what was not published comes, in order");
    my ($second) = grep { $_->{seq} == 2 } @messages;
    like($second->{body}, qr/"content":"second"/, "$name: the message");
    is($second->{topics}, $first[-1]{topics}, "$name: its audience");
    is($second->{type}, 'message', "$name: its class");
    cmp_ok($second->{n}, '>', 0, "$name: counted among the worker's");

    send_message($chat, 'fourth');
    is(told(events($chat)), 'new_message 4', "$name: and it goes on");
    return;
}

served('at start');
like(holders(), qr/^[0-9a-f]{16}$/, 'the worker is noted as the holder');

subtest 'killed' => sub {
    comes_after('killed', sub {
        $server->kill_part('worker-1');
        $server->start_worker(1);
    });
    ok($server->wait_log('worker-1', qr/last holder left is published/),
        'the log tells');
};

subtest 'without its session' => sub {
    comes_after('session lost', sub {
        $server->sql('SELECT pg_terminate_backend(pid) FROM pg_locks'
                . " WHERE locktype = 'advisory' AND objid = 64");
        $server->wait_log('worker-1', qr/session lost/);
    });
};

subtest 'killed, and nobody there for long' => sub {
    comes_after('long', sub {
        $server->kill_part('worker-1');
        # three hours, for all that is in the database
        $server->sql("UPDATE messages SET created_at = created_at - interval '3 h'");
        $server->sql("UPDATE chats SET created_at = created_at - interval '3 h',"
                . " updated_at = updated_at - interval '3 h'");
        $server->sql("UPDATE cs_chat.shards SET published = published - interval '3 h'");
        $server->start_worker(1);
    });
};

subtest 'killed over it' => sub {
    comes_after('twice', sub {
        # the next one can't get further than the list of chats
        $server->kill_part('worker-1');
        my $session = CSChat::Psql->new($server);
        $session->run('BEGIN; LOCK TABLE chats');
        $server->start_worker(2);
        ok(wait_until(10, sub {
            $server->sql('SELECT count(*) FROM pg_stat_activity'
                    . " WHERE query LIKE '%takeover_chats%' AND wait_event_type = 'Lock'");
        }), 'the next one is at it');
        $server->kill_part('worker-2');
        $session->end;
        $server->start_worker(1);
    });
};

subtest 'a clean stop' => sub {
    my $chat = new_chat('agent1');
    send_message($chat, "message $_") for 1 .. 3;
    is($server->stop_part('worker-1'), 0, 'it stops');
    is(holders(), '-', 'and lets go of every shard');
    forget();
    $server->start_worker(1);
    served('the next');
    is(told(events($chat)), '', 'nothing is published again');
    send_message($chat, 'again');
    is(told(events($chat)), 'new_message 4', 'but what is new');
};

subtest 'what was published before' => sub {
    my ($chat, $other) = map { new_chat('agent1') } 1 .. 2;
    send_message($chat, 'old');
    ok(
        wait_until(
            15,
            sub {
                send_message($other, 'more');
                return $server->sql('SELECT count(*) FROM messages'
                        . " WHERE chat_id = '$chat' AND created_at >"
                        . " (SELECT min(published) - interval '2 s'"
                        . ' FROM cs_chat.shards)') eq '0';
            }
        ),
        'is marked as such'
    );
    forget();
    $server->kill_part('worker-1');
    $server->start_worker(1);
    served('the next');
    is(told(events($chat)), '', 'and not published again');
    isnt(told(events($other)), '', 'other than what is not marked yet');
};

subtest 'the state of chats' => sub {
    my ($taken, $closed, $queue) = map { new_chat() } 1 .. 3;
    my $returned = new_chat('agent1');
    my $fresh;
    forget();
    store($taken, 'agent1', 'mine');
    $server->sql("SELECT count(*) FROM cs_chat.chats_set_status("
            . "'$id{customer1}', '$closed', 'closed')");
    $server->sql("SELECT count(*) FROM cs_chat.chats_assign("
            . "'$id{agent1}', '$returned', NULL, NULL)");
    ($fresh) = $server->sql("SELECT chat FROM cs_chat.chats_create("
            . "'$id{customer1}', gen_random_uuid(), NULL, NULL) LIMIT 1");
    store($fresh, 'customer1', 'hello?');

    # their creation is long past, but for one
    $server->sql("UPDATE chats SET created_at = created_at - interval '1 d'"
            . " WHERE id <> '$fresh'");
    $server->kill_part('worker-1');
    $server->start_worker(1);
    served('the next');

    my @events = events($taken);
    is(told(@events),
        'new_chat, chat_assigned, chat_status_updated, new_message 1',
        'a chat that was taken');
    is($events[0]{topics}, "user:$id{agent1}",
        'who has it may not have had it before');
    shift @events;
    like($events[0]{topics}, qr/role:agent/, 'every agent hears who has it');
    is($events[0]{keep}, "user:$id{customer1},user:$id{agent1},role:super-agent",
        'and those who have not follow it no longer');
    unlike($events[2]{topics}, qr/role:agent/, 'nor get its message');
    @events = events($returned);
    is(told(@events), 'new_chat, chat_assigned, chat_status_updated',
        'one that went back to the queue');
    is($events[0]{topics}, 'role:agent', 'every agent gets it');
    like($events[1]{body}, qr/"agentId":null/, 'and hears whose it is');
    is($events[1]{keep}, "user:$id{customer1},role:agent,role:super-agent",
        'all of whom may follow it');
    like((events($closed))[0]{body}, qr/"status":"closed"/,
        'a chat that was closed');
    is(told(events($queue)), 'chat_status_updated',
        'of one that changed just before, its status');
    @events = events($fresh);
    is(told(@events), 'new_chat, new_message 1', 'a chat that was opened');
    like($events[0]{body},
        qr/"id":"$fresh".*"lastMessage":\{.*"chatId":"$fresh"\}$/,
        'as it is now');
};

subtest 'pages' => sub {
    my ($long, $deep) = map { new_chat('agent1') } 1 .. 2;
    send_message($long, 'first');
    forget();
    for my $chat ($long, $deep) {
        $server->sql('SELECT count(*) FROM cs_chat.messages_send('
                . '(SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 1201)),'
                . " array_fill('$chat'::uuid, ARRAY[1201]),"
                . " array_fill('$id{agent1}'::uuid, ARRAY[1201]),"
                . ' (SELECT array_agg(n::text) FROM generate_series(1, 1201) n),'
                . " array_fill('text'::text, ARRAY[1201]),"
                . ' array_fill(NULL::text, ARRAY[1201]))');
    }
    $server->kill_part('worker-1');
    $server->start_worker(1);
    served('the next');
    my @seqs = grep { defined } map { $_->{seq} } events($long);
    shift @seqs if $seqs[0] == 1;
    is("@seqs", join(' ', 2 .. 1202), 'a chat of several pages, in order');
};

# Two workers from here on.

my $chat = new_chat('agent1');
send_message($chat, 'first');
$server->start_worker(2);

sub holding {
    my %held;

    for ($server->sql('SELECT holder, count(*) FROM cs_chat.shards GROUP BY 1')) {
        my ($holder, $count) = split /\|/;
        $held{$holder} = $count;
    }
    return \%held;
}

# The name of a worker on the bus.
sub name {
    my ($n) = @_;
    my @names = $server->log_text("worker-$n") =~ /"id":"([0-9a-f]{16})"/g;

    return $names[-1];
}

sub even {
    my ($name) = @_;

    ok(
        wait_until(
            $limit,
            sub {
                my $held = holding();
                return 2 == grep { ($held->{name($_) // ''} // 0) == 32 } 1, 2;
            }
        ),
        "$name: both hold as many"
    );
    return;
}

# A chat of the shards that a worker holds.
sub chat_of {
    my ($n) = @_;
    my $name = name($n);

    for (1 .. 100) {
        my $new = new_chat('agent1');
        return $new if $server->sql('SELECT holder FROM cs_chat.shards'
                . ' WHERE shard = ' . CSChat::Bus::shard($new)) eq $name;
    }
    die "no chat of worker $n\n";
}

subtest 'one of two' => sub {
    even('at start');
    my ($one, $two) = (chat_of(1), chat_of(2));
    forget();
    store($_, 'customer1', 'left') for $one, $two;
    $server->kill_part('worker-2');
    served('the other');
    is(told(grep { defined $_->{seq} } events($two)), 'new_message 1',
        'it publishes what the dead one left');
    is(told(grep { defined $_->{seq} } events($one)), '',
        'and no message of its own');
    $server->start_worker(2);
    even('a new one');
    events($two);
    send_message($two, 'goes on');
    is(told(events($two)), 'new_message 2', 'which publishes nothing again');
};

subtest 'one without Redis' => sub {
    my $url = $server->redis_url =~ s{//}{//two:word@}r;
    $server->redis('ACL', 'SETUSER', 'two', 'on', '>word', '&*', '~*', '+@all');
    $server->stop_part('worker-2');
    $server->start_worker(2, REDIS_URL => $url);
    even('at start');
    my $theirs = chat_of(2);
    send_message($theirs, 'before');
    forget();
    store($theirs, 'customer1', 'left');

    my $start = time;
    $server->redis('ACL', 'SETUSER', 'two', 'off');
    $server->redis('CLIENT', 'KILL', 'USER', 'two');
    ok(wait_until($limit, sub { (holding()->{name(1)} // 0) == 64 }),
        'the other takes over');
    note(sprintf '%.1f s', time - $start);
    served('all');
    like(told(grep { defined $_->{seq} } events($theirs)),
        qr/new_message 2$/, 'and publishes what was left');
    ok($server->wait_log('worker-2', qr/no Redis: shards are given up/),
        'the log of the first tells');
    $server->redis('ACL', 'SETUSER', 'two', 'on');
    even('it comes back');
    served('both');
};

subtest 'one that is frozen' => sub {
    my $theirs = chat_of(2);
    send_message($theirs, 'before');
    forget();
    $server->freeze_part('worker-2');
    my $lost = $bus->request(
        "op=messages.send user=$id{customer1} role=customer chat=$theirs"
            . ' msg=01900000-0000-7000-8000-00000000000a',
        shard => $theirs,
        body => '{"content":"to the frozen one","clientId":"f-1"}'
    );
    my ($backend) = grep { $_ } $server->sql('SELECT pid FROM pg_locks'
            . " WHERE locktype = 'advisory' AND objid = "
            . CSChat::Bus::shard($theirs) . ' AND granted');
    $server->sql("SELECT pg_terminate_backend($backend)");
    ok(wait_until($limit, sub { holding()->{name(1)} == 64 }),
        'the other takes over');
    my $channel = 'cs_chat:req:' . CSChat::Bus::shard($theirs);
    ok(wait_until($limit, sub { $server->redis('PUBSUB', 'NUMSUB', $channel)->[1] == 2 }),
        'both listen');
    my $sent = $bus->request(
        "op=messages.send user=$id{customer1} role=customer chat=$theirs",
        shard => $theirs,
        body => '{"content":"to the other","clientId":"f-2"}'
    );
    is($bus->reply($sent)->{status}, 201, 'the other serves');
    my $both = $bus->request(
        "op=messages.send user=$id{customer1} role=customer chat=$theirs",
        shard => $theirs,
        body => '{"content":"to both","clientId":"f-3"}'
    );
    is($bus->reply($both)->{status}, 201,
        'what both get is stored by who holds the shard');

    $server->thaw_part('worker-2');
    even('it comes back');
    served('both');
    my @replies = grep { $_->{kind} eq 'R' } $bus->all;
    is_deeply([sort { $a <=> $b } map { hex $_->{id} } @replies],
        [$lost, $sent, $both], 'it answers what it has heard');
    is_deeply([map { $_->{status} } @replies], [504, 504, 504],
        'that nothing is known, for another may have answered too');
    is($server->sql("SELECT string_agg(client_id, ' ' ORDER BY seq)"
                . " FROM messages WHERE chat_id = '$theirs' AND seq > 1"),
        'f-2 f-3', 'it has stored nothing');
    my $again = ask('messages.send', $theirs, 'customer1', 'customer',
        '{"content":"to the frozen one","clientId":"f-1"}');
    is($again->{status}, 201, 'a repeat is stored');
};

subtest 'one that hangs' => sub {
    plan skip_all => 'PostgreSQL before 14 ends no idle session'
        if $server->{pg}->version < 14;
    $server->stop_part('worker-2');
    $server->start_worker(2, CS_CHAT_HANG_TIMEOUT => '3s');
    even('at start');
    my $theirs = chat_of(2);
    $server->freeze_part('worker-2');
    my $start = time;
    ok(wait_until(15, sub { (holding()->{name(1)} // 0) == 64 }),
        'PostgreSQL ends its session, and the other takes over');
    note(sprintf '%.1f s', time - $start);
    send_message($theirs, 'goes on');
    $server->thaw_part('worker-2');
    even('it comes back');
};

subtest 'all without Redis for longer than that' => sub {
    $server->stop_part('worker-1');
    my ($session) = $server->sql('SELECT pid FROM pg_locks'
            . " WHERE locktype = 'advisory' AND objid = 64");
    $server->stop_part('redis');
    ok(
        wait_until(
            $limit,
            sub {
                !$server->sql('SELECT count(*) FROM pg_locks'
                        . " WHERE locktype = 'advisory' AND objid < 64");
            }
        ),
        'shards are given up'
    );
    is(
        wait_until(
            4,
            sub {
                !$server->sql("SELECT count(*) FROM pg_stat_activity"
                        . " WHERE pid = $session");
            }
        ),
        undef,
        'its session stays'
    );
    $server->start_redis;
    $bus = CSChat::Bus->new($server, 'test')->listen_events;
    served('again');
};

$server->finish;
done_testing;
