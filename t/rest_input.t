# Protects the server from request bodies, and the bodies from the ways they
# come: in pieces, chunked, slowly, over a temporary file.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    directives => <<'END',
    client_body_buffer_size 8k;
    client_body_timeout 3s;
END
    locations => <<'END',
    location /file/ {
        client_body_in_file_only on;
        cs_chat_api;
    }
    location /small/ {
        cs_chat_max_body_size 1k;
        cs_chat_api;
    }
    location /wide/ {
        cs_chat_max_body_size 2m;
        client_body_buffer_size 1k;
        cs_chat_api;
    }
    location /nginx/ {
        client_max_body_size 100;
        cs_chat_api;
    }
END
);
my $customer
    = $server->client(undef, token => $server->signed_token('customer1'));
my $chat = $customer->new_chat;
my $token = $customer->token;
my $sent = 0;

sub path { return ($_[0] // '/api/') . "chats/$chat/messages" }

# The answer to bytes on a connection of their own.
sub raw {
    my (@pieces) = @_;
    my $connection = $server->connection;

    $connection->write($_) for @pieces;
    my $answer = $connection->answer;
    return [$answer->{status}, eval { JSON::PP::decode_json($answer->{body}) },
        $answer];
}

sub head {
    my ($path, @lines) = @_;

    return join("\r\n", "POST $path HTTP/1.1", 'Host: x',
        "Authorization: Bearer $token", @lines) . "\r\n\r\n";
}

sub chunks {
    my ($size, $body) = @_;

    return join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
            unpack "(a$size)*", $body) . "0\r\n\r\n";
}

# A message arrived with this content.
sub stored {
    my ($got, $content, $name) = @_;
    my $data = given($got, 201, $name);

    $sent++;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok $data && $data->{content} eq $content, "$name: unharmed";
    return;
}

my $text = join ' ', map {"\x{e9}\x{1F600}$_"} 1 .. 700;
my $body = JSON::PP->new->utf8->encode({content => $text});

subtest 'ways that a body comes' => sub {
    my $length = 'Content-Length: ' . length $body;
    my $chunked = 'Transfer-Encoding: chunked';

    for my $prefix ('/api/', '/file/', '/wide/') {
        stored(raw(head(path($prefix), $length) . $body), $text,
            "$prefix at once");
        stored(raw(head(path($prefix), $length), $body), $text,
            "$prefix behind the head");
        stored(
            raw(head(path($prefix), $chunked), chunks(1000, $body)),
            $text, "$prefix chunked");
        stored(raw(head(path($prefix), $chunked), chunks(1, $body)),
            $text, "$prefix in chunks of one byte");
    }

    my $small = '{"content":"slow"}';
    for my $prefix ('/api/', '/file/') {
        my $connection = $server->connection;
        $connection->write($_)
            for split //,
            head(path($prefix), 'Content-Length: ' . length $small) . $small;
        my $answer = $connection->answer;
        stored(
            [$answer->{status}, JSON::PP::decode_json($answer->{body}),
                $answer],
            'slow', "$prefix byte by byte"
        );
    }

    my $connection = $server->connection;
    $connection->write(
        head(path(), $length, 'Expect: 100-continue'));
    $connection->more(time + 5);
    like $connection->{in}, qr{^HTTP/1\.1 100 Continue\r\n\r\n$},
        'Expect: 100-continue is answered';
    $connection->{in} = '';
    $connection->write($body);
    is $connection->answer->{status}, 201, 'and the body taken';
    $sent++;
};

subtest 'content types' => sub {
    my @good = (
        'application/json', 'application/json; charset=utf-8',
        'APPLICATION/JSON', 'application/json;charset=UTF-8', 'text/plain',
        'text/plain;charset=UTF-8', 'application/vnd.x+json'
    );
    my @bad = (
        'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
        'text/html', 'application/jsonx', 'application/xml', 'json',
        'application/octet-stream', 'text/plainx', 'x/text/plain'
    );
    my $call = sub {
        return [$customer->post(path(), '{"content":"x"}',
                headers => ['Content-Type', $_[0]])];
    };

    stored($call->($_), 'x', $_) for @good;
    refused($call->($_), 415, 'UNSUPPORTED_MEDIA_TYPE', $_) for @bad;
    stored(
        raw(head(path(), 'Content-Length: 15') . '{"content":"x"}'),
        'x', 'none');
};

subtest 'bodies that are none' => sub {
    my $deep = '[' x 100_000;
    my %bad = (
        'empty' => '',
        'spaces' => " \n ",
        'a word' => 'content',
        'cut off' => '{"content":"x"',
        'cut off in a text' => '{"content":"x',
        'two of them' => '{"content":"x"}{"content":"x"}',
        'rest behind it' => '{"content":"x"} x',
        'a comma too many' => '{"content":"x",}',
        'a list' => '["content","x"]',
        'a text' => '"content"',
        'a number' => '1',
        'null' => 'null',
        'single quotes' => "{'content':'x'}",
        'a comment' => '{"content":"x"/**/}',
        'NaN' => '{"content":"x","n":NaN}',
        'a byte order mark' => "\xef\xbb\xbf{\"content\":\"x\"}",
        'UTF-16' => "{\0\"\0c\0\"\0:\0\"\0x\0\"\0}\0",
        'a line feed in a text' => "{\"content\":\"a\nb\"}",
        'a NUL in a text' => "{\"content\":\"a\0b\"}",
        'a NUL behind it' => "{\"content\":\"x\"}\0",
        'binary' => join('', map { chr } 0 .. 255),
        'a byte that is no UTF-8' => "{\"content\":\"\xff\"}",
        'Latin-1' => "{\"content\":\"caf\xe9\"}",
        'overlong' => "{\"content\":\"\xc0\xaf\"}",
        'a surrogate as UTF-8' => "{\"content\":\"\xed\xa0\x80\"}",
        'beyond Unicode' => "{\"content\":\"\xf4\x90\x80\x80\"}",
        'cut UTF-8' => "{\"content\":\"\xf0\x9f\x98\"}",
        'bad UTF-8 in an unknown field' => "{\"content\":\"x\",\"y\":\"\xff\"}",
        'bad UTF-8 in a name' => "{\"content\":\"x\",\"\xff\":1}",
        '\u0000' => '{"content":"a\u0000b"}',
        'a lone high surrogate' => '{"content":"\ud83d"}',
        'a lone low surrogate' => '{"content":"\ude00"}',
        'surrogates the wrong way' => '{"content":"\ude00\ud83d"}',
        'a bad escape' => '{"content":"\x41"}',
        'a cut escape' => '{"content":"\u12"}',
        'deep lists' => $deep,
        'deep lists that close' => '{"content":"x","y":' . '[' x 50_000
            . ']' x 50_000 . '}',
        'deep objects' => '{"a":' x 20_000,
    );

    for my $name (sort keys %bad) {
        refused([$customer->post(path(), $bad{$name})],
            400, 'INVALID_INPUT', $name);
        refused(
            [   $server->client->post('auth/login',
                    $bad{$name} =~ s/content/username/r)
            ],
            400, 'INVALID_INPUT', "$name: without a token");
    }
};

subtest 'bodies that are odd' => sub {
    my %good = (
        'spaces around' => "  {\t\"content\" :\r\n\"x\" } \n",
        'unknown fields' => '{"a":1,"content":"x","b":[{"content":"y"}]}',
        'huge numbers' => '{"content":"x","n":' . '9' x 5000 . '}',
        'huge exponents' => '{"content":"x","n":1e999999,"m":-1e-999999}',
        'an escaped name' => '{"\u0063ontent":"x"}',
        'an empty name' => '{"":"y","content":"x"}',
        'nested as deep as anyone needs' => '{"content":"x","y":' . '[' x 20
            . ']' x 20 . '}',
        'a long name' => '{"' . 'n' x 9000 . '":1,"content":"x"}',
        'many names' => '{' . join(',', map {"\"n$_\":$_"} 1 .. 5000)
            . ',"content":"x"}',
        'a seq of one\'s own' =>
            '{"content":"x","seq":99,"id":"z","senderId":"z"}',
    );
    for my $name (sort keys %good) {
        stored([$customer->post(path(), $good{$name})], 'x', $name);
    }

    my ($status, $json)
        = $customer->post(path(), '{"content":"first","content":"last"}');
    ok $status == 400 || $json->{data}{content} =~ /^(?:first|last)$/,
        'a name twice is one of them';
    $sent++ if $status == 201;
};

subtest 'bodies that are too large' => sub {
    my $fits = '{"content":"x","y":"' . 'y' x (262_144 - 22) . '"}';
    is length $fits, 262_144, '256 KiB';
    stored([$customer->post(path(), $fits)], 'x', 'are taken');
    stored(raw(head(path(), 'Transfer-Encoding: chunked'),
            chunks(8000, $fits)), 'x', 'are taken chunked');
    refused([$customer->post(path(), "$fits ")],
        413, 'PAYLOAD_TOO_LARGE', 'one byte more is not');
    refused(
        raw(head(path(), 'Transfer-Encoding: chunked'),
            chunks(8000, "$fits ")),
        413, 'PAYLOAD_TOO_LARGE', 'nor chunked');
    refused(
        raw(head(path(), 'Content-Length: 99999999999')),
        413, 'PAYLOAD_TOO_LARGE', 'the announcement is enough');

    my $wide = '{"content":"x","y":"' . 'y' x 1_500_000 . '"}';
    stored([$customer->post(path('/wide/'), $wide)], 'x', 'a wider limit');
    my $over = '{"content":"' . 'x' x 2000 . '"}';
    refused([$customer->post(path('/small/'), $over)],
        413, 'PAYLOAD_TOO_LARGE', 'a narrower limit');
    refused(
        raw(head(path('/small/'), 'Transfer-Encoding: chunked'),
            chunks(500, $over)),
        413, 'PAYLOAD_TOO_LARGE', 'a narrower limit, chunked');
    refused(
        raw(head(path('/small/'), 'Transfer-Encoding: chunked')
                . chunks(500, $over)),
        413, 'PAYLOAD_TOO_LARGE', 'a narrower limit, all in one packet');
    stored([$customer->post(path('/small/'), '{"content":"x"}')], 'x',
        'what fits');
};

subtest 'heads that are wrong' => sub {
    my %bad = (
        'two lengths' => "Content-Length: 2\r\nContent-Length: 3",
        'a length that is none' => 'Content-Length: x',
        'a negative length' => 'Content-Length: -1',
        'length and chunks' =>
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
        'an unknown coding' => 'Transfer-Encoding: gzip',
    );
    for my $name (sort keys %bad) {
        my ($status) = @{raw(head(path(), $bad{$name}) . '{}')};
        ok $status == 400 || $status == 501, $name or diag $status;
    }
    my ($status) = @{raw(head(path(), 'Transfer-Encoding: chunked')
            . "zz\r\n{}\r\n0\r\n\r\n")};
    is $status, 400, 'a chunk that is none';
};

subtest 'bodies that do not come' => sub {
    my $connection = $server->connection;
    $connection->write(head(path(), 'Content-Length: 100') . '{"con');
    $connection->close;

    $connection = $server->connection;
    $connection->write(head(path(), 'Content-Length: 100') . '{"con');
    ok $connection->closed(10), 'the connection ends';
};

is $server->sql("SELECT count(*) FROM messages WHERE chat_id = '$chat'"),
    $sent, 'as many messages are stored as were answered with 201';
given([$customer->get('users/me')], 200, 'and the server is well');

$server->finish;
done_testing;
