# Protects presence from the faults of every part: who stays connected, or comes
# back at once, is never told offline; who leaves meanwhile is offline in the
# end, and who comes is online.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $slow = $ENV{SANITIZE} ? 3 : 1;
my $lease = 4 * $slow;
my $patience = 10 * $lease;
my $server = CSChat::Server->new(
    machines => 2,
    workers => 2,
    directives => 'cs_chat_presence_interval 1s; cs_chat_drain_time 200ms;',
    worker_env => {
        CS_CHAT_PRESENCE_GRACE => 2 * $slow . 's',
        CS_CHAT_PRESENCE_LEASE => $lease . 's',
        CS_CHAT_PRESENCE_INTERVAL => '200ms',
    },
    allow => [qr/exited on signal 9/],
);
my %client = map { $_ => new_user($server, 'customer') }
    qw(steady mover leaver comer);
my %name = map { $client{$_}->id => $_ } keys %client;
my $watcher = $server->websocket('agent2');
my %socket = (steady => $client{steady}->websocket);
my %flapped;

# Whoever moves has one socket and opens another as soon as that breaks.
sub moves {
    my $socket = $socket{mover};

    $socket{steady}->event_in(0.001);  # which answers pings
    return if $socket && ($socket->event_in(0.001), 1)
        && !$socket->{ended} && !defined $socket->{close};
    for my $machine (1, 0) {
        next if !$server->pid("nginx-$machine");
        $socket = eval { $client{mover}->websocket(machine => $machine) };
        return $socket{mover} = $socket if $socket;
    }
    return;
}

# What the watcher is told, of those who were there all along.
sub watch {
    while (my $event = $watcher->event_in(0.001)) {
        next if $event->{type} ne 'user_status_change';
        my $who = $name{$event->{data}{userId}} // next;
        $flapped{$who} = 1
            if $who =~ /steady|mover/ && !$event->{data}{isOnline};
    }
    return 1;
}

sub online {
    return join ' ', sort map { $name{$_} // () }
        $server->sql('SELECT id FROM users WHERE is_online AND NOT hidden');
}

sub becomes {
    my ($want, $test) = @_;
    my $got;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    wait_until($patience, sub {
        moves();
        watch();
        return ($got = eval { online() } // '') eq $want;
    });
    is($got, $want, $test);
    return;
}

# During the fault one leaves and, as soon as that can be, one comes.
sub fault {
    my ($name, $begin, $end) = @_;

    subtest $name => sub {
        $socket{leaver} = $client{leaver}->websocket(machine => 1);
        becomes('leaver mover steady', 'before');
        $begin->();
        $socket{leaver}->drop;
        my $until = time + 1;
        while (time < $until) {
            moves();
            sleep 0.02;
        }
        $end->();
        ok(wait_until($patience, sub {
            moves();
            $socket{comer} = eval { $client{comer}->websocket };
        }), 'one comes');

        becomes('comer mover steady', 'after');
        $server->wait_ready(grep { $server->pid("nginx-$_") } 0, 1);
        my $list = $server->client('agent2')->get('users?limit=200&online=true');
        is_deeply([sort map { $name{$_->{id}} // () } @{$list->{data}}],
            [qw(comer mover steady)], 'the list says the same');

        is_deeply(\%flapped, {}, 'nobody who was there was told offline');
        $socket{comer}->drop;
    };
    return;
}

moves();

fault('Redis is started again',
    sub { $server->stop_part('redis') }, sub { $server->start_redis });
fault('Redis hangs', sub { $server->freeze_part('redis') },
    sub { $server->thaw_part('redis') });
fault('PostgreSQL is started again',
    sub { $server->stop_part('postgres', 'INT') },
    sub { $server->start_postgres });
fault('a chat worker is killed', sub { $server->kill_part('worker-1') },
    sub { $server->start_worker(1) });
fault('all chat workers are killed',
    sub { $server->kill_part("worker-$_") for 1, 2 },
    sub { $server->start_worker($_) for 1, 2 });
fault('nginx is reloaded', sub { $server->reload_nginx(1) }, sub { });
fault('processes of nginx are killed',
    sub { kill 'KILL', $server->nginx_pids(1) }, sub { });
fault('a machine is killed', sub { $server->kill_part('nginx-1') },
    sub { $server->start_nginx(1) });

# the lease of who is thought to be there, and is not, is over by now
my $over = time + $lease + $slow;
while (time < $over) {
    moves();
    watch();
    sleep 0.02;
}
is(online(), 'mover steady', 'in the end');
is_deeply(\%flapped, {}, 'nobody who was there was ever told offline');

$server->finish;
done_testing;
