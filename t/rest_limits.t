# Protects that what nginx itself refuses comes in the API's own form, and that
# the body of a refused request is not taken for the next request.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    nginx_workers => 1,
    directives => <<'END',
    cs_chat_cors_origins https://chat.example;
    limit_req_status 429;
    limit_conn_status 429;
    limit_req_zone $cs_chat_user_id zone=users:1m rate=1r/m;
    limit_req_zone $binary_remote_addr zone=logins:1m rate=1r/m;
    limit_conn_zone $binary_remote_addr zone=connections:1m;
END
    locations => <<'END',
    location /user/ {
        limit_req zone=users burst=2 nodelay;
        cs_chat_api;
    }
    location /api/auth/login {
        limit_req zone=logins burst=2 nodelay;
        cs_chat_api /api/;
    }
    location /busy/ {
        limit_conn connections 1;
        cs_chat_api;
    }
    location /status/ {
        limit_req zone=users;
        limit_req_status 503;
        cs_chat_api;
    }
    location /denied/ {
        deny all;
        cs_chat_api;
    }
    location /narrow/ {
        client_max_body_size 10;
        cs_chat_api;
    }
    location /guarded/ {
        auth_request /verdict;
        cs_chat_api;
    }
    location = /verdict {
        internal;
        return 403;
    }
    location /own/ {
        error_page 403 /403.html;
        deny all;
        cs_chat_api;
    }
    location = /403.html {
        return 403 "mine";
    }
END
);
my ($client, $other) = map {
    $server->client(undef, token => $server->signed_token($_))
} qw(customer1 customer2);
my $body = '{"content":"' . 'x' x 30_000 . '"}';

subtest 'limit_req by user' => sub {
    given([$client->get('/user/users/me')], 200, 'within the limit')
        for 1 .. 3;
    my @got = $client->get('/user/users/me', undef,
        headers => [Origin => 'https://chat.example']);
    refused(\@got, 429, 'RATE_LIMITED', 'above it');
    like $got[2]{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After';
    is $got[2]{headers}{'access-control-allow-origin'},
        'https://chat.example', 'a browser may read it';
    refused([$client->post('/user/chats', $body)], 429, 'RATE_LIMITED',
        'a POST with a body');
    is(($client->call('HEAD', '/user/users/me'))[0], 429, 'HEAD');
    given([$other->get('/user/users/me')], 200, 'another user has their own');
};

subtest 'limit_req by address' => sub {
    my $anyone = $server->client;
    my %login = (username => 'agent1', password => 'password123');
    my @statuses
        = map { ($anyone->post('auth/login', \%login))[0] } 1 .. 5;
    is_deeply \@statuses, [200, 200, 200, 429, 429],
        'logins, in a location of their own';
    is(($anyone->post('auth/refresh'))[0], 401, 'the rest is not limited');
};

subtest 'limit_conn' => sub {
    my $first = $server->connection;
    $server->freeze_part('worker-1');
    my $bus = $server->redis_connection;
    $bus->command('PSUBSCRIBE', 'cs_chat:req:*');
    $first->write(
        $first->request_text('GET', '/busy/users/me',
            headers => [Authorization => 'Bearer ' . $client->token]));
    $bus->reply;
    my @got = $client->get('/busy/users/me');
    $server->thaw_part('worker-1');

    refused(\@got, 429, 'RATE_LIMITED', 'a second one');
    like $got[2]{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After';
    is $first->answer->{status}, 200, 'the first is served';
    given([$client->get('/busy/users/me')], 200, 'and another after it');
};

subtest 'limit_req with a status of 503' => sub {
    $client->get('/status/users/me');
    my @got = $client->get('/status/users/me');
    refused(\@got, 503, 'BACKEND_UNAVAILABLE', 'is one');
    like $got[2]{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After';
};

subtest 'deny and auth_request' => sub {
    for my $path (qw(denied guarded)) {
        refused([$client->get("/$path/users/me")],
            403, 'ACCESS_DENIED', "$path: GET");
        refused([$client->post("/$path/chats", $body)],
            403, 'ACCESS_DENIED', "$path: POST");
        refused([$client->get("/$path/nothing")],
            403, 'ACCESS_DENIED', "$path: no route is told");
    }
    my ($status, undef, $answer) = $client->get('/own/users/me');
    is $answer->{body}, 'mine', 'an error_page of one\'s own stays';
};

subtest 'client_max_body_size is the module\'s affair' => sub {
    my ($status) = $client->post('/narrow/chats', $body);
    is $status, 201, 'a body above nginx\'s limit';
};

subtest 'the connection stays in step' => sub {
    my @places = ('/user/chats', '/denied/chats', '/guarded/chats');
    my $connection = $server->connection;
    my @headers = (Authorization => 'Bearer ' . $client->token);
    my $smuggled = "GET /api/users/me HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: $headers[1]\r\n\r\n";

    for my $place (@places) {
        my $answer = $connection->request('POST', $place,
            headers => \@headers, body => $smuggled x 50);
        cmp_ok $answer->{status}, '>=', 400, "$place: refused";
        if (($answer->{headers}{connection} // '') eq 'close') {
            ok $connection->closed, "$place: and closed";
            $connection = $server->connection;
        } else {
            $answer = $connection->request('GET', '/api/nothing');
            is $answer->{status}, 404, "$place: the next is the next";
        }
    }
};

$server->finish;
done_testing;
