# Protects the opening of a WebSocket: who is let in, and by what; a handshake
# that is refused is never upgraded.

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use File::Temp ();
use IO::Socket::INET ();
use Test::More;

use lib 't/lib';
use CSChat::Server;

my $tls_port = 8443;
my $h2_port = 8444;
my $address = CSChat::Server::address(0);
my $certificate = certificate();

# Takes requests and answers none.
my $deaf = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
    or die "listen: $!\n";

my $server = CSChat::Server->new(
    directives => 'cs_chat_jwt_leeway 0s;
        cs_chat_cors_origins https://app.example;',
    server => "listen $address:$h2_port http2;"
        . ($certificate
            ? "listen $address:$tls_port ssl;
                ssl_certificate $certificate;
                ssl_certificate_key $certificate;"
            : ''),
    locations => "location = /live { cs_chat_websocket; }
        location = /mirrored {
            mirror /copy;
            cs_chat_websocket;
        }
        location = /copy {
            internal;
            proxy_pass http://" . $deaf->sockhost . ':' . $deaf->sockport . ";
            proxy_read_timeout 500ms;
        }",
);
my $token = $server->token('customer1');
my %usual = (
    'Upgrade' => 'websocket',
    'Connection' => 'Upgrade',
    'Sec-WebSocket-Version' => 13,
    'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
    'Authorization' => "Bearer $token",
);

# The answer to a handshake with other headers than usual, undef for none.
sub handshake {
    my ($headers, %o) = @_;
    my %all = (%usual, %$headers);
    my $http = $server->connection;

    $http->{host} = delete $all{Host} if $all{Host};
    my $text = $http->request_text(
        $o{method} // 'GET',
        $o{path} // '/api/ws',
        headers => [map { $_ => $all{$_} }
                grep { defined $all{$_} } sort keys %all]
    );

    $text =~ s{HTTP/1\.1\r\n}{HTTP/$o{http}\r\n} if $o{http};
    $http->write($text);
    return $http->answer(head => ($o{method} // '') eq 'HEAD');
}

sub refused {
    my ($headers, $status, $code, $name, %o) = @_;
    my $answer = handshake($headers, %o);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is "$answer->{status} "
        . ($answer->{body} =~ /"code":"(\w+)"/ ? $1 : $answer->{body}),
        "$status $code", $name;
    return $answer;
}

sub accepted {
    my ($headers, $name, %o) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = handshake($headers, %o);
    is $answer->{status}, 101, $name;
    return $answer;
}

sub ticket {
    my ($token) = @_;
    my ($status, $json)
        = $server->client(undef, token => $token)->post('auth/ws-ticket');

    die "ws-ticket: $status\n" if $status != 200;
    return $json->{data};
}

my %alone = (Authorization => undef);
my $short = $server->signed_token('customer1', exp => time + 2);
my $short_ticket = ticket($short)->{ticket};

subtest 'the answer' => sub {
    my $answer = accepted({}, 'a handshake is answered with 101');
    is lc $answer->{headers}{upgrade}, 'websocket', 'Upgrade';
    is lc $answer->{headers}{connection}, 'upgrade', 'Connection';
    is $answer->{headers}{'sec-websocket-accept'},
        sha1_base64($usual{'Sec-WebSocket-Key'}
            . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=',
        'the proof belongs to the key';

    $answer = accepted(
        {   'Sec-WebSocket-Extensions' => 'permessage-deflate',
            'Sec-WebSocket-Protocol' => 'chat'
        },
        'extensions and other sub-protocols do no harm'
    );
    ok !exists $answer->{headers}{'sec-websocket-extensions'}
        && !exists $answer->{headers}{'sec-websocket-protocol'},
        'but are not promised';

    accepted(
        {Connection => 'keep-alive, Upgrade', Upgrade => 'WebSocket'},
        'lists and capitals are understood'
    );
    accepted({}, 'a location of its own', path => '/live');
    refused({%alone}, 401, 'AUTH_REQUIRED', 'which asks for a token too',
        path => '/live');
};

subtest 'the token' => sub {
    accepted({%alone}, 'in the query', path => "/api/ws?token=$token");
    my $answer = accepted({%alone, 'Sec-WebSocket-Protocol' => "bearer, $token"},
        'as a sub-protocol');
    is $answer->{headers}{'sec-websocket-protocol'}, 'bearer',
        'of which the name alone comes back';
    accepted({%alone, 'Sec-WebSocket-Protocol' => "bearer,$token"},
        'without a space');

    refused({%alone}, 401, 'AUTH_REQUIRED', 'none');
    my %wrong = (
        'a broken one' => substr($token, 0, -2),
        'nonsense' => 'nonsense',
        'of another key' => CSChat::JWT::sign(
            'another key that is long enough',
            CSChat::JWT::claims($token)
        ),
        'expired' => $server->signed_token('customer1', exp => time - 1),
        'unsigned' => CSChat::JWT::sign(
            '', CSChat::JWT::claims($token),
            header => {alg => 'none', typ => 'JWT'}
        ),
    );
    for my $name (sort keys %wrong) {
        refused({Authorization => "Bearer $wrong{$name}"},
            401, 'INVALID_TOKEN', $name);
        refused({%alone}, 401, 'INVALID_TOKEN', "$name, in the query",
            path => "/api/ws?token=$wrong{$name}");
        refused({%alone, 'Sec-WebSocket-Protocol' => "bearer, $wrong{$name}"},
            401, 'INVALID_TOKEN', "$name, as a sub-protocol");
    }
    refused({%alone, 'Sec-WebSocket-Key' => 'short', Origin => 'http://x'},
        401, 'AUTH_REQUIRED', 'a missing token is the first of several faults');

    my $plain = $server->connection->request('GET', "/api/users/me?token=$token");
    is $plain->{status}, 401, 'a token in the query opens nothing else';

    my $leaving = $server->signed_token('customer1');
    $server->client(undef, token => $leaving)->post('auth/logout');
    refused({Authorization => "Bearer $leaving"},
        401, 'INVALID_TOKEN', 'revoked');
};

subtest 'the ticket' => sub {
    my $ticket = ticket($token);
    is $ticket->{expiresIn}, 30, 'it says how long it is good';
    like $ticket->{ticket}, qr/^[\w-]{32,}$/, 'it fits into a URL';

    refused({%alone, 'Sec-WebSocket-Version' => 8}, 426, 'UPGRADE_REQUIRED',
        'a handshake that is refused otherwise',
        path => "/api/ws?ticket=$ticket->{ticket}");
    accepted({%alone}, 'does not use it up',
        path => "/api/ws?ticket=$ticket->{ticket}");
    refused({%alone}, 401, 'INVALID_TOKEN', 'it is good once',
        path => "/api/ws?ticket=$ticket->{ticket}");
    refused({%alone}, 401, 'INVALID_TOKEN', 'one that was never issued',
        path => '/api/ws?ticket=' . 'A' x 43);
    refused({%alone}, 401, 'AUTH_REQUIRED', 'an empty one',
        path => '/api/ws?ticket=');

    my $socket = CSChat::WebSocket->connect($server,
        query => 'ticket=' . ticket($token)->{ticket});
    is $socket->expect('connected')->{data}{userId},
        CSChat::JWT::claims($token)->{userID}, 'it stands for its user';
    is $socket->close, 1000, 'and its socket closes well';

    my %before = map { $_ => 1 } @{$server->redis('KEYS', 'cs_chat:ticket:*')};
    my $late = ticket($token)->{ticket};
    my ($key) = grep { !$before{$_} }
        @{$server->redis('KEYS', 'cs_chat:ticket:*')};
    my $left = $server->redis('PTTL', $key);
    ok $left > 25_000 && $left <= 30_000, 'it ends after 30 s';
    unlike $key, qr/\Q$late/, 'Redis does not know it';
    $server->redis('DEL', $key);
    refused({%alone}, 401, 'INVALID_TOKEN', 'then it is good no more',
        path => "/api/ws?ticket=$late");

    my $leaving = $server->signed_token('customer1');
    my $kept = ticket($leaving)->{ticket};
    $server->client(undef, token => $leaving)->post('auth/logout');
    refused({%alone}, 401, 'INVALID_TOKEN', 'nor is that of a revoked token',
        path => "/api/ws?ticket=$kept");
};

subtest 'the origin' => sub {
    my $host = $server->host;

    accepted({Origin => "http://$host"}, 'a page of this host');
    accepted({Origin => 'https://chat.example', Host => 'chat.example'},
        'by any name that it has');
    accepted({Origin => 'https://app.example'}, 'one that is listed');
    for my $origin (
        'https://evil.example', 'http://app.example',
        'https://app.example.evil.example', 'https://app.example:8443',
        "http://$host.evil.example", 'null'
    ) {
        refused({Origin => $origin}, 403, 'ACCESS_DENIED', $origin);
    }
};

subtest 'a handshake that is none' => sub {
    my %broken = (
        'no Upgrade' => {Upgrade => undef},
        'an upgrade to something else' => {Upgrade => 'h2c'},
        'no Connection' => {Connection => undef},
        'Connection: keep-alive' => {Connection => 'keep-alive'},
        'no key' => {'Sec-WebSocket-Key' => undef},
        'an empty key' => {'Sec-WebSocket-Key' => ''},
        'a short key' => {'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZQ=='},
        'a long key' => {'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZSEh'},
        'a key that is not base64' =>
            {'Sec-WebSocket-Key' => '!!!hIHNhbXBsZSBub25jZQ=='},
    );
    for my $name (sort keys %broken) {
        refused($broken{$name}, 400, 'INVALID_INPUT', $name);
    }

    refused({}, 400, 'INVALID_INPUT', 'HTTP/1.0', http => '1.0');
    for my $version (8, 12, 14, 113) {
        my $answer = refused({'Sec-WebSocket-Version' => $version},
            426, 'UPGRADE_REQUIRED', "version $version");
        is $answer->{headers}{'sec-websocket-version'}, 13,
            'the answer names 13';
    }

    for my $method (qw(POST PUT DELETE)) {
        my $answer = refused({}, 405, 'METHOD_NOT_ALLOWED', $method,
            method => $method);
        like $answer->{headers}{allow}, qr/\bGET\b/, 'the answer names GET';
        refused({}, 405, 'METHOD_NOT_ALLOWED', "$method, location of its own",
            method => $method, path => '/live');
    }
};

subtest 'HTTP/2' => sub {
    my $status = qx{curl -s -o /dev/null -w '%{http_version} %{http_code}' \\
        --http2-prior-knowledge -H 'Authorization: Bearer $token' \\
        http://$address:$h2_port/api/ws};
    is $status, '2 400', 'no WebSocket over it';
};

subtest 'frames right behind the handshake' => sub {
    my $large = 'x' x 60_000;
    my %bare = %usual;
    delete $bare{Authorization};

    for my $path ("/api/ws?token=$token",
        '/api/ws?ticket=' . ticket($token)->{ticket})
    {
        my $http = $server->connection;
        my $socket = bless {http => $http, pong => 1, events => []},
            'CSChat::WebSocket';
        my $frames = join '',
            map { $socket->frame(1, qq({"type":"ping","data":$_})) } 1, 2,
            qq("$large"), 3;
        my $text = $http->request_text('GET', $path, headers => [%bare]);
        $http->write($text . substr $frames, 0, 50);
        is $http->answer->{status}, 101, 'the handshake is answered';
        is $socket->next->{type}, 'connected', 'it comes first';
        $socket->send_raw(substr $frames, 50);
        is_deeply [map { length $socket->expect('pong')->{data} } 1 .. 4],
            [1, 1, length $large, 1], 'then the answers to all frames';

        $http = $socket->{http} = $server->connection;
        $path = '/api/ws?ticket=' . ticket($token)->{ticket}
            if $path =~ /ticket/;
        $text = $http->request_text('GET', $path, headers => [%bare]);
        $http->write($text . $frames);
        is $http->answer->{status}, 101, 'all in one write';
        is $socket->next->{type}, 'connected', 'connected';
        is_deeply [map { length $socket->expect('pong')->{data} } 1 .. 4],
            [1, 1, length $large, 1], 'and answered';
        is $socket->close, 1000, 'the socket lives on';
    }
};

# nginx keeps a request for a subrequest in the background.
subtest 'a request that is needed for longer' => sub {
    my $socket = CSChat::WebSocket->connect($server, path => '/mirrored',
        token => $token);

    is $socket->next->{type}, 'connected', 'its socket opens all the same';
    ok $socket->ask(ping => 1), 'and works';

    my $http = $server->connection;
    $http->write($http->request_text('GET', '/mirrored', headers => [%usual]));
    $http->close;
    is $socket->close, 1000, 'one that leaves meanwhile harms nobody';
};

subtest 'an expired token' => sub {
    my $left = 3 - (time - CSChat::JWT::claims($short)->{exp} + 2);
    select undef, undef, undef, $left if $left > 0;
    refused({Authorization => "Bearer $short"}, 401, 'INVALID_TOKEN',
        'opens nothing');
    refused({%alone}, 401, 'INVALID_TOKEN', 'nor does its ticket',
        path => "/api/ws?ticket=$short_ticket");
};

SKIP: {
    skip 'IO::Socket::SSL is not installed', 1
        unless $certificate && eval { require IO::Socket::SSL };

    subtest 'TLS' => sub {
        my $tls = IO::Socket::SSL->new(
            PeerAddr => $address,
            PeerPort => $tls_port,
            SSL_verify_mode => 0
        ) or die "TLS: ", IO::Socket::SSL::errstr(), "\n";
        my $http = bless {socket => $tls, host => 'chat.example', in => ''},
            'CSChat::HTTP';
        my $socket = CSChat::WebSocket->connect(
            $server,
            connection => $http,
            token => $token,
            headers => [Origin => 'https://chat.example']
        );
        is $socket->next->{type}, 'connected', 'a WebSocket over TLS';

        for my $length (1, 125, 126, 1000, 16_384, 65_536, 200_000) {
            my $text = chr(97 + $length % 26) x $length;
            my $pong = $socket->ask(ping => $text);
            ok $pong->{data} eq $text, "$length bytes there and back";
        }

        $socket->send(ping => $_) for 1 .. 100;
        is_deeply [map { $socket->expect('pong')->{data} } 1 .. 100],
            [1 .. 100], 'many small ones';
        is $socket->close, 1000, 'the end';
    };
}

$server->finish;
done_testing;

# A file with a key and a certificate made for it; undef where none can be made.
sub certificate {
    my $file = File::Temp->new(UNLINK => 0);

    system("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=chat"
            . " -keyout $file.key -out $file >/dev/null 2>&1"
            . " && cat $file.key >>$file && rm $file.key") == 0
        or return undef;
    return $file->filename;
}

END { unlink $certificate if defined $certificate }
