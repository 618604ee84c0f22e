# /health/ready names what can't be reached, and finds it again; /health says
# only that nginx runs.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;
use Time::HiRes qw(time);

my $server = CSChat::Server->new(
    directives => 'cs_chat_request_timeout 300ms;',
    api => 'cs_chat_request_timeout 2s;',
);
my $client = $server->client;

sub answer {
    my (undef, undef, $answer) = $client->get('/health/ready');

    return "$answer->{status} $answer->{body}";
}

sub expected {
    my ($redis, $worker, $database) = map { $_ ? 'ok' : 'unavailable' } @_;
    my $ok = !grep { !$_ } @_;

    return ($ok ? '200' : '503') . ' {"status":"'
        . ($ok ? 'ok' : 'unavailable')
        . qq(","redis":"$redis","worker":"$worker","database":"$database"});
}

# Waits for an answer of all NGINX processes.
sub becomes {
    my ($name, @states) = @_;
    my ($last, $row) = ('', 0);

    wait_until(
        10,
        sub {
            $client = $server->client;
            $last = answer();
            $row = $last eq expected(@states) ? $row + 1 : 0;
            return $row >= 4;
        }
    );
    is($last, expected(@states), $name);
    my ($status, undef, $answer) = $client->get('/health');
    is("$status $answer->{body}", '200 {"status":"ok"}', "$name: nginx runs");
    return;
}

becomes('all there', 1, 1, 1);
{
    my (undef, undef, $answer) = $client->get('/health/ready');
    is($answer->{headers}{'content-type'}, 'application/json; charset=utf-8',
        'as JSON');
    like($answer->{headers}{'cache-control'}, qr/no-store/,
        'that nobody keeps');
}

$server->stop_part('worker-1');
becomes('no chat worker', 1, 0, 0);
{
    my ($status, $json, $answer) = $client->get('/health/ready');
    is($answer->{headers}{'retry-after'}, 1, 'with Retry-After');
    my $start = time;
    ($status, $json) = $server->client->post('auth/login',
        {username => 'agent1', password => 'password123'});
    is("$status $json->{code}", '503 BACKEND_UNAVAILABLE', 'nobody can log in');
    cmp_ok(time - $start, '<', 1.9, 'and hears so at once');
}
$server->start_worker(1);
becomes('one again', 1, 1, 1);

$server->freeze_part('worker-1');
becomes('a chat worker that hangs', 1, 0, 0);
{
    my ($status, $json) = $client->post('auth/login',
        {username => 'agent1', password => 'password123'});
    is("$status $json->{code}", '504 BACKEND_TIMEOUT',
        'a request to it is of unknown outcome');
}
$server->thaw_part('worker-1');
becomes('that has come to', 1, 1, 1);

$server->stop_part('postgres');
becomes('no PostgreSQL', 1, 1, 0);
$server->start_postgres;
becomes('PostgreSQL again', 1, 1, 1);

$server->stop_part('redis');
becomes('no Redis', 0, 0, 0);
{
    my ($status, $json) = $client->post('auth/login',
        {username => 'agent1', password => 'password123'});
    is("$status $json->{code}", '503 BACKEND_UNAVAILABLE', 'nobody can log in');
}
$server->start_redis;
becomes('Redis again', 1, 1, 1);
$server->wait_ready;    # the other process of nginx, too
is(($server->client('agent1')->get('users/me'))[0], 200, 'all is well');

$server->finish;
done_testing;
