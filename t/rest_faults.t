# Protects which of several faults answers, the methods of every path, HEAD,
# OPTIONS, and the forms of a path.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    directives => 'cs_chat_max_body_size 4k;',
    locations => <<'END',
    location /v1/chat/api/ {
        cs_chat_api;
    }
    location = /exact {
        cs_chat_health;
    }
END
);
my $anyone = $server->client;
my ($customer, $other, $agent, $super) = map {
    $server->client(undef, token => $server->signed_token($_))
} qw(customer1 customer2 agent1 agent2);
my $chat = $customer->new_chat(agentId => $agent->id);

my @form = ('Content-Type', 'application/x-www-form-urlencoded');
my $large = '{"content":"' . 'x' x 5000 . '"}';

# path => methods; those with a body first in each pair
my %paths = (
    'auth/login' => 'POST',
    'auth/register' => 'POST',
    'auth/logout' => 'POST',
    'auth/refresh' => 'POST',
    'auth/ws-ticket' => 'POST',
    'users/me' => 'GET HEAD',
    'users' => 'GET HEAD',
    'users/status' => 'PUT',
    'chats' => 'GET HEAD POST',
    "chats/$chat" => 'DELETE GET HEAD',
    "chats/$chat/messages" => 'GET HEAD POST',
    "chats/$chat/status" => 'PUT',
    "chats/$chat/archive" => 'PUT',
    "chats/$chat/unarchive" => 'PUT',
    'archived-chats' => 'GET HEAD',
    'available-agents' => 'GET HEAD',
    'available-customers' => 'GET HEAD',
    'ws' => 'GET HEAD',
);

subtest 'the faults in their order' => sub {
    my $path = "chats/$chat/messages";
    my @call = (
        [404, 'NOT_FOUND', 'the route', $anyone, 'PATCH',
            "chats/$chat/nothing", $large, @form],
        [405, 'METHOD_NOT_ALLOWED', 'the method', $anyone, 'PATCH', $path,
            $large, @form],
        [401, 'AUTH_REQUIRED', 'the token', $anyone, 'POST', $path, $large,
            @form],
        [415, 'UNSUPPORTED_MEDIA_TYPE', 'the type', $other, 'POST', $path,
            $large, @form],
        [413, 'PAYLOAD_TOO_LARGE', 'the size', $other, 'POST', $path,
            $large],
        [400, 'INVALID_INPUT', 'the body', $other, 'POST', $path,
            '{"content":1}'],
        [404, 'CHAT_NOT_FOUND', 'the chat', $other, 'PUT',
            "chats/$chat/status", '{"status":"active"}'],
        [403, 'ACCESS_DENIED', 'permission', $customer, 'PUT',
            "chats/$chat/status", '{"status":"active"}'],
    );
    for (@call) {
        my ($status, $code, $name, $client, $method, $at, $body, @headers)
            = @$_;
        refused(
            [$client->call($method, $at, $body, headers => \@headers)],
            $status, $code, $name);
    }

    refused([$anyone->get('chats/xyz')], 401, 'AUTH_REQUIRED',
        'the token goes before a bad id');
    refused(
        [$customer->post('chats/xyz/messages', '{}', headers => \@form)],
        415, 'UNSUPPORTED_MEDIA_TYPE', 'the type before a bad id');
    refused([$customer->post('chats/xyz/messages', $large)],
        413, 'PAYLOAD_TOO_LARGE', 'the size before a bad id');
    refused([$customer->get('chats/xyz')], 400, 'INVALID_INPUT', 'a bad id');
    $agent->put("chats/$chat/archive");
    refused([$other->post($path, {content => 'x'})],
        404, 'CHAT_NOT_FOUND', 'the chat before its state');
    refused([$customer->post($path, {content => 'x'})],
        409, 'CHAT_ARCHIVED', 'the state is last');
};

subtest 'methods' => sub {
    for my $path (sort keys %paths) {
        my %takes = map { $_ => 1 } split / /, $paths{$path};
        my $allow = join ', ', sort keys %takes, 'OPTIONS';

        for my $method (qw(GET POST PUT DELETE PATCH), 'SEARCH') {
            next if $takes{$method};
            my @got = $anyone->call($method, $path);
            refused(\@got, 405, 'METHOD_NOT_ALLOWED', "$method $path");
            is join(', ', sort split /, /, $got[2]{headers}{allow} // ''),
                $allow, "$method $path: Allow";
        }

        my ($status, undef, $answer) = $anyone->call('OPTIONS', $path);
        is $status, 204, "OPTIONS $path";
        is join(', ', sort split /, /, $answer->{headers}{allow} // ''),
            $allow, "OPTIONS $path: Allow";
        ok !exists $answer->{headers}{'access-control-allow-origin'},
            "OPTIONS $path: no CORS where none is configured";
    }

    my ($status) = $anyone->call('OPTIONS', 'nothing');
    is $status, 404, 'OPTIONS of no path';
};

subtest 'every path wants a token' => sub {
    for my $path (sort grep { !m{^auth/(?:login|register)$} } keys %paths) {
        for my $method (grep { $_ ne 'HEAD' } split / /, $paths{$path}) {
            next if $path eq 'ws';
            refused([$anyone->call($method, $path, 'x')],
                401, 'AUTH_REQUIRED', "$method $path");
        }
    }
    refused([$anyone->get('ws')], 401, 'AUTH_REQUIRED', 'ws');
    refused([$customer->get('ws')], 400, 'INVALID_INPUT',
        'ws is no plain GET');
};

subtest 'HEAD' => sub {
    for my $path (qw(users/me users chats archived-chats available-agents),
        "chats/$chat", "chats/$chat/messages")
    {
        my ($status, $json, $got) = $customer->get($path);
        my ($head, undef, $answer) = $customer->call('HEAD', $path);
        is $head, $status, "$path: the status of GET";
        is $answer->{headers}{$_}, $got->{headers}{$_}, "$path: its $_"
            for qw(content-type content-length);
    }
    is(($anyone->call('HEAD', 'users/me'))[0], 401, 'without a token');
    is(($customer->call('HEAD', 'chats/' . unknown_id()))[0], 404, 'no chat');
    given([$customer->get('users/me')], 200, 'the connection is in step');
};

subtest 'no such route' => sub {
    for my $path (
        '', 'auth', 'auth/', 'auth/login/x', 'auth/Login', 'Users', 'user',
        'users/me/x', 'users/x', 'chats/a/b/c', "chats/$chat/Messages",
        "chats/$chat/messages/1", 'available', 'health', 'login', 'ws/x',
        'x' x 3000
        )
    {
        refused([$customer->get($path)], 404, 'NOT_FOUND',
            "'" . substr($path, 0, 30) . "'");
    }
};

subtest 'forms of a path' => sub {
    given([$customer->get("$_/")], 200, "$_/")
        for qw(users/me users chats archived-chats available-agents),
        "chats/$chat", "chats/$chat/messages";
    is(($anyone->post('auth/login/',
            {username => 'agent1', password => 'password123'}))[0],
        200, 'auth/login/');
    given([$customer->get('/v1/chat/api/users/me')], 200, 'another prefix');
    refused([$customer->get('/v1/chat/api/nothing')], 404, 'NOT_FOUND',
        'no route there');
    given([$customer->get($_)], 200, $_)
        for "chats/$chat/%6dessages", "chats%2f$chat", 'x/../users/me',
        'users//me';
    given([$customer->get('users/me?x=1&&=&%')], 200, 'a query it ignores');
};

subtest 'health' => sub {
    for my $path ('/health', '/health/', '/exact') {
        my ($status, $json, $answer) = $anyone->get($path);
        is $status, 200, $path;
        is $answer->{body}, '{"status":"ok"}', "$path: exactly this";
    }
    is_deeply scalar($anyone->get('/health/ready')),
        {map { $_ => 'ok' } qw(status redis worker database)}, 'ready';
    my @got = $anyone->post('/health', '{}');
    refused(\@got, 405, 'METHOD_NOT_ALLOWED', 'POST');
    is $got[2]{headers}{allow}, 'GET, HEAD, OPTIONS', 'Allow';
    is(($anyone->call('HEAD', '/health'))[0], 200, 'HEAD');
    refused([$anyone->get('/health/x')], 404, 'NOT_FOUND', 'no such path');
};

subtest 'answers are nobody else\'s' => sub {
    for my $got ([$customer->get('users/me')], [$anyone->get('users/me')]) {
        is $got->[2]{headers}{'cache-control'}, 'no-store', 'no-store';
    }
};

$server->finish;
done_testing;
