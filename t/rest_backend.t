# Protects clients when Redis, the worker or PostgreSQL is away: an answer at
# once that says what became of the request, and full recovery.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    directives => 'cs_chat_request_timeout 2s;',
);
my ($client, $other) = map {
    $server->client(undef, token => $server->signed_token($_))
} qw(customer1 customer2);
my $chat = $client->new_chat;

# A message, a list, a login and a logout, all at once: each is refused within
# the seconds, and told when to come again.
sub unavailable {
    my ($name, $seconds) = @_;
    my $login = '{"username":"agent1","password":"password123"}';
    my @calls = (
        ['POST', "chats/$chat/messages", '{"content":"lost"}'],
        ['GET', 'chats'],
        ['POST', 'auth/login', $login],
    );
    my @connections = map { $server->connection } @calls;
    my $start = time;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $i (0 .. $#calls) {
        my ($method, $path, $body) = @{$calls[$i]};
        $connections[$i]->write(
            $connections[$i]->request_text($method, "/api/$path",
                headers => [Authorization => 'Bearer ' . $client->token],
                body => $body)
        );
    }
    for my $i (0 .. $#calls) {
        my $answer = $connections[$i]->answer;
        my $json = JSON::PP::decode_json($answer->{body});
        refused([$answer->{status}, $json, $answer],
            503, 'BACKEND_UNAVAILABLE', "$name: $calls[$i][1]");
        like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/,
            '  with Retry-After';
    }
    cmp_ok time - $start, '<', $seconds, "$name: soon";
    return;
}

# what /health/ready says, as soon as it is that
sub becomes {
    my ($status, $what) = @_;
    my %want = (redis => 'ok', worker => 'ok', database => 'ok', %$what);
    my ($got, $json, $answer);

    $want{status} = $status == 200 ? 'ok' : 'unavailable';
    CSChat::Process::wait_until(
        15,
        sub {
            ($got, $json, $answer) = $client->get('/health/ready');
            return $got == $status
                && !grep { $json->{$_} ne $want{$_} } keys %want;
        }
    );
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $got, $status, "/health/ready: $status";
    is_deeply $json, \%want, '/health/ready: which of them';
    ok $answer->{headers}{'retry-after'}, '/health/ready: Retry-After'
        if $status != 200;
    is $client->get('/health')->{status}, 'ok', '/health: ok all the same';
    return;
}

# all NGINX processes serve again
sub recovered {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok eval { $server->wait_ready; 1 }, "$name: ready" or diag $@;
    for my $pid ($server->nginx_pids) {
        my $here = $server->client(undef, token => $client->token,
            pid => $pid);
        given([$here->get('users/me')], 200, "$name: reads");
        my $watch = $here->websocket;
        given([$here->post("chats/$chat/messages", {content => $name})],
            201, "$name: writes");
        ok $watch->expect('new_message'), "$name: events";
        $watch->drop;
    }
    return;
}

sub contents {
    my ($query) = @_;
    my $path = "chats/$chat/messages?limit=200" . ($query // '');

    return [map { $_->{content} } @{$client->get($path)->{data}}];
}

subtest 'no worker' => sub {
    is $server->stop_part('worker-1'), 0, 'it ends cleanly';
    unavailable('no worker', 1);
    becomes(503, {worker => 'unavailable', database => 'unavailable'});
    refused([$server->client->get('users/me')],
        401, 'AUTH_REQUIRED', 'without a token nothing changes');
    refused([$client->get('nothing')], 404, 'NOT_FOUND', 'nor routes');

    $server->start_worker(1);
    recovered('a new worker');
    ok !(grep { $_ eq 'lost' } @{contents()}), 'nothing was stored meanwhile';
};

subtest 'nginx has only just come' => sub {
    $server->stop_part('worker-1');
    $server->stop_part('nginx-0');
    $server->start_nginx(0);
    my $connection = $server->connection;
    $connection->write(
        $connection->request_text('GET', '/api/users/me',
            headers => [Authorization => 'Bearer ' . $client->token])
    );
    ok !eval { $connection->more(time + 0.3); 1 },
        'there may be a worker that it had no time to hear';
    my $answer = $connection->answer;
    is $answer->{status}, 503, 'there is none';
    unavailable('and later', 1);
    $server->start_worker(1);
    recovered('a worker');
};

subtest 'a worker that hangs' => sub {
    my %message = (content => 'late', clientId => 'late-1');
    my @pids = $server->nginx_pids;
    my $here = $server->client(undef, token => $client->token,
        pid => $pids[0]);

    $here->get('users/me');
    $server->freeze_part('worker-1');
    my $start = time;
    my @got = $here->post("chats/$chat/messages", \%message);
    my $took = time - $start;
    refused(\@got, 504, 'BACKEND_TIMEOUT', 'no answer');
    cmp_ok $took, '>', 1.5, 'not before the time is up';
    cmp_ok $took, '<', 4, 'and not much after';
    refused([$here->post('auth/refresh')], 504, 'BACKEND_TIMEOUT',
        'nor to anything else');

    $server->thaw_part('worker-1');
    # what comes right after its stop may be taken for older than it is
    ok CSChat::Process::wait_until(
        10,
        sub {
            my ($status) = $here->post("chats/$chat/messages", \%message);
            return $status == 200 || $status == 201;
        }
    ), 'the same again, once it goes on';
    given([$here->get('users/me')], 200, 'late replies meet nobody');
    is scalar(grep { $_ eq 'late' } @{contents()}), 1, 'it is stored once';
    given([$here->get('users/me')], 200, "request $_ has its own answer")
        for 1 .. 3;
};

subtest 'no PostgreSQL' => sub {
    $server->stop_part('postgres');
    becomes(503, {database => 'unavailable'});
    unavailable('no PostgreSQL', 3);

    $server->start_postgres;
    recovered('PostgreSQL again');
    ok !(grep { $_ eq 'lost' } @{contents()}), 'nothing was stored meanwhile';
};

subtest 'PostgreSQL restarts under load' => sub {
    my @connections = map { $server->connection } 1 .. 10;
    my %status;

    for my $c (0 .. 9) {
        $connections[$c]->write(
            join '',
            map {
                $connections[$c]->request_text(
                    'POST', "/api/chats/$chat/messages",
                    headers => [Authorization => 'Bearer ' . $client->token],
                    body => qq({"content":"load $c-$_"})
                    )
            } 1 .. 20
        );
    }
    for my $n (1 .. 20) {
        $server->stop_part('postgres', 'INT') if $n == 3;
        $server->start_postgres if $n == 4;
        $status{"load $_-$n"} = $connections[$_]->answer->{status}
            for 0 .. 9;
    }
    my %kinds = map { $_ => 1 } values %status;
    ok $kinds{201}, 'some are stored';
    delete @kinds{201, 503, 504};
    is_deeply \%kinds, {}, 'each is stored, refused or unknown';
    recovered('after it');

    my %stored = map { $_ => 1 } grep {/^load/}
        map { @$_ } contents(), contents('&offset=200');
    my @lost = grep { $status{$_} == 201 && !$stored{$_} } sort keys %status;
    my @more = grep { $status{$_} == 503 && $stored{$_} } sort keys %status;
    is_deeply \@lost, [], 'what was acknowledged is stored';
    is_deeply \@more, [], 'what was refused is not';
};

subtest 'no Redis' => sub {
    my $token = $server->signed_token('customer1');
    my $leaver = $server->client(undef, token => $token);
    given([$leaver->post('auth/logout')], 200, 'a logout before');

    $server->stop_part('redis');
    ok CSChat::Process::wait_until(5,
        sub { ($client->get('users/me'))[0] == 503 }), 'is noticed';
    unavailable('no Redis', 1);
    refused([$client->post('auth/logout')], 503, 'BACKEND_UNAVAILABLE',
        'nobody can log out');
    becomes(503, {map { $_ => 'unavailable' } qw(redis worker database)});

    $server->start_redis;
    recovered('Redis again');
    ok !(grep { $_ eq 'lost' } @{contents()}), 'nothing was stored meanwhile';
    refused([$leaver->get('users/me')], 401, 'INVALID_TOKEN',
        'an empty Redis brings no token back');
};

subtest 'Redis dies with requests in flight' => sub {
    my $bus = $server->redis_connection;
    $bus->command('PSUBSCRIBE', 'cs_chat:req:*');
    $server->freeze_part('worker-1');
    my $http = $server->connection;
    $http->write(
        $http->request_text('GET', '/api/users/me',
            headers => [Authorization => 'Bearer ' . $client->token]));
    1 until $bus->reply->[3] =~ / op=users\.me /;

    my $start = time;
    $server->kill_part('redis');
    is $http->answer->{status}, 504, 'they get 504';
    cmp_ok time - $start, '<', 1.5, 'at once';
    $server->thaw_part('worker-1');
    $server->start_redis;
    recovered('Redis after a kill');
};

subtest 'nginx starts before the rest' => sub {
    $server->stop_part($_) for qw(nginx-0 worker-1 redis);
    $server->start_nginx(0);
    $client->reconnect;
    becomes(503, {map { $_ => 'unavailable' } qw(redis worker database)});
    unavailable('nothing there', 1);
    $server->start_redis;
    $server->start_worker(1);
    recovered('all up');
};

$server->finish;
done_testing;
