# Redis moves to another address under the same name: nginx follows by itself,
# whatever the server of names does meanwhile.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Failover;
use CSChat::Process qw(wait_until);

my $failover = CSChat::Failover->new;
my ($server, $first, $second, $port) = @$failover{qw(server first second port)};
my $place = "$CSChat::Failover::name:$port";

# The chat worker is told where Redis is.
sub worker_at {
    my ($address) = @_;

    $server->stop_part('worker-1');
    $server->start_worker(1, REDIS_URL => "redis://$address:$port");
    return;
}

$failover->start(sub { worker_at($first) });
$failover->goes_on('a name that only the resolver knows will do');

subtest 'the name moves' => sub {
    my $gone = $server->client(undef,
        token => $server->signed_token('customer2'));

    is(($gone->post('auth/logout'))[0], 200, 'somebody logs out');
    $failover->start_second;
    $failover->names($second);
    $server->stop_part('redis');
    $failover->resynced('a socket is told to look again');
    worker_at($second);
    $failover->goes_on('messages go through the second one');
    is($failover->redis_of('redis-2')->command('ZCARD', 'cs_chat:revoked'), 1,
        'which is told who had logged out');
    ok $_->none('resync'), 'one resync is enough' for $failover->sockets;
    like $server->log_text('nginx-0'),
        qr/\[notice\].*Redis at "\Q$place\E" is sought at \Q$second\E/,
        'the log says where it is';
};

subtest 'the server of names is gone' => sub {
    my $heard = $failover->hears('nginx-0',
        qr/name of Redis at "\Q$place\E" could not be resolved .*: its last address is used/);

    $failover->{dns}->stop;
    $server->stop_part('redis-2');
    ok $heard->(), 'the log says so';
    $failover->start_second;
    $failover->resynced('the last address is tried again');
    $failover->goes_on('and all goes on');
    $failover->{dns}->start;
};

subtest 'a name with several addresses' => sub {
    $failover->names($first, '::1', $second);
    $server->start_redis;
    $server->stop_part('redis-2');
    worker_at($first);
    $failover->resynced('the one that is alive is found');
    $failover->goes_on('and all goes on');
};

subtest 'an IPv6 address' => sub {
    plan skip_all => 'no IPv6 here' unless CSChat::Failover::ipv6();

    $failover->start_second;
    $failover->names('::1');
    $server->stop_part('redis');
    worker_at('[::1]');
    $failover->resynced('is found');
    $failover->goes_on('and all goes on');

    $server->start_redis;
    $failover->names($first, $second);
    worker_at($first);
    $server->stop_part('redis-2');
    $failover->resynced('and left again');
    $server->wait_ready;
};

subtest 'Redis is made a replica' => sub {
    $failover->start_second;
    my @heard = (
        $failover->hears('nginx-0', qr/is given up: it is a replica/),
        $failover->hears('worker-1', qr/"reason":"it is a replica"/)
    );
    $failover->redis_of('redis')->command('REPLICAOF', $second, $port);
    ok $heard[0]->(), 'it is left';
    ok $heard[1]->(), 'by the chat worker too';
    worker_at($second);
    $failover->resynced('its master is found');
    $failover->goes_on('and all goes on');
    is(($server->client(undef, token => $server->signed_token('customer2'))
                ->post('auth/logout'))[0], 200, 'logging out too');
};

subtest 'the end, while a name is asked for' => sub {
    my $heard = $failover->hears('nginx-0', qr/could not be resolved/);
    my @before = $server->nginx_pids(0);

    $failover->{dns}->freeze;
    $server->stop_part($_) for qw(redis redis-2);
    ok $heard->(), 'it is asked for in vain';
    $server->reload_nginx(0);
    $_->close_code(10), $_->send_close(1012) for $failover->sockets;
    ok wait_until(15, sub { !grep { kill 0, $_ } @before }),
        'old processes end at a reload';
    is $server->stop_part('nginx-0', 'QUIT'), 0, 'and all when nginx is stopped';
    $failover->{dns}->thaw;
};

$failover->finish;
done_testing;
