# Protects what browsers of which origins may do.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    directives => <<'END',
    cs_chat_cors_origins http://localhost:3000 https://chat.example;
    limit_req_zone $arg_zone zone=one:1m rate=1r/m;
END
    api => 'limit_req zone=one;',
    locations => <<'END',
    location /any/ {
        cs_chat_cors_origins *;
        cs_chat_api;
    }
    location /off/ {
        cs_chat_cors_origins off;
        cs_chat_api;
    }
END
);
my $client
    = $server->client(undef, token => $server->signed_token('customer1'));

# The CORS headers of an answer, and Vary.
sub cors {
    my ($method, $path, $origin, @more) = @_;
    my ($status, $json, $answer) = $client->call($method, $path, undef,
        headers => [defined $origin ? (Origin => $origin) : (), @more]);
    my %headers = %{$answer->{headers}};
    my %cors = map { s/^access-control-//r => $headers{$_} }
        grep {/^access-control-/} keys %headers;

    $cors{vary} = $headers{vary} if exists $headers{vary};
    return ($status, \%cors);
}

my %allowed = (
    'allow-credentials' => 'true',
    'expose-headers' => 'Retry-After',
    'vary' => 'Origin',
);

subtest 'origins that are configured' => sub {
    for my $origin ('http://localhost:3000', 'https://chat.example') {
        my ($status, $cors) = cors('GET', 'users/me', $origin);
        is $status, 200, $origin;
        is_deeply $cors, {%allowed, 'allow-origin' => $origin},
            "$origin: its headers";
    }
};

subtest 'origins that are not' => sub {
    for my $origin (
        'http://localhost', 'http://localhost:3001', 'https://localhost:3000',
        'http://localhost:3000.evil.example', 'http://evil.localhost:3000',
        'http://localhost:3000/', 'null', '*', 'https://chat.example,x'
        )
    {
        my ($status, $cors) = cors('GET', 'users/me', $origin);
        is_deeply $cors, {vary => 'Origin'}, $origin;
    }
    is_deeply((cors('GET', 'users/me'))[1], {vary => 'Origin'},
        'a request without Origin');
};

subtest 'errors carry them too' => sub {
    my $origin = 'https://chat.example';
    my %with = (%allowed, 'allow-origin' => $origin);
    my @answers = (
        [404, 'GET', 'nothing'],
        [405, 'PATCH', 'users/me'],
        [401, 'GET', 'users/me', Authorization => 'Bearer x'],
        [400, 'GET', 'chats/x'],
        [404, 'GET', 'chats/' . unknown_id()],
    );
    for (@answers) {
        my ($expected, $method, $path, @more) = @$_;
        local $client->{token} = @more ? undef : $client->{token};
        my ($status, $cors) = cors($method, $path, $origin, @more);
        is $status, $expected, "$method $path";
        is_deeply $cors, \%with, "$method $path: the headers";
    }

    cors('GET', 'users/me?zone=x', $origin);
    my ($status, $cors) = cors('GET', 'users/me?zone=x', $origin);
    isnt $status, 200, 'a refusal by nginx' or diag $status;
};

subtest 'preflight' => sub {
    local $client->{token};
    my @ask = (
        'Access-Control-Request-Method' => 'POST',
        'Access-Control-Request-Headers' => 'authorization,content-type',
    );
    my ($status, $cors)
        = cors('OPTIONS', 'chats', 'https://chat.example', @ask);

    is $status, 204, 'needs no token';
    is $cors->{'allow-origin'}, 'https://chat.example', 'the origin';
    is $cors->{'allow-credentials'}, 'true', 'credentials';
    is_deeply [sort split /, /, $cors->{'allow-headers'}],
        [qw(Authorization Content-Type Idempotency-Key)], 'request headers';
    is_deeply [sort split /, /, $cors->{'allow-methods'}],
        [qw(GET HEAD OPTIONS POST)], 'methods';
    is $cors->{vary}, 'Origin', 'Vary';

    for my $path ('auth/login', 'users/status', 'chats/' . unknown_id()) {
        ($status, $cors)
            = cors('OPTIONS', $path, 'https://chat.example', @ask);
        is $status, 204, $path;
        is $cors->{'allow-origin'}, 'https://chat.example', "$path: allowed";
    }

    ($status, $cors) = cors('OPTIONS', 'chats', 'https://evil.example', @ask);
    is_deeply $cors, {vary => 'Origin'}, 'another origin gets nothing';
};

subtest 'any origin' => sub {
    my ($status, $cors) = cors('GET', '/any/users/me', 'https://x.example');
    is $status, 200, 'GET';
    is $cors->{'allow-origin'}, '*', '*';
    ok !exists $cors->{'allow-credentials'}, 'without credentials';

    ($status, $cors) = cors('OPTIONS', '/any/chats', 'https://x.example',
        'Access-Control-Request-Method' => 'POST');
    is $status, 204, 'preflight';
    is $cors->{'allow-origin'}, '*', '*';
    ok !exists $cors->{'allow-credentials'}, 'without credentials';
};

subtest 'off' => sub {
    for my $method (qw(GET OPTIONS)) {
        my ($status, $cors)
            = cors($method, '/off/users/me', 'https://chat.example');
        is $status, $method eq 'GET' ? 200 : 204, $method;
        is_deeply $cors, {}, "$method: no header";
    }
};

$server->finish;
done_testing;
