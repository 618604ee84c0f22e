# Redis moves to another address under the same name: the chat worker follows by
# itself.  It asks the system, so it gets an /etc/hosts of its own.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Failover;
use CSChat::File qw(write_file);
use CSChat::Process qw(spawn spawn_and_wait);

plan skip_all => 'a process may have no mounts of its own here'
    if spawn_and_wait(
        command => ['unshare', '-m', 'mount', '--bind', '/etc/hosts', '/etc/hosts'],
        log => '/dev/null'
    ) != 0;

my $failover = CSChat::Failover->new;
my ($server, $first, $second, $port) = @$failover{qw(server first second port)};
my $hosts = "$server->{dir}/hosts";

# What the name is from now on, for nginx and, where it differs, the worker.
sub names {
    my ($addresses, $for_worker) = @_;

    $failover->names(@$addresses);
    write_file($hosts,
        map {"$_ $CSChat::Failover::name\n"} @{$for_worker // $addresses});
    return;
}

sub start_worker {
    $server->{parts}{'worker-1'} = {
        log => $server->log_file('worker-1'),
        pid => spawn(
            command => [
                'unshare', '-m', 'sh', '-c',
                'mount --bind "$0" /etc/hosts && exec "$@"', $hosts,
                $server->worker_program
            ],
            env => {
                %{$server->worker_environment},
                REDIS_URL => "redis://$CSChat::Failover::name:$port"
            },
            log => $server->log_file('worker-1'),
        ),
    };
    return;
}

names([$first]);
$failover->start(\&start_worker);
$failover->goes_on('the first Redis');

subtest 'the name moves' => sub {
    $failover->start_second;
    names([$second]);
    $server->stop_part('redis');
    $failover->resynced('a socket is told to look again');
    ok $failover->found_at('redis-2'), 'the second one is found';
    $failover->goes_on('and serves');
};

subtest 'a name with several addresses' => sub {
    names([$first, '::1', $second]);
    $server->start_redis;
    $server->stop_part('redis-2');
    $failover->resynced('a socket is told to look again');
    ok $failover->found_at('redis'), 'the one that is alive is found';
    $failover->goes_on('and serves');
};

subtest 'Redis is made a replica' => sub {
    $failover->start_second;
    my $heard = $failover->hears('worker-1', qr/"reason":"it is a replica"/);
    $failover->redis_of('redis')->command('REPLICAOF', $second, $port);
    ok $heard->(), 'it is left';
    ok $failover->found_at('redis-2'), 'for its master';
    $failover->resynced('a socket is told to look again');
    $failover->goes_on('which serves');
};

subtest 'the name is not known any more' => sub {
    names([$second], []);
    $server->stop_part('redis-2');
    $failover->start_second;
    ok $failover->found_at('redis-2'), 'the last address is tried again';
    $failover->resynced('a socket is told to look again');
    $failover->goes_on('and all goes on');
};

subtest 'Redis hangs, and nothing tells the two that it is gone' => sub {
    $failover->redis_of('redis')->command('REPLICAOF', 'NO', 'ONE');
    names([$first]);
    $server->freeze_part('redis-2');
    $failover->resynced('a socket is told to look again');
    ok $failover->found_at('redis'), 'the one that the name leads to is found';
    $failover->goes_on('and serves');
    $server->thaw_part('redis-2');
};

$failover->finish;
done_testing;
