# Where the API, the WebSocket and the health checks may stand: any prefix,
# nested and exact locations, beside and below nginx's own directives.

use strict;
use warnings;

use lib 't/lib';
use CSChat::TestNginx;

# all tests go to one nginx
BEGIN { $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0 }
use Test::Nginx::Socket 'no_plan';

no_root_location();
no_long_string();
no_shuffle();
log_level('info');

add_block_preprocessor(
    sub {
        my ($block) = @_;
        my $sections = {
            http_config => $main::HttpConfig . $main::Extra,
            config => $main::Locations,
            user_files => ">>> files/a.txt\na file\n",
            no_error_log => "[alert]\n[emerg]\n[crit]",
        };
        for my $name (keys %$sections) {
            $block->set_value($name, $sections->{$name})
                if !defined $block->$name;
        }
    }
);

our $Token = CSChat::TestNginx::bearer('agent1');
our $Login = '{"username":"agent1","password":"password123"}';
our $Other = 'the key of another server, long enough';

our $Extra = <<"END";
    limit_req_zone \$server_name zone=once:1m rate=1r/m;
    limit_req_status 429;

    server {
        listen $ENV{TEST_NGINX_PORT};
        server_name other;
        cs_chat_jwt_key '$Other';

        location / {
            cs_chat_api;
        }
    }
END

our $Locations = <<'END';
    location /api/ {
        cs_chat_api;

        location = /api/auth/login {
            limit_req zone=once;
            cs_chat_api /api/;
        }

        location /api/mine/ {
            return 200 "mine\n";
        }
    }
    location /plain {
        cs_chat_api;
    }
    location /v1/chat/ {
        cs_chat_api;
    }
    location ~ ^/(de|en)/chat/ {
        rewrite ^/(?:de|en)(/.*)$ $1 break;
        cs_chat_api /chat;
    }
    location /denied/ {
        deny all;
        cs_chat_api;
    }
    location /returned/ {
        cs_chat_api;
        if ($arg_status = 400) {
            return 400;
        }
        if ($arg_status = 403) {
            return 403;
        }
        if ($arg_status = 404) {
            return 404;
        }
        if ($arg_status = 429) {
            return 429;
        }
        if ($arg_status = 503) {
            return 503;
        }
    }
    location /small/ {
        cs_chat_api;
        cs_chat_max_body_size 1k;
    }
    location /if/ {
        cs_chat_api;
        if ($arg_limit) {
            add_header X-If yes always;
        }
    }
    location /methods/ {
        cs_chat_api;
        limit_except GET {
            deny all;
        }
    }
    location /allowed/ {
        cs_chat_api;
        limit_except GET {
            allow all;
        }
    }
    location /operator/ {
        deny all;
        error_page 403 = /page;
        cs_chat_api;
    }
    location = /page {
        return 403 "a page of the operator\n";
    }
    location ~ [.]ws$ {
        deny all;
        cs_chat_websocket;
    }
    location /files/ {
        try_files $uri =404;
    }
    location /health {
        cs_chat_health;
    }
    location /deep/status/ {
        cs_chat_health;
    }
END

run_tests();

__DATA__

=== TEST 1: the API below a prefix that ends with a slash
--- request
GET /api/users/me
--- more_headers eval: $::Token
--- response_body_like: ^\{"success":true,"data":\{"id":"[0-9a-f-]{36}","username":"agent1"
--- error_code: 200



=== TEST 2: a slash too many
--- request
GET /api//users//me/
--- more_headers eval: $::Token
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 3: below a prefix without a slash at its end
--- request
GET /plain/users/me
--- more_headers eval: $::Token
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 4: what only begins with the same letters is another place
--- request
GET /plainer/users/me
--- more_headers eval: $::Token
--- response_body_like: ^\{"success":false,"error":"[^"]+","code":"NOT_FOUND"\}$
--- error_code: 404



=== TEST 5: below a deep prefix
--- request
GET /v1/chat/users/me
--- more_headers eval: $::Token
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 6: in a regular expression, with a prefix that is named
--- request
GET /de/chat/users/me
--- more_headers eval: $::Token
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 7: at the root, with the server's own key
--- request
GET /users/me
--- more_headers eval
"Host: other\nAuthorization: Bearer " . CSChat::JWT::sign($::Other,
    CSChat::JWT::claims(substr $::Token, 22))
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 8: a token of one server is none for another
--- request
GET /users/me
--- more_headers eval: "Host: other\n$::Token"
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 9: the other way about
--- request
GET /api/users/me
--- more_headers eval
'Authorization: Bearer ' . CSChat::JWT::sign($::Other,
    CSChat::JWT::claims(substr $::Token, 22))
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 10: a nested exact location has its limit, and a refused body is no request
--- pipelined_requests eval
["POST /api/auth/login\n$::Login", "POST /api/auth/login\n$::Login",
 "GET /api/auth/login"]
--- more_headers: Content-Type: application/json
--- response_body_like eval
[qr/^\{"success":true,"token":"/,
 qr/^\{"success":false,"error":"[^"]+","code":"RATE_LIMITED"\}$/,
 qr/"code":"RATE_LIMITED"/]
--- error_code eval: [200, 429, 429]



=== TEST 11: other locations inside are the operator's
--- request
GET /api/mine/
--- response_body
mine
--- error_code: 200



=== TEST 12: a denied client
--- request
GET /denied/users/me
--- more_headers eval: $::Token
--- response_body_like: ^\{"success":false,"error":"[^"]+","code":"ACCESS_DENIED"\}$
--- response_headers
Content-Type: application/json; charset=utf-8
--- error_code: 403



=== TEST 13: a denied WebSocket in a regular expression
--- request
GET /any/chat.ws
--- response_body_like: "code":"ACCESS_DENIED"
--- error_code: 403



=== TEST 14: 400
--- request
GET /returned/users/me?status=400
--- response_body_like: "code":"INVALID_INPUT"
--- error_code: 400



=== TEST 15: 403
--- request
GET /returned/users/me?status=403
--- response_body_like: "code":"ACCESS_DENIED"
--- error_code: 403



=== TEST 16: 404
--- request
GET /returned/users/me?status=404
--- response_body_like: "code":"NOT_FOUND"
--- error_code: 404



=== TEST 17: 429
--- request
GET /returned/users/me?status=429
--- response_body_like: "code":"RATE_LIMITED"
--- response_headers
Retry-After: 1
--- error_code: 429



=== TEST 18: 503
--- request
GET /returned/users/me?status=503
--- response_body_like: "code":"BACKEND_UNAVAILABLE"
--- response_headers
Retry-After: 1
--- error_code: 503



=== TEST 19: 413 by length
--- request eval: "POST /small/auth/login\n" . 'x' x 1025
--- response_body_like: ^\{"success":false,"error":"[^"]+","code":"PAYLOAD_TOO_LARGE"\}$
--- error_code: 413



=== TEST 20: 413 while it is read
--- raw_request eval
"POST /small/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n\r\n"
. sprintf("%x\r\n%s\r\n", 1000, ' ' x 1000) x 2 . "0\r\n\r\n"
--- response_body_like: "code":"PAYLOAD_TOO_LARGE"
--- error_code: 413



=== TEST 21: an "if" that is true changes nothing else
--- request
GET /if/chats?limit=1
--- more_headers eval: $::Token
--- response_headers
X-If: yes
--- response_body_like: ^\{"success":true,"data":\[
--- error_code: 200



=== TEST 22: and one that is not
--- request
GET /if/users/me
--- more_headers eval: $::Token
--- response_headers
! X-If
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 23: limit_except refuses in the API's form
--- request
PUT /methods/users/status
{"isOnline":true}
--- more_headers eval: $::Token
--- response_body_like: "code":"ACCESS_DENIED"
--- error_code: 403



=== TEST 24: what it does not limit goes on
--- request
GET /methods/users/me
--- more_headers eval: $::Token
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 25: what it allows is served
--- request
PUT /allowed/users/status
{"isOnline":true}
--- more_headers eval: $::Token
--- response_body_like: "username":"agent1"
--- error_code: 200



=== TEST 26: a page of the operator wins
--- request
GET /operator/users/me
--- response_body
a page of the operator
--- error_code: 403



=== TEST 27: files beside it are found
--- request
GET /files/a.txt
--- response_body
a file
--- error_code: 200



=== TEST 28: and those that are not there are nginx's 404
--- request
GET /files/b.txt
--- response_body_like: <center>nginx
--- error_code: 404



=== TEST 29: health
--- request
GET /health
--- response_body chomp
{"status":"ok"}
--- response_headers
Content-Type: application/json; charset=utf-8
--- error_code: 200



=== TEST 30: health at another path
--- request
GET /deep/status/
--- response_body chomp
{"status":"ok"}
--- error_code: 200



=== TEST 31: readiness there
--- request
GET /deep/status/ready
--- response_body chomp
{"status":"ok","redis":"ok","worker":"ok","database":"ok"}
--- error_code: 200



=== TEST 32: nothing else there
--- request
GET /deep/status/nothing
--- response_body_like: "code":"NOT_FOUND"
--- error_code: 404



=== TEST 33: health is for reading
--- request
POST /health
{}
--- response_body_like: "code":"METHOD_NOT_ALLOWED"
--- response_headers
Allow: GET, HEAD, OPTIONS
--- error_code: 405



=== TEST 34: HEAD has no body
--- request
HEAD /health
--- response_body
--- response_headers
Content-Length: 15
--- error_code: 200



=== TEST 35: what only begins like health is none
--- request
GET /healthy
--- response_body_like: "code":"NOT_FOUND"
--- error_code: 404
