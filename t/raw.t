# Bytes as they are on the wire: single WebSocket frames behind a handshake, and
# HTTP requests that are unusual, odd or broken.

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

our $Token = substr CSChat::TestNginx::bearer('customer1'), 22;
our $Me = CSChat::JWT::claims($Token)->{userID};

add_block_preprocessor(
    sub {
        my ($block) = @_;

        $block->set_value(http_config => $main::HttpConfig);
        $block->set_value(config => $main::Config
                . 'large_client_header_buffers 4 64k;'
                . 'location /whole/ { cs_chat_api; client_body_buffer_size 1; }');
        $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");
        $block->set_value(timeout => 10) if !defined $block->timeout;
    }
);

# A handshake and frames behind it, in one packet.
sub frames {
    return "GET /api/ws HTTP/1.1\r\nHost: localhost\r\n"
        . "Authorization: Bearer $Token\r\n"
        . "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        . "Sec-WebSocket-Version: 13\r\n"
        . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        . join '', @_;
}

# A masked frame: the first byte as it is, then the payload.
sub frame {
    my ($first, $payload) = @_;
    my $length = length $payload;
    my $mask = "\x37\xfa\x21\x3d";
    my $form = $length < 126 ? chr(128 | $length)
        : $length < 65536 ? chr(128 | 126) . pack('n', $length)
        : chr(128 | 127) . pack('Q>', $length);

    return chr($first) . $form . $mask
        . ($payload ^ substr $mask x ($length / 4 + 1), 0, $length);
}

sub close_frame { return frame(0x88, pack 'n', $_[0] // 1000) }

# What is to come: "connected", these bytes and a Close with this code.
sub comes {
    my ($bytes, $code) = @_;
    my $close = '\x88.' . quotemeta pack 'n', $code;

    return qr/\A\x81\x7e..\{"type":"connected","data":\{"userId":"$Me",[^}]+\}\}
        $bytes$close(?:[ -~]*)\z/sx;
}

# A request with the token.
sub get {
    my ($path, @lines) = @_;

    return CORE::join "\r\n", "GET $path HTTP/1.1", 'Host: localhost',
        'Connection: close', (@lines ? @lines : "Authorization: Bearer $Token"),
        '', '';
}

sub login {
    my ($headers, @body) = @_;

    return "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\n$headers\r\n\r\n" . join '', @body;
}

our $Login = '{"username":"customer1","password":"password123"}';

run_tests();

__DATA__

=== TEST 1: a close
--- raw_request eval: main::frames(main::close_frame())
--- response_headers
Upgrade: websocket
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
--- response_body_like eval: main::comes('', 1000)
--- error_code: 101



=== TEST 2: a ping with data, a pong that nobody asked for
--- raw_request eval
main::frames(main::frame(0x89, 'abc'), main::frame(0x8a, 'x'), main::close_frame())
--- response_body_like eval: main::comes('\x8a\x03abc', 1000)
--- error_code: 101



=== TEST 3: a text in three fragments with pings between them
--- raw_request eval
main::frames(main::frame(0x01, '{"type":"pi'), main::frame(0x89, ''),
    main::frame(0x00, 'ng","data":'), main::frame(0x89, '2'),
    main::frame(0x80, '"a"}'), main::close_frame())
--- response_body_like eval
main::comes('\x8a\x00\x8a\x012\x81.\{"type":"pong","data":"a"\}', 1000)
--- error_code: 101



=== TEST 4: a character that is split over two fragments
--- raw_request eval
main::frames(main::frame(0x01, "{\"type\":\"ping\",\"data\":\"\xe2\x82"),
    main::frame(0x80, "\xac\"}"), main::close_frame())
--- response_body_like eval: main::comes('\x81.\{"type":"pong","data":"\xe2\x82\xac"\}', 1000)
--- error_code: 101



=== TEST 5: lengths of two and of eight bytes
--- raw_request eval
main::frames(main::frame(0x81, '{"type":"ping","data":"' . 'a' x 200 . '"}'),
    main::frame(0x81, '{"type":"ping","data":"' . 'b' x 70000 . '"}'),
    main::close_frame())
--- response_body_like eval
main::comes('\x81\x7e..\{"type":"pong","data":"a{200}"\}\x81\x7f.{8}\{"type":"pong","data":"b+"\}', 1000)
--- error_code: 101



=== TEST 6: an event that is not JSON is answered, and the socket stays
--- raw_request eval
main::frames(main::frame(0x81, 'hello'), main::frame(0x89, 'x'), main::close_frame())
--- response_body_like eval
main::comes('\x81\x7e?.+?"type":"error".+?"code":"INVALID_INPUT".+?\x8a\x01x', 1000)
--- error_code: 101



=== TEST 7: a frame that is not masked
--- raw_request eval: main::frames("\x81\x02{}")
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 8: a reserved bit
--- raw_request eval: main::frames(main::frame(0xc1, '{}'))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 9: a reserved opcode
--- raw_request eval: main::frames(main::frame(0x83, '{}'))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 10: a ping in fragments
--- raw_request eval: main::frames(main::frame(0x09, 'a'))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 11: a ping of 126 bytes
--- raw_request eval: main::frames(main::frame(0x89, 'a' x 126))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 12: a continuation of nothing
--- raw_request eval: main::frames(main::frame(0x80, '{}'))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 13: a text within a text
--- raw_request eval: main::frames(main::frame(0x01, '{'), main::frame(0x81, '{}'))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 14: a length that is longer than need be
--- raw_request eval: main::frames("\x81\xfe\x00\x02aaaa" . ('{}' ^ 'aa'))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 15: a length of 2^63
--- raw_request eval: main::frames("\x81\xff\x80" . "\0" x 7 . 'aaaa')
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 16: a length above the limit, before the bytes come
--- raw_request eval: main::frames("\x81\xff" . pack('Q>', 262145) . 'aaaa')
--- response_body_like eval: main::comes('', 1009)
--- error_code: 101



=== TEST 17: a binary frame
--- raw_request eval: main::frames(main::frame(0x82, '{}'))
--- response_body_like eval: main::comes('', 1003)
--- error_code: 101



=== TEST 18: a text that is not UTF-8
--- raw_request eval: main::frames(main::frame(0x01, "{\xff"))
--- response_body_like eval: main::comes('', 1007)
--- error_code: 101



=== TEST 19: a surrogate in UTF-8
--- raw_request eval: main::frames(main::frame(0x81, "\"\xed\xa0\x80\""))
--- response_body_like eval: main::comes('', 1007)
--- error_code: 101



=== TEST 20: a character that never ends
--- raw_request eval: main::frames(main::frame(0x81, "\"\xe2\x82"))
--- response_body_like eval: main::comes('', 1007)
--- error_code: 101



=== TEST 21: a close of one byte
--- raw_request eval: main::frames(main::frame(0x88, "\x03"))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 22: a close with a code that may not be sent
--- raw_request eval: main::frames(main::close_frame(1005))
--- response_body_like eval: main::comes('', 1002)
--- error_code: 101



=== TEST 23: a close with a reason that is not UTF-8
--- raw_request eval: main::frames(main::frame(0x88, "\x03\xe8\xff"))
--- response_body_like eval: main::comes('', 1007)
--- error_code: 101



=== TEST 24: an empty close
--- raw_request eval: main::frames(main::frame(0x88, ''))
--- response_body_like: \}\}\x88(?:\x00|\x02\x03\xe8)\z
--- error_code: 101



=== TEST 25: HTTP/1.0
--- raw_request eval: "GET /api/users/me HTTP/1.0\r\nAuthorization: Bearer $::Token\r\n\r\n"
--- response_body_like: "username":"customer1"
--- error_code: 200



=== TEST 26: no Host with HTTP/1.1
--- raw_request eval: "GET /api/users/me HTTP/1.1\r\nAuthorization: Bearer $::Token\r\n\r\n"
--- response_body_unlike: "username"
--- error_code: 400



=== TEST 27: a target with a scheme
--- raw_request eval: main::get('http://localhost/api/users/me')
--- response_body_like: "username":"customer1"
--- error_code: 200



=== TEST 28: a path with dots and slashes
--- raw_request eval: main::get('/health/../api/.//users/x/../me')
--- response_body_like: "username":"customer1"
--- error_code: 200



=== TEST 29: an encoded path
--- raw_request eval: main::get('/%61pi/users%2Fme')
--- response_body_like: "username":"customer1"
--- error_code: 200



=== TEST 30: a NUL in the path
--- raw_request eval: main::get('/api/users/me%00')
--- response_body_unlike: "username"
--- error_code: 400



=== TEST 31: a long path
--- raw_request eval: main::get('/api/chats/' . 'x' x 30000)
--- response_body_like: "code":"INVALID_INPUT"
--- error_code: 400



=== TEST 32: a lower-case scheme of the token
--- raw_request eval: main::get('/api/users/me', "authorization: bearer $::Token")
--- response_body_like: "username":"customer1"
--- error_code: 200



=== TEST 33: spaces around the token
--- raw_request eval: main::get('/api/users/me', "Authorization:   BEARER    $::Token   ")
--- response_body_like: "username":"customer1"
--- error_code: 200



=== TEST 34: a space within the token
--- raw_request eval: main::get('/api/users/me', "Authorization: Bearer $::Token x")
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 35: no space before the token
--- raw_request eval: main::get('/api/users/me', "Authorization: Bearer$::Token")
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 36: a scheme and nothing else
--- raw_request eval: main::get('/api/users/me', "Authorization: Bearer")
--- response_body_like: "code":"(?:INVALID_TOKEN|AUTH_REQUIRED)"
--- error_code: 401



=== TEST 37: an empty header
--- raw_request eval: main::get('/api/users/me', "Authorization: ")
--- response_body_like: "code":"(?:INVALID_TOKEN|AUTH_REQUIRED)"
--- error_code: 401



=== TEST 38: a good token behind a bad one
--- raw_request eval
main::get('/api/users/me', 'Authorization: Bearer x', "Authorization: Bearer $::Token")
--- response_body_unlike: "username"
--- error_code_like: ^40[01]$



=== TEST 39: a bad token behind a good one
--- raw_request eval
main::get('/api/users/me', "Authorization: Bearer $::Token", 'Authorization: Bearer x')
--- response_body_unlike: "id":"(?!$::Me)
--- error_code_like: ^(?:200|40[01])$



=== TEST 40: a very long token
--- raw_request eval: main::get('/api/users/me', "Authorization: Bearer $::Token" . 'x' x 50000)
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 41: a token of dots
--- raw_request eval: main::get('/api/users/me', 'Authorization: Bearer ' . '.' x 5000)
--- response_body_like: "code":"INVALID_TOKEN"
--- error_code: 401



=== TEST 42: bytes that are no text in the token
--- raw_request eval: main::get('/api/users/me', "Authorization: Bearer \xff\xfe.\x01.\x80")
--- response_body_unlike: "username"
--- error_code_like: ^40[01]$



=== TEST 43: a token for HTTP in the query does not count
--- raw_request eval: main::get("/api/users/me?token=$::Token", 'X-None: x')
--- response_body_like: "code":"AUTH_REQUIRED"
--- error_code: 401



=== TEST 44: pipelined requests are answered in order
--- raw_request eval
"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
. length($::Login) . "\r\n\r\n$::Login"
. "GET /api/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
. main::get('/api/users/me')
--- ignore_response
--- access_log eval
[qr/POST \/api\/auth\/login HTTP\/1.1" 200/, qr/GET \/api\/nothing HTTP\/1.1" 404/,
 qr/GET \/api\/users\/me HTTP\/1.1" 200/]



=== TEST 45: a body in chunks of one byte, with extensions and a trailer
--- raw_request eval
main::login('Transfer-Encoding: chunked',
    (map { sprintf "1;x=y\r\n%s\r\n", $_ } split //, $::Login),
    "0\r\nX-Trailer: x\r\n\r\n")
--- response_body_like: "token":"
--- error_code: 200



=== TEST 46: a body that comes in pieces
--- raw_request eval
[main::login('Content-Length: ' . length $::Login), split /(?<=,)/, $::Login]
--- raw_request_middle_delay: 0.05
--- response_body_like: "token":"
--- error_code: 200



=== TEST 47: a body in a temporary file
--- raw_request eval
main::login('Content-Length: ' . length $::Login, $::Login) =~ s{/api/}{/whole/}r
--- response_body_like: "token":"
--- error_code: 200



=== TEST 48: a client that waits for leave to send its body
--- raw_request eval
main::login("Expect: 100-continue\r\nContent-Length: " . length $::Login, $::Login)
--- response_body_like: "token":"
--- error_code: 100



=== TEST 49: chunks that are none
--- raw_request eval: main::login('Transfer-Encoding: chunked', "zz\r\n{}\r\n0\r\n\r\n")
--- response_body_like: "code":"INVALID_INPUT"
--- error_code: 400



=== TEST 50: a body that is cut off
--- raw_request eval: main::login('Content-Length: 1000', $::Login)
--- shutdown: 1
--- ignore_response



=== TEST 51: both lengths
--- raw_request eval
main::login("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")
--- response_body_unlike: "token":"
--- error_code: 400



=== TEST 52: a length that is none
--- raw_request eval: main::login('Content-Length: many', $::Login)
--- response_body_unlike: "token":"
--- error_code: 400



=== TEST 53: HEAD
--- raw_request eval: main::get('/api/users/me') =~ s/GET/HEAD/r
--- response_body
--- response_headers_like
Content-Length: \d\d+
--- error_code: 200



=== TEST 54: a method that there is not
--- raw_request eval: main::get('/api/users/me') =~ s/GET/BREW/r
--- response_body_like: "code":"METHOD_NOT_ALLOWED"
--- response_headers
Allow: GET, HEAD, OPTIONS
--- error_code: 405



=== TEST 55: a query of noise
--- raw_request eval: main::get('/api/chats?' . CORE::join '&', map { "\x{a7}=%$_" } 1 .. 500)
--- response_body_unlike: INTERNAL_ERROR
--- error_code_like: ^(?:200|400)$



=== TEST 56: all is well after all that
--- raw_request eval: main::get('/api/users/me')
--- response_body_like: "username":"customer1"
--- error_code: 200
