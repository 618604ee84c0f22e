# Protects WebSockets from what breaks behind and before them: Redis, the chat
# worker, PostgreSQL, reloads and stops of nginx, clients that just leave.

use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $lease = 11;  # seconds, more than the 10 of a renewal
my $server = CSChat::Server->new(
    machines => 2,
    directives => 'cs_chat_request_timeout 1500ms;',
    worker_env => {
        CS_CHAT_PRESENCE_LEASE => "${lease}s",
        CS_CHAT_PRESENCE_GRACE => '0s'
    },
);
my $customer = $server->client('customer1');
my $agent = $server->client('agent1');
my $chat = $customer->new_chat(agentId => $agent->id);
my $message = 0;

# One says something, the other hears it.
sub talk {
    my ($from, $to, $name) = @_;
    my $content = 'Message ' . ++$message;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ack = $from->ask(send_message => {chatId => $chat, content => $content});
    my $event = $to->expect('new_message', undef,
        sub { $_[0]{content} eq $content });
    is $event->{data}{id} // 'not heard',
        $ack->{data}{id} // $ack->{data}{code} // 'no answer', $name;
    return $ack->{data}{seq};
}

# What comes of a message now: a code, or message_ack, and the seconds it took.
sub attempt {
    my ($socket, %fields) = @_;
    my $began = time;
    my $event = $socket->ask(send_message =>
            {chatId => $chat, content => 'Anyone?', %fields});
    my $what = $event ? $event->{data}{code} // $event->{type} : 'nothing';

    return wantarray ? ($what, time - $began, $event->{data}) : $what;
}

# Until messages are taken again; stores one.
sub recovers {
    my ($socket, $name) = @_;
    my $id = 'recovery-' . ++$message;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok wait_until(10,
        sub { attempt($socket, clientId => $id) eq 'message_ack' }), $name;
    return;
}

sub descriptors {
    my @pids = @_;
    my $n = 0;

    $n += () = glob "/proc/$_/fd/*" for @pids;
    return $n;
}

# A socket whose process dies; that it is offline is looked at in the end.
my $lost = new_user($server);
my ($doomed) = $server->nginx_pids(1);
my $watcher = $server->websocket('agent2');
my $dead_socket = $lost->websocket(machine => 1, pid => $doomed);
$watcher->expect('user_status_change', undef,
    sub { $_[0]{userId} eq $lost->id && $_[0]{isOnline} })
    or die "not online\n";
my $alive = time;
my $here = $customer->websocket;
my $process = ($server->nginx_pids(1))[1];  # of the next
my $there = $agent->websocket(machine => 1, pid => $process);

subtest 'a process of nginx is killed' => sub {
    $server->allow(qr/worker process $doomed exited on signal 9/);
    kill 'KILL', $doomed;
    ok !$dead_socket->close_code(5) && $dead_socket->{ended},
        'its sockets break';
    ok wait_until(5, sub { 2 == (() = $server->nginx_pids(1)) }),
        'the master starts another';
    talk($here, $there, 'the sockets of others live on');
    $server->wait_ready(1);
    my $socket = $agent->websocket(machine => 1, pid => ($server->nginx_pids(1))[-1]);
    talk($here, $socket, 'the new one serves');
    $socket->close;
};

subtest 'Redis is started again' => sub {
    $server->stop_part('redis');
    my ($what, $seconds, $data) = attempt($here, clientId => 'c');
    is $what, 'BACKEND_UNAVAILABLE', 'a message is refused';
    is_deeply [@$data{qw(replyTo clientId)}], ['send_message', 'c'],
        'and its sender told which';
    ok $seconds < 1, 'at once';
    is $here->ask(join_chat => {chatId => $chat})->{data}{code},
        'BACKEND_UNAVAILABLE', 'so is a join';
    ok $here->ask(ping => 1), 'the socket stays';
    is(CSChat::WebSocket->try($server, token => $customer->token)
            ->{answer}{status}, 503, 'there is no new one');

    $server->start_redis;
    for my $socket ($here, $there, $watcher) {
        my $event = $socket->expect('resync', 10);
        ok length($event->{data}{reason} // ''), 'each is told to look again';
    }
    $server->wait_ready;
    recovers($here, 'messages are taken');
    talk($here, $there, 'and heard');
    talk($there, $here, 'both ways');
    ok $here->none('resync') && $there->none('resync'), 'one resync is enough';
};

subtest 'the chat worker is started again' => sub {
    my $seq = talk($here, $there, 'before');
    $server->stop_part('worker-1');
    my ($what, $seconds) = attempt($here);
    is $what, 'BACKEND_UNAVAILABLE', 'without one a message is refused';
    ok $seconds < 1, 'at once';
    $server->start_worker(1);
    recovers($here, 'a new one takes messages');
    $server->kill_part('worker-1');
    $server->start_worker(1);
    recovers($here, 'so does the successor of one that was killed');
    is talk($there, $here, 'which are heard'), $seq + 3,
        'what was refused was not stored';
    ok $here->none('resync'), 'nothing was missed';
};

subtest 'the chat worker does not answer' => sub {
    my $seq = talk($here, $there, 'before');
    $server->freeze_part('worker-1');
    my ($what, $seconds, $data) = attempt($here, clientId => 'frozen');
    is $what, 'BACKEND_TIMEOUT', 'a message is given up';
    is_deeply [@$data{qw(replyTo clientId)}], ['send_message', 'frozen'],
        'and its sender told which';
    ok $seconds > 1.4 && $seconds < 4, 'after the time that is set';
    $server->thaw_part('worker-1');
    $what = attempt($here, clientId => 'frozen');
    is $what, 'message_ack', 'it can be sent again';
    is talk($here, $there, 'which stores it'), $seq + 2, 'once';
};

subtest 'PostgreSQL is started again' => sub {
    my $seq = talk($here, $there, 'before');
    $server->stop_part('postgres', 'INT');
    like scalar attempt($here, clientId => 'pg'),
        qr/^BACKEND_(?:UNAVAILABLE|TIMEOUT)$/, 'a message is refused';
    $server->start_postgres;
    recovers($here, 'then taken');
    is scalar attempt($here, clientId => 'pg'), 'message_ack',
        'the refused one may be sent again';
    is talk($there, $here, 'and heard'), $seq + 3, 'none is there twice';
};

subtest 'events that went by' => sub {
    my $publish = sub {
        $server->redis('PUBLISH', 'cs_chat:events',
            "CSC1 E src=elsewhere n=$_[0] topics=user:nobody\n{}");
    };

    $publish->($_) for 1, 2;
    ok $here->none('resync'), 'events of others are no news';
    $publish->(4);
    $_->expect('resync') or fail 'resync' for $here, $there, $watcher;
    pass 'one that is missing is told to every socket';

    # Redis cuts off a process that does not read
    my $limit = 'client-output-buffer-limit';
    my $usual = $server->redis('CONFIG', 'GET', $limit)->[1];
    $server->redis('CONFIG', 'SET', $limit, 'pubsub 256kb 256kb 0');
    kill 'STOP', $process;
    $here->ask(send_message => {chatId => $chat, content => 'x' x 9000})
        for 1 .. 120;
    ok $here->none('resync') && $here->none('error'),
        'one process that hangs does not trouble another';
    kill 'CONT', $process;
    $server->redis('CONFIG', 'SET', $limit, $usual);
    ok $there->expect('resync', 10), 'its sockets are told to look again';
    my $seq = talk($here, $there, 'and go on');
    my $joined = $there->ask(join_chat => {chatId => $chat, afterSeq => $seq - 1});
    is $joined->{data}{lastSeq}, $seq, 'from where the chat stands';
};

# A process that hears again, but can't serve yet: what it hears would come
# before the word that something is missing.
subtest 'events while the links come back' => sub {
    plan skip_all => 'a Redis without ACL'
        unless eval { $server->redis('ACL', 'WHOAMI') };
    my $publish = sub {
        $server->redis('PUBLISH', 'cs_chat:events', "CSC1 E src=elsewhere2"
                . " n=$_[0] topics=role:agent\n{\"type\":\"news\",\"data\":$_[0]}");
    };
    my $heard_by = sub {
        return $server->redis('PUBSUB', 'NUMSUB', 'cs_chat:events')->[1];
    };

    $publish->(1);
    is $there->expect('news')->{data}, 1, 'events come';
    my $processes = $heard_by->();
    $server->redis('ACL', 'SETUSER', 'default', '-zrange');
    $server->redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
    ok wait_until(10, sub { $heard_by->() == $processes }), 'all hear again';
    $publish->(2);
    ok $there->none('news') && $there->none('resync'),
        'but not yet who can not serve';
    $server->redis('ACL', 'SETUSER', 'default', '+zrange');
    $there->expect('resync', 10) or fail 'resync';
    $publish->(3);
    is $there->expect('news')->{data}, 3, 'first comes the word, then events';
    $server->wait_ready;
    recovers($here, 'messages are taken');
    $_->drain for $here, $there, $watcher;
};

subtest 'clients that just leave' => sub {
    my @pids = $server->nginx_pids(0);
    $server->client('customer1')->get('users/me');
    my $before = descriptors(@pids);
    my $large = 'x' x 50_000;

    for my $n (1 .. 200) {
        my $socket = CSChat::WebSocket->connect($server,
            token => $server->token($n % 2 ? 'customer2' : 'agent1'));
        my $ways = $n % 5;
        $socket->send_raw(substr $socket->frame(1, $large), 0, $n * 100)
            if $ways == 1;
        $socket->send(send_message => {chatId => $chat, content => $large})
            if $ways == 2;
        $socket->send(join_chat => {chatId => $chat, afterSeq => 0})
            if $ways == 3;
        $socket->send(ping => $large), $socket->send_close if $ways == 4;
        setsockopt $socket->{http}{socket}, SOL_SOCKET, SO_LINGER,
            pack 'ii', 1, 0
            if $n % 3 == 0;  # a reset
        $socket->drop;
    }

    ok wait_until(8, sub { descriptors(@pids) <= $before }),
        'every descriptor is free again'
        or diag descriptors(@pids), " instead of $before";
    talk($here, $there, 'who stayed notices nothing');
};

subtest 'nginx is reloaded' => sub {
    my @sockets = map { $customer->websocket } 1 .. 5;
    my $silent = $agent->websocket;  # does not answer the Close
    my @before = $server->reload_nginx(0);

    for my $socket ($here, @sockets) {
        my $event = $socket->expect('reconnect', 10);
        is $event->{data}{reason}, 'reload', 'a socket is told to reconnect';
        like $event->{data}{afterMs}, qr/^\d+$/, 'and when';
        is $socket->close_code, 1012, 'then it is closed';
        $socket->send_close(1012);
        ok $socket->{http}->closed, 'and ends';
    }
    $here = $customer->websocket;
    talk($here, $there, 'a new one works');
    my @now = $server->nginx_pids(0);
    my %before = map { $_ => 1 } @before;
    ok !grep({ $before{$_} } @now), 'it is served by a new process';
    ok wait_until(15, sub { !grep { kill 0, $_ } @before }),
        'the old ones end, though one client does not answer';
    ok $silent->{http}->closed, 'it is cut off';
    ok $there->none('reconnect'), 'the other machine has no part in it';
};

subtest 'nginx is stopped' => sub {
    my $socket = $agent->websocket;
    my $master = $server->pid('nginx-0');

    kill 'QUIT', $master;
    is $socket->close_code, 1012, 'gracefully: sockets are told to reconnect';
    $socket->send_close(1012);
    is $here->close_code, 1012, 'all of them';
    $here->send_close(1012);
    is $server->stop_part('nginx-0', 'QUIT'), 0, 'it ends';

    $server->start_nginx(0);
    $server->wait_ready(0);
    $here = $customer->websocket;
    talk($here, $there, 'and starts');
    is $server->stop_part('nginx-0', 'TERM'), 0, 'at once: it ends too';
    ok !defined $here->close_code(5) || $here->{ended}, 'with its sockets';
};

subtest 'presence of the process that was killed' => sub {
    $server->start_nginx(0);
    $server->wait_ready(0);
    is $server->client('agent2')->get('users?limit=200&online=false')->{success},
        1, 'the chat goes on';
    my $offline = sub {
        my $list = $server->client('agent2')->get('users?limit=200')->{data};
        my ($user) = grep { $_->{id} eq $lost->id } @$list;
        return !$user->{isOnline};
    };
    ok wait_until($lease + 5, $offline), 'its users are gone';
};

$server->finish;
done_testing;
