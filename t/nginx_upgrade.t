# Protects an upgrade of nginx on the fly: a new master beside the old one
# (USR2), whose processes are told to go (WINCH) and which is told itself then
# (QUIT), while people chat.  Nothing is lost, doubled or out of order.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Chaos;
use CSChat::Process qw(wait_until);
use Test::More;

my $chaos = CSChat::Chaos->new(
    pairs => 8,
    interval => 0.2,
    server => {
        machines => 1,
        workers => 1,
        daemon => 1,
        # the new binary is given no other part of the environment
        main => 'env LD_PRELOAD; env ASAN_OPTIONS; env UBSAN_OPTIONS;',
    },
);
my $server = $chaos->server;
my $master = $server->pid('nginx-0');
my @old = $server->nginx_pids(0);
my @sockets = map { $server->websocket('agent1', pid => $_) } @old;

sub gone {
    return !grep { !CSChat::Server::ended({pid => $_, daemon => 1}, \my $s) } @_;
}

sub upgrade {
    $server->upgrade_nginx(0);
    isnt $server->pid('nginx-0'), $master, 'there is a new master';
    is scalar(grep { kill 0, $_ } @old), @old, 'the old processes are there';
    ok $_->ask(ping => 1), 'their sockets live' for @sockets;

    kill 'WINCH', $master;
    for my $socket (@sockets) {
        is $socket->expect('reconnect', 30)->{data}{reason}, 'reload',
            'then each socket is told to reconnect';
        is $socket->close_code(30), 1012, 'and closed';
        $socket->send_close(1012);
    }
    ok wait_until(60, sub { gone(@old) }), 'the old processes end';
    ok kill(0, $master), 'their master waits, so that there is a way back';
    is $server->stop_part('nginx-0-old', 'QUIT'), 0, 'it goes when it is told';
    ok gone($master), 'and is gone';
    return;
}

ok $chaos->fault({name => 'upgrade of nginx', inject => \&upgrade, hold => 0}),
    'all are well again';

my %before = map { $_ => 1 } @old;
my @now = $server->nginx_pids(0);
is scalar(grep { !$before{$_} } @now), @old, 'new processes serve';
ok $server->websocket('agent1', pid => $_)->ask(ping => 1), 'each of them'
    for @now;

$chaos->judge;
my @wrong = $chaos->wrong;
ok !@wrong, 'nothing is lost, doubled or out of order'
    or diag join "\n", splice @wrong, 0, 20;
note $_ for $chaos->table;
unlike $server->log_text('nginx-0'), qr/open socket|\[alert\]/,
    'no process left a socket open';
$server->finish;
done_testing;
