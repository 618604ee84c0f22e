# Protects the chat from a Redis that is there but does not answer: it hangs, or
# loads its data.  And Redis from being blamed by a process that was itself kept
# from running.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Server;
use CSChat::Talk;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(
    nginx_workers => 1,
    directives => 'cs_chat_request_timeout 1500ms;',
);
my $talk = CSChat::Talk->new($server);

sub says {
    my ($part, $pattern, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok $server->wait_log($part, $pattern, 15), $name;
}

$talk->fault('the others did not run', sub {
    my ($try) = @_;
    my @pids = ($talk->{nginx}, $server->pid('worker-1'));

    kill 'STOP', @pids;
    my $end = time + 9;  # longer than Redis may be silent
    wait_until(15, sub { time > $end });
    kill 'CONT', @pids;
    $server->wait_ready;
    my $beat = $server->redis_connection;
    $beat->send('SUBSCRIBE', 'cs_chat:events');
    $beat->reply(5) for 1 .. 4;  # three heartbeats later all is as it was
    unlike $server->log_text('nginx-0'), qr/no sign of life/,
        'nginx does not blame Redis';
    unlike $server->log_text('worker-1'), qr/"level":"error".*Redis/,
        'nor does the chat worker';
});

$talk->fault('Redis hangs', sub {
    my ($try) = @_;

    $server->freeze_part('redis');
    is $try->(), 'BACKEND_TIMEOUT', 'a message is given up';
    says('nginx-0', qr/commands is given up: no sign of life/,
        'nginx gives the links up');
    says('worker-1', qr/"reason":"no answer to PUBLISH"/,
        'the chat worker too');
    is $try->(), 'BACKEND_UNAVAILABLE', 'then messages are refused';
    is(($server->client->get('/health'))[0], 200, 'nginx is there');
    is(($server->client->get('/health/ready'))[0], 503, 'but not ready');
    $server->thaw_part('redis');
}, resync => 1);

$talk->fault('Redis loads its data', sub {
    my ($try) = @_;

    $server->redis('SET', "ballast:$_", 'x' x 2048) for 1 .. 100;
    $server->redis('SAVE');
    $server->stop_part('redis');
    local $server->{redis_args} = ['--key-load-delay', 30_000,
        '--loading-process-events-interval-bytes', 2048];
    $server->start_redis(wait => 0);
    says('nginx-0', qr/refused the connection for commands: LOADING/,
        'nginx waits for it');
    says('worker-1', qr/"Redis refuses".*"reason":"LOADING/,
        'the chat worker too');
    is $try->(), 'BACKEND_UNAVAILABLE', 'messages are refused';
    $server->wait_redis;
}, resync => 1);

$server->finish;
done_testing;
