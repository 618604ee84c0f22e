# Settings at work: from http to server to location, the nearest wins; and a
# module that nobody uses does nothing.

use strict;
use warnings;

use lib 't/lib';
use CSChat::TestNginx;

# tests with the same configuration go to the same nginx
BEGIN { $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0 }
use Test::Nginx::Socket 'no_plan';

no_root_location();
no_long_string();
no_shuffle();
log_level('info');

add_block_preprocessor(
    sub {
        my ($block) = @_;

        $block->set_value(http_config => $main::Settings)
            if !defined $block->http_config;
        $block->set_value(config => $main::Locations)
            if !defined $block->config;
        $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]")
            if !defined $block->no_error_log;
    }
);

our %Keys = map { $_ => "the key of the $_, which is " . 'long' x 12 }
    qw(http server location);
our $Claims = CSChat::JWT::claims(substr CSChat::TestNginx::bearer('agent1'), 22);

# A request with a token that a key has signed.
sub signed {
    my ($key, $path, %o) = @_;

    return "GET $path HTTP/1.1\r\nHost: $o{host}\r\nConnection: close\r\n"
        . 'Authorization: Bearer '
        . CSChat::JWT::sign($Keys{$key}, {%$Claims, %{$o{claims} // {}}},
            alg => $o{alg} // 'HS256')
        . "\r\n\r\n";
}

# A request with a body of so many bytes, which are no JSON.
sub body {
    my ($path, $host, $length) = @_;

    return "POST $path/auth/login HTTP/1.1\r\nHost: $host\r\n"
        . "Connection: close\r\nContent-Length: $length\r\n\r\n" . 'x' x $length;
}

# Leaves of a login's answer how long its token lives.
sub life {
    my ($token) = $_[0] =~ /"token":"([^"]+)"/ or return 'no token';
    my $claims = CSChat::JWT::claims($token);

    return $claims->{exp} - $claims->{iat};
}

our $Settings = $main::HttpConfig =~ s/cs_chat_jwt_key.*//r . <<"END";
    cs_chat_jwt_key '$Keys{http}';
    cs_chat_jwt_lifetime 10m;
    cs_chat_max_body_size 2k;
    cs_chat_min_password_length 10;

    server {
        listen $ENV{TEST_NGINX_PORT};
        server_name plain;

        location /api/ {
            cs_chat_api;
        }
    }
END

our $Locations = <<"END";
    cs_chat_jwt_key '$Keys{server}';
    cs_chat_jwt_lifetime 20m;
    cs_chat_max_body_size 3k;

    location /api/ {
        cs_chat_api;
    }
    location /own/ {
        cs_chat_api;
        cs_chat_jwt_key '$Keys{location}';
        cs_chat_jwt_lifetime 30m;
        cs_chat_jwt_leeway 0;
        cs_chat_max_body_size 4k;
        cs_chat_min_password_length 12;

        location /own/strong/ {
            cs_chat_api;
            cs_chat_jwt_algorithm HS384;
        }
    }
    location /lenient/ {
        cs_chat_api;
        cs_chat_jwt_leeway 5m;
    }
END

run_tests();

__DATA__

=== TEST 1: the module is loaded and nothing of it is used
--- http_config
--- config
    location /t {
        return 200 "served $cs_chat_user_id.\n";
    }
--- request
GET /t
--- response_body
served .
--- no_error_log
Redis
[alert]



=== TEST 2: its place in Redis is set and no location uses it
--- http_config eval: $::HttpConfig
--- config
    location /t {
        return 200 "served\n";
    }
--- request
GET /t
--- response_body
served
--- no_error_log
Redis
[alert]



=== TEST 3: a key set in http
--- raw_request eval: main::signed('http', '/api/users/me', host => 'plain')
--- response_body_like: "username":"agent1"
--- error_code: 200
--- error_log
the chat is connected to Redis



=== TEST 4: a key set in server stands in for it
--- raw_request eval: main::signed('server', '/api/users/me', host => 'localhost')
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 5: so that the one of http is good no more
--- raw_request eval: main::signed('http', '/api/users/me', host => 'localhost')
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 6: a key set in a location
--- raw_request eval: main::signed('location', '/own/users/me', host => 'localhost')
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 7: and not that of its server
--- raw_request eval: main::signed('server', '/own/users/me', host => 'localhost')
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 8: an algorithm set in a nested location, with the key of the outer one
--- raw_request eval: main::signed('location', '/own/strong/users/me', host => 'localhost', alg => 'HS384')
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 9: no other algorithm on the token's say-so
--- raw_request eval: main::signed('location', '/own/strong/users/me', host => 'localhost', alg => 'HS256')
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 10: nor a stronger one
--- raw_request eval: main::signed('location', '/own/users/me', host => 'localhost', alg => 'HS512')
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 11: a body within the limit of http
--- raw_request eval: main::body('/api', 'plain', 2048)
--- error_code: 400
--- response_body_like: "code":"INVALID_INPUT"



=== TEST 12: and above it
--- raw_request eval: main::body('/api', 'plain', 2049)
--- error_code: 413
--- response_body_like: "code":"PAYLOAD_TOO_LARGE"



=== TEST 13: within the limit of server
--- raw_request eval: main::body('/api', 'localhost', 3072)
--- error_code: 400
--- response_body_like: "code":"INVALID_INPUT"



=== TEST 14: and above it
--- raw_request eval: main::body('/api', 'localhost', 3073)
--- error_code: 413
--- response_body_like: "code":"PAYLOAD_TOO_LARGE"



=== TEST 15: within the limit of a location, below it
--- raw_request eval: main::body('/own/strong', 'localhost', 4096)
--- error_code: 400
--- response_body_like: "code":"INVALID_INPUT"



=== TEST 16: and above it
--- raw_request eval: main::body('/own/strong', 'localhost', 4097)
--- error_code: 413
--- response_body_like: "code":"PAYLOAD_TOO_LARGE"



=== TEST 17: the lifetime of a token, set in server
--- request
POST /api/auth/login
{"username":"agent1","password":"password123"}
--- response_body_filters eval: \&main::life
--- response_body chomp
1200



=== TEST 18: set in a location
--- request
POST /own/auth/login
{"username":"agent1","password":"password123"}
--- response_body_filters eval: \&main::life
--- response_body chomp
1800



=== TEST 19: a token that ended a second ago, with no leeway
--- raw_request eval
main::signed('location', '/own/users/me', host => 'localhost',
    claims => {exp => time - 1})
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 20: one that ended four minutes ago, with five
--- raw_request eval
main::signed('server', '/lenient/users/me', host => 'localhost',
    claims => {exp => time - 240})
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 21: one that ended six minutes ago
--- raw_request eval
main::signed('server', '/lenient/users/me', host => 'localhost',
    claims => {exp => time - 360})
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 22: a password that is too short for http
--- request
POST /api/auth/register
{"username":"short","email":"short@example.com","password":"123456789","name":"S"}
--- response_body_like: "code":"INVALID_INPUT","field":"password"
--- error_code: 400



=== TEST 23: one that is long enough
--- request
POST /api/auth/register
{"username":"medium","email":"medium@example.com","password":"1234567890","name":"M"}
--- response_body_like: "username":"medium"
--- error_code: 201



=== TEST 24: but not in the location that wants more
--- request
POST /own/auth/register
{"username":"long","email":"long@example.com","password":"12345678901","name":"L"}
--- response_body_like: "code":"INVALID_INPUT","field":"password"
--- error_code: 400
