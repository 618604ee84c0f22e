# Protects the limit of sockets of one user: it holds over all processes of all
# machines, over a take-over, and closes nobody wrongly.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    machines => 2,
    directives => '
        cs_chat_sockets_per_user 3;
        cs_chat_presence_interval 1s;
        cs_chat_drain_time 4s;',
    locations => 'location = /newest {
        cs_chat_websocket;
        cs_chat_sockets_per_user 3 close=newest;
    }',
    worker_env => {
        CS_CHAT_PRESENCE_GRACE => '2s',
        CS_CHAT_PRESENCE_LEASE => $ENV{SANITIZE} ? '20s' : '6s',
    },
);
my $watcher = $server->websocket('agent2', machine => 1);

# The processes of both machines, as where a socket goes.
sub places {
    return map {
        my $machine = $_;
        map { {machine => $machine, pid => $_} } $server->nginx_pids($machine)
    } 0, 1;
}

sub stay {
    my ($name, @sockets) = @_;
    my @gone = grep { !$sockets[$_]->ask(ping => 1) } 0 .. $#sockets;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is "@gone", '', $name;
    return;
}

sub never_offline {
    my ($user, $name) = @_;
    my @events = grep {
        $_->{type} eq 'user_status_change'
            && $_->{data}{userId} eq $user->id
            && !$_->{data}{isOnline}
    } $watcher->drain;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is scalar @events, 0, $name;
    return;
}

# Until so many processes have renewed a user.
sub renewed {
    my ($user, $processes) = @_;
    my $redis = $server->redis_connection;
    my $id = $user->id;
    my %from;

    $redis->send('SUBSCRIBE', 'cs_chat:req:' . shard($id));
    while (keys %from < $processes) {
        my $message = $redis->reply(20) or die "no renewal\n";
        next if $message->[0] ne 'message' || $message->[2] !~ /^=\Q$id\E /m;
        my ($process) = $message->[2] =~ / from=(\S+)/;
        $from{$process} = 1;
    }
    return;
}

sub shard {
    my ($text) = @_;
    my $hash = 2_166_136_261;

    for (unpack 'C*', $text) {
        $hash = (($hash ^ $_) * 16_777_619) & 0xffff_ffff;
    }
    return $hash % 64;
}

subtest 'the oldest of all makes room' => sub {
    my $user = new_user($server);
    my $other = new_user($server)->websocket;
    my @places = places();
    my @sockets = map { $user->websocket(%$_) } @places[0, 1, 2];

    push @sockets, $user->websocket(%{$places[3]});
    is $sockets[0]->close_code, 4003, 'wherever it is';
    stay('the others stay', @sockets[1 .. 3], $other);

    my @ids = map { $_->{connected}{data}{connectionId} } @sockets;
    is_deeply [sort @ids], \@ids, 'ids rise with the time';

    $server->kill_part('worker-1');
    $server->start_worker(1);
    $server->wait_ready;
    renewed($user, 3);
    push @sockets, $user->websocket(%{$places[0]});
    is $sockets[1]->close_code, 4003, 'a worker that takes over knows which';
    stay('the others stay', @sockets[2 .. 4]);

    $sockets[2]->close;
    renewed($user, 2);
    push @sockets, $user->websocket(%{$places[2]});
    stay('one that is gone does not count', @sockets[3 .. 5]);
    never_offline($user, 'and all the time they were online');
};

subtest 'the newest is closed, where that is configured' => sub {
    my $user = new_user($server);
    my @places = map { {%$_, path => '/newest'} } places();
    my @sockets = map { $user->websocket(%$_) } @places[0, 1, 2];
    my $new = $user->websocket(%{$places[3]});

    is $new->close_code, 4003, 'others are elsewhere: closed when it is known';
    stay('the others stay', @sockets);
    $new->drop;

    my $late = new_user($server);
    @sockets = map { $late->websocket(%{$places[1]}) } 1 .. 3;
    my $try = sub {
        CSChat::WebSocket->try($server, %{$places[1]}, token => $late->{token});
    };
    my $refused = $try->();
    is $refused->{answer}{status}, 429,
        'others are here: refused at the handshake';
    like $refused->{answer}{body}, qr/RATE_LIMITED/, 'its code';
    is $refused->{answer}{headers}{'retry-after'}, 1, 'with Retry-After';
    stay('the others stay', @sockets);

    $sockets[0]->drop;
    my $socket;
    ok CSChat::Process::wait_until(10, sub {
        $socket = $try->();
        $socket->{answer}{status} == 101;
    }), 'accepted when one has gone';
    $socket->expect('connected');
    stay('and stays', $socket, @sockets[1, 2]);
};

subtest 'a process that drains' => sub {
    my $user = new_user($server);
    my ($first) = places();
    my @old = map { $user->websocket(%$_, path => '/newest') } ($first) x 3;
    my @before = $server->reload_nginx(0);

    CSChat::Process::wait_until(30, sub {
        my %now = map { $_ => 1 } $server->nginx_pids(0);
        return !grep { $now{$_} } @before;
    });
    $server->wait_ready(0);
    my @new = map { $user->websocket(%$_, path => '/newest') }
        (grep { $_->{machine} == 1 } places())[0, 1, 0];
    stay('what drains is not counted', @new);
    is $_->close_code(20), 1012, 'an old one is told to reconnect' for @old;
    stay('and the new ones stay', @new);
    never_offline($user, 'which is no news');
};

subtest 'a process that is killed' => sub {
    my $user = new_user($server);
    my ($victim, $other) = places();
    my @old = map { $user->websocket(%$victim) } 1 .. 3;

    $server->allow(qr/exited on signal 9/);
    renewed($user, 1);
    kill 'KILL', $victim->{pid};
    my @new = map { $user->websocket(%$other) } 1 .. 3;
    stay('what it had goes first', @new);
    push @new, $user->websocket(machine => 1);
    is $new[0]->close_code, 4003, 'then the oldest that lives';
    stay('the others stay', @new[1 .. 3]);
    never_offline($user, 'and it is no news');
};

$server->finish;
done_testing;
