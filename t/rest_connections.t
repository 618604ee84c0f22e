# Protects connections: kept alive whatever was answered, pipelined requests,
# clients that leave, and HTTP/2 in front.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::File qw(write_file);
use CSChat::HTTP2;
use CSChat::Server;

my $http2 = CSChat::Server::address(0) . ':9443';
my $server = CSChat::Server->new(
    server => "listen $http2 http2;",
    directives => 'keepalive_requests 100000;',
);
my $client
    = $server->client(undef, token => $server->signed_token('customer1'));
my $chat = $client->new_chat;
my @auth = (Authorization => 'Bearer ' . $client->token);

sub messages {
    return [map { $_->{content} }
            @{$client->get("chats/$chat/messages?limit=200")->{data}}];
}

subtest 'one connection for all of it' => sub {
    my $http = $server->connection;
    my $large = '{"content":"' . 'x' x 50_000 . '"}';
    my @calls = (
        [200, 'GET', 'users/me', [@auth]],
        [401, 'GET', 'users/me', []],
        [401, 'POST', 'chats', [], $large],
        [404, 'POST', 'nothing', [], $large],
        [405, 'POST', 'users/me', [], $large],
        [415, 'POST', 'chats', [@auth, 'Content-Type', 'text/html'], $large],
        [400, 'POST', "chats/$chat/messages", [@auth], $large],
        [400, 'POST', "chats/$chat/messages", [@auth], '{'],
        [200, 'GET', 'users/me', [@auth], $large],
        [200, 'HEAD', 'users/me', [@auth]],
        [204, 'OPTIONS', 'users/me', []],
        [200, 'POST', 'auth/refresh', [@auth], $large],
        [404, 'DELETE', 'chats/' . unknown_id(), [@auth], 'body'],
        [201, 'POST', "chats/$chat/messages", [@auth], '{"content":"a"}'],
        [200, 'PUT', "chats/$chat/archive", [@auth], 'x'],
    );
    my $pid;
    for (@calls) {
        my ($status, $method, $path, $headers, $body) = @$_;
        my $answer = $http->request($method, "/api/$path",
            headers => $headers, body => $body);
        is $answer->{status}, $status, "$method $path";
        isnt $answer->{headers}{connection}, 'close', '  stays open';
    }

    my $answer = $http->request('GET', '/api/users/me',
        headers => [@auth, Connection => 'close']);
    is $answer->{status}, 200, 'Connection: close';
    ok $http->closed, 'is obeyed';

    $http = $server->connection;
    $http->write("GET /api/users/me HTTP/1.0\r\nAuthorization: $auth[1]\r\n"
            . "\r\n");
    is $http->answer->{status}, 200, 'HTTP/1.0';
    ok $http->closed, 'ends the connection';
    $server->sql("UPDATE chats SET status = 'active'");
};

subtest 'pipelined' => sub {
    my $http = $server->connection;
    my @requests = map {
        (   ['GET', 'users/me'],
            ['POST', "chats/$chat/messages", qq({"content":"p$_"})],
            ['GET', 'nothing'],
            ['POST', "chats/$chat/messages", '{"content":'],
            ['PUT', "chats/$chat/status", '{"status":"closed"}'],
            ['GET', "chats/$chat"],
            ['HEAD', 'users/me']
        )
    } 1 .. 20;
    my $bytes = join '', map {
        my ($method, $path, $body) = @$_;
        $http->request_text($method, "/api/$path",
            headers => [@auth], body => $body)
    } @requests;

    $http->write($bytes);
    my @statuses = map {
        $http->answer(head => $_->[0] eq 'HEAD')->{status}
    } @requests;
    is_deeply \@statuses, [(200, 201, 404, 400, 200, 200, 200) x 20],
        'answered in order';
    is_deeply [grep {/^p/} @{messages()}], [map {"p$_"} 1 .. 20],
        'and carried out in order';

    # the same in pieces that end anywhere
    my $at = 0;
    $http->write($_) for unpack '(a777)*', $bytes;
    @statuses = map {
        $http->answer(head => $_->[0] eq 'HEAD')->{status}
    } @requests;
    is_deeply \@statuses, [(200, 201, 404, 400, 200, 200, 200) x 20],
        'in pieces too';

    my $chunked = join '', map {
        "POST /api/chats/$chat/messages HTTP/1.1\r\nHost: x\r\n"
            . "Authorization: $auth[1]\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "2\r\n{\"\r\n10\r\ncontent\":\"chunk\"\r\n1\r\n}\r\n0\r\n\r\n"
    } 1 .. 10;
    $http->write($chunked);
    is_deeply [map { $http->answer->{status} } 1 .. 10], [(201) x 10],
        'with chunked bodies';
};

# Files that the processes of nginx have open.
sub open_files {
    return scalar map { glob "/proc/$_/fd/*" } $server->nginx_pids;
}

subtest 'clients that leave' => sub {
    my $before = @{messages()};
    my $files = open_files();
    my @connections = map { $server->connection } 1 .. 20;
    my $bus = frozen_worker();

    for my $http (@connections) {
        $http->write(
            $http->request_text(
                'POST', "/api/chats/$chat/messages",
                headers => [@auth],
                body => '{"content":"gone"}'
                )
                . $http->request_text('GET', '/api/users/me',
                headers => [@auth])
        );
    }
    await($bus, 20, 'messages.send');
    $_->close for @connections;
    ok CSChat::Process::wait_until(10, sub { given_up() == 20 }),
        'nginx lets go of them';
    $server->thaw_part('worker-1');

    given([$client->get('users/me')], 200, 'and goes on');
    ok CSChat::Process::wait_until(5, sub { @{messages()} == $before + 20 }),
        'what they sent is stored';
    ok CSChat::Process::wait_until(5, sub { open_files() <= $files }),
        'no file stays open';
};

# A worker that says nothing, and what goes to it.
sub frozen_worker {
    my $bus = $server->redis_connection;

    $bus->command('PSUBSCRIBE', 'cs_chat:req:*');
    $server->freeze_part('worker-1');
    return $bus;
}

# Waits until so many requests of a kind went to the worker.
sub await {
    my ($bus, $count, $op) = @_;

    for (1 .. $count) {
        1 until $bus->reply->[3] =~ / op=\Q$op\E /;
    }
    return;
}

# How many requests nginx has given up as their clients left.
sub given_up {
    my $log = $server->log_text('access-0');

    return scalar(() = $log =~ m{^\S+ - - \[.*?\] "[^"]*" 499 }mg);
}

subtest 'HTTP/2 as curl speaks it' => sub {
    plan skip_all => 'curl speaks no HTTP/2'
        if `curl --version 2>/dev/null` !~ /HTTP2/;

    my $base = "http://$http2/api";
    my @got = curl("$base/users/me");
    is_deeply [@got[0, 1]], [2, 200], 'GET';
    is $got[2]{data}{username}, 'customer1', 'its answer';

    my $text = 'x' x 9_999;
    @got = curl('--data', qq({"content":"$text"}),
        '-H', 'Content-Type: application/json',
        "$base/chats/$chat/messages");
    is_deeply [@got[0, 1]], [2, 201], 'POST';
    is $got[2]{data}{content}, $text, 'its body';

    my $file = write_file("$server->{dir}/body",
        '{"y":"', 'y' x 250_000, '","content":"large"}');
    @got = curl('--data-binary', "\@$file",
        '-H', 'Content-Type: application/json',
        "$base/chats/$chat/messages");
    is $got[1], 201, 'a large body, in many frames';
    @got = curl_pipe($file, '-X', 'POST', '-T', '-',
        "$base/chats/$chat/messages");
    is $got[1], 201, 'a body of unknown length';
    is $got[2]{data}{content}, 'large', 'its content';

    write_file($file, '{"y":"', 'y' x 262_144, '","content":"too large"}');

    # it may find that nobody takes the rest before it has read the answer
    for (1 .. 5) {
        @got = curl_pipe($file, '-X', 'POST', '-T', '-',
            "$base/chats/$chat/messages");
        last if $got[1] != 0;
    }
    is $got[1], 413, 'a body that is too large';
    @got = curl('-X', 'PATCH', "$base/users/me");
    is $got[1], 405, 'an error';
    is $got[2]{code}, 'METHOD_NOT_ALLOWED', 'in its envelope';
};

sub curl { return curl_pipe('/dev/null', @_) }

# (HTTP version, status, decoded body)
sub curl_pipe {
    my ($input, @arguments) = @_;

    open my $curl, '-|', 'sh', '-c', 'exec curl "$@" <"$0"', $input, '-s',
        '--http2-prior-knowledge', '-m', 20, '-H', "Authorization: $auth[1]",
        '-w', "\n%{http_version} %{http_code}", @arguments
        or die "curl: $!";
    local $/;
    my ($body, $version, $status) = <$curl> =~ /^(.*)\n(\S+) (\d+)$/s;
    return ($version, $status, eval { JSON::PP::decode_json($body) });
}

subtest 'HTTP/2, many streams at once' => sub {
    my @headers = (authorization => $auth[1]);
    my $before = @{messages()};
    my $http = CSChat::HTTP2->new(split /:/, $http2);
    my @calls = map {
        (   [200, 'GET', '/api/users/me', headers => \@headers],
            [201, 'POST', "/api/chats/$chat/messages", headers => \@headers,
                body => qq({"content":"h$_"}), pieces => 3],
            [404, 'GET', '/api/nothing', headers => \@headers],
            [401, 'POST', '/api/chats', body => '{}'],
            [400, 'POST', '/api/chats', headers => \@headers, body => '{'])
    } 1 .. 20;

    my @streams = map { $http->send(@$_[1 .. $#$_]) } @calls;
    is_deeply [map { $http->answer($_)->{status} } reverse @streams],
        [map { $_->[0] } reverse @calls], 'each gets its own answer';
    is @{messages()}, $before + 20, 'and what was sent is stored once';

    # streams that are given up while the worker says nothing
    my $bus = frozen_worker();
    @streams = map {
        $http->send('GET', '/api/users/me', headers => \@headers)
    } 1 .. 20;
    my $gone = CSChat::HTTP2->new(split /:/, $http2);
    $gone->send('GET', '/api/users/me', headers => \@headers) for 1 .. 10;
    my $before_gone = given_up();
    await($bus, 30, 'users.me');
    $http->cancel($_) for @streams[0 .. 9];
    $gone->close;
    ok CSChat::Process::wait_until(10,
        sub { given_up() == $before_gone + 20 }), 'nginx lets go of them';
    $server->thaw_part('worker-1');
    is_deeply [map { $http->answer($_)->{status} } @streams[10 .. 19]],
        [(200) x 10], 'the others are answered';
};

$server->finish;
done_testing;
