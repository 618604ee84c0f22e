# Protects what a client may say over its WebSocket, how it is told what was
# wrong, and how long it may go on: errors, pings, tokens, limits.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $small_port = 8445;  # its sockets have small buffers in the kernel
my $server = CSChat::Server->new(
    machines => 2,
    directives => 'cs_chat_jwt_leeway 0s; cs_chat_refused_limit 100000;',
    server => sub {
        return $_[0] ? '' : 'listen ' . CSChat::Server::address(0)
            . ":$small_port sndbuf=8k;";
    },
    locations => 'location = /strict {
            cs_chat_websocket;
            cs_chat_refused_limit 20;
        }
        location = /few {
            cs_chat_websocket;
            cs_chat_sockets_per_user 3;
        }
        location = /narrow {
            cs_chat_websocket;
            cs_chat_output_limit 64k;
        }',
);
my $customer = $server->client('customer1');
my $agent = $server->client('agent1');
my $chat = $customer->new_chat(agentId => $agent->id);

# A socket with a token of its own; claims as those of the token.
sub own {
    my ($username, $claims, %o) = @_;
    my $token = $server->signed_token($username, %{$claims // {}});
    my $socket = $server->websocket($username, token => $token, %o);

    $socket->{token} = $token;
    return $socket;
}

# Tests that an event is refused: what names the event, or is the text.
sub refused_event {
    my ($socket, $what, $data, $expected, $name) = @_;

    ref $data ? $socket->send($what => $data) : $socket->send_text($what);
    my $event = $socket->expect('error');
    my %whole = %$event;
    delete @whole{qw(type data raw)};
    my $error = $event->{data};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    like delete $error->{message}, qr/^[A-Z].*\w/, "$name: a sentence";
    is_deeply [\%whole, $error], [{}, $expected], "$name: the error"
        or diag explain $event;
    return;
}

subtest 'what is no event' => sub {
    my $socket = $server->websocket('customer1');
    my %wrong = (code => 'INVALID_INPUT', replyTo => undef);

    refused_event($socket, $_, undef, {%wrong}, $_)
        for 'Hello', '', '{', '{"type":"ping"', '{"type":"ping"} {}',
        "{'type':'ping'}", '[]', '"ping"', '42', 'null', 'true',
        '[' x 100_000, '{"a":' x 5000 . '1' . '}' x 5000;
    refused_event($socket, $_, undef, {%wrong, field => 'type'}, $_)
        for '{}', '{"data":{}}', '{"type":null}', '{"type":1}',
        '{"type":["ping"]}', '{"Type":"ping"}';
    for my $type ('Ping', 'ping ', 'new_message', 'x' x 1000, "\x{20ac}") {
        my $text = JSON::PP->new->utf8->encode({type => $type});
        refused_event($socket, $text, undef,
            {%wrong, replyTo => $type, field => 'type'},
            'type ' . substr $text, 0, 40);
    }
    ok $socket->ask(ping => 1), 'the socket stays open';
};

subtest 'what can not be done' => sub {
    my $socket = $server->websocket('customer1');
    my $theirs = $server->client('customer2')->new_chat;
    my $archived = $customer->new_chat;
    $customer->put("chats/$archived/archive");
    my %good = (chatId => $chat, content => 'Hello', clientId => 'c-1');
    my %seen = (replyTo => 'send_message', clientId => 'c-1');
    my $not_found = 'CHAT_NOT_FOUND';

    my @cases = (
        ['no chat', {chatId => undef}, 'INVALID_INPUT', 'chatId'],
        ['no id', {chatId => 'x'}, 'INVALID_INPUT', 'chatId'],
        ['a number', {chatId => 1}, 'INVALID_INPUT', 'chatId'],
        ['half an id', {chatId => substr $chat, 1}, 'INVALID_INPUT', 'chatId'],
        ['SQL', {chatId => "$chat'--"}, 'INVALID_INPUT', 'chatId'],
        ['an unknown chat', {chatId => unknown_id()}, $not_found],
        ['another\'s chat', {chatId => $theirs}, $not_found],
        ['an archived chat', {chatId => $archived}, 'CHAT_ARCHIVED'],
        ['no content', {content => undef}, 'INVALID_INPUT', 'content'],
        ['empty content', {content => ''}, 'INVALID_INPUT', 'content'],
        ['no text', {content => {}}, 'INVALID_INPUT', 'content'],
        ['10,001 characters', {content => "\x{1f600}" x 10_001},
            'INVALID_INPUT', 'content'],
        ['an unknown type', {messageType => 'video'}, 'INVALID_INPUT',
            'messageType'],
        ['a type that is none', {messageType => 1}, 'INVALID_INPUT',
            'messageType'],
    );
    for (@cases) {
        my ($name, $fields, $code, $field) = @$_;
        my %data = (%good, %$fields);
        delete @data{grep { !defined $data{$_} } keys %data};
        refused_event($socket, send_message => \%data,
            {%seen, code => $code, $field ? (field => $field) : ()}, $name);
    }

    for my $client (1, 'x' x 65, {}, JSON::PP::true) {
        my %text = ref $client || $client eq '1' ? () : (clientId => $client);
        refused_event(
            $socket,
            send_message => {%good, clientId => $client},
            {   code => 'INVALID_INPUT',
                replyTo => 'send_message',
                field => 'clientId',
                %text
            },
            'clientId ' . JSON::PP->new->allow_nonref->encode($client)
        );
    }

    for my $text ('\u0000', '\ud800', '\udc00\ud800', 'x\ud83dx') {
        $socket->send_text(
            qq({"type":"send_message","data":{"chatId":"$chat",)
                . qq("clientId":"c-2","content":"$text"}}));
        my $error = $socket->expect('error')->{data};
        is "$error->{code} $error->{replyTo} $error->{clientId}",
            'INVALID_INPUT send_message c-2', "$text in a text";
    }

    for my $type (qw(join_chat leave_chat)) {
        my %seen = (replyTo => $type);
        refused_event($socket, $type => {chatId => 'x'},
            {%seen, code => 'INVALID_INPUT', field => 'chatId'}, $type);
        refused_event($socket, $type => {chatId => $_},
            {%seen, code => $not_found}, "$type elsewhere")
            for $theirs, unknown_id();
    }
    for my $data ('null', '[]', '"x"', '1') {
        $socket->send_text(qq({"type":"send_message","data":$data}));
        my $error = $socket->expect('error')->{data};
        is "$error->{code} $error->{replyTo}", 'INVALID_INPUT send_message',
            "data is $data";
    }

    my $ack = $socket->ask(send_message =>
            {%good, content => "\x{1f600}" x 10_000, clientId => 'x' x 64});
    is $ack->{type}, 'message_ack', '10,000 characters are not too many';
    $ack = $socket->ask(send_message => {%good, chatId => uc $chat,
            messageType => 'file', clientId => undef, more => {}});
    is $ack->{data}{chatId}, $chat,
        'an id in capitals, unknown fields, no clientId';
    ok !$socket->expect('error', 0.1), 'no further error';
};

subtest 'too much nonsense' => sub {
    my $socket = $server->websocket('customer1', path => '/strict');

    for my $n (1 .. 20) {
        $socket->send($n % 2 ? 'nonsense' : 'send_message');
        is $socket->expect('error')->{data}{code}, 'INVALID_INPUT', "error $n"
            or last;
    }
    ok $socket->ask(ping => 1), 'twenty in a minute are borne';
    $socket->send('nonsense');
    is $socket->close_code, 1008, 'no more';
};

subtest 'ping and pong' => sub {
    my $socket = $server->websocket('customer1');

    for my $data (
        '{"a":1,"b":[true,null],"a":2}', '[]', '[1,[2]]', '"text"', '""',
        '0', '-1.50e+3', '12345678901234567890', 'true', 'null',
        '"\u20ac \" \\\\ \/"', '{ "as" : "sent" }'
    ) {
        $socket->send_text(qq({"type":"ping","data":$data}));
        is $socket->expect('pong')->{raw}, qq({"type":"pong","data":$data}),
            "as it was sent: $data";
    }
    $socket->send_text('{"type":"ping"}');
    is $socket->expect('pong')->{raw}, '{"type":"pong"}', 'or without data';
    my $large = 'x' x 200_000;
    is $socket->ask(ping => $large)->{data}, $large, 'or with much of it';
};

subtest 'a fresh token' => sub {
    my $socket = own('customer1', {exp => int time + 3});
    my $exp = int time + 1000;
    my $fresh = $server->signed_token('customer1', exp => $exp);

    my %wrong = (
        'of somebody else' => $server->token('customer2'),
        'an expired one' =>
            $server->signed_token('customer1', exp => time - 1),
        'of another key' => CSChat::JWT::sign(
            'another key that is long enough', CSChat::JWT::claims($fresh)),
        'nonsense' => 'nonsense',
        'nothing' => '',
    );
    refused_event($socket, auth => {token => $wrong{$_}},
        {code => 'INVALID_TOKEN', replyTo => 'auth', field => 'token'}, $_)
        for sort keys %wrong;
    refused_event($socket, auth => $_,
        {code => 'INVALID_INPUT', replyTo => 'auth', field => 'token'},
        'none')
        for {}, {token => undef}, {token => 1};

    my $revoked = $server->signed_token('customer1');
    $server->client(undef, token => $revoked)->post('auth/logout');
    refused_event($socket, auth => {token => $revoked},
        {code => 'INVALID_TOKEN', replyTo => 'auth', field => 'token'},
        'a revoked one');

    my $event = $socket->ask(auth => {token => $fresh});
    my ($seconds) = $event->{data}{expiresAt} =~ /:(\d\d)(?:\.0+)?Z$/;
    is $event->{type}, 'authenticated', 'a good one';
    is $seconds, sprintf('%02d', $exp % 60), 'expiresAt is that of the new one';

    my $other = own('customer1', {exp => int time + 2});
    is $other->close_code, 4001, 'a socket ends with its token';
    ok time >= CSChat::JWT::claims($other->{token})->{exp}, 'not before';

    select undef, undef, undef,
        CSChat::JWT::claims($socket->{token})->{exp} + 1.2 - time;
    ok $socket->ask(ping => 1), 'but not with the one before the fresh one';
    $server->client(undef, token => $fresh)->post('auth/logout');
    is $socket->close_code, 4002, 'the fresh one counts';
};

subtest 'logout' => sub {
    my $token = $server->signed_token('customer1');
    my ($p0, $p1) = $server->nginx_pids(0);
    my @here = map { $server->websocket('customer1', token => $token, %$_) }
        {pid => $p0}, {pid => $p1}, {machine => 1};
    my $other = $server->websocket('customer1', pid => $p0);
    my $refreshed = own('customer1', {}, pid => $p1);
    $refreshed->ask(auth => {token => $token});

    $server->client(undef, token => $token, pid => $p0)->post('auth/logout');
    is $_->close_code, 4002, 'every socket of the token is closed'
        for @here, $refreshed;
    ok $other->ask(ping => 1), 'that of another token is not';
};

subtest 'sockets of one user' => sub {
    my ($pid) = $server->nginx_pids(0);
    my %where = (pid => $pid, path => '/few');
    my @sockets = map { own('customer1', {}, %where) } 1 .. 3;
    my $other = own('customer2', {}, %where);

    push @sockets, own('customer1', {}, %where);
    is $sockets[0]->close_code, 4003, 'the oldest makes room for a fourth';
    ok $_->ask(ping => 1), 'the others stay' for @sockets[1 .. 3], $other;
    push @sockets, own('customer1', {}, %where);
    is $sockets[1]->close_code, 4003, 'the next for a fifth';
    ok $_->ask(ping => 1), 'the others stay' for @sockets[2 .. 4], $other;
};

subtest 'a slow reader' => sub {
    my $http = CSChat::HTTP->new($server->{address}, $small_port);
    setsockopt $http->{socket}, Socket::SOL_SOCKET, Socket::SO_RCVBUF,
        pack 'i', 4096;
    my $slow = $server->websocket('customer1', connection => $http,
        path => '/narrow');
    my $quick = $server->websocket('customer1', path => '/narrow');
    my $writer = $server->websocket('agent1');
    my $last;

    for my $n (1 .. 40) {
        my $ack = $writer->ask(send_message =>
                {chatId => $chat, content => 'x' x 9000});
        $last = $ack->{data}{seq};
        my $event = $quick->expect('new_message');
        $last = "missed $last" if $event->{data}{seq} != $last;
        last if $last !~ /^\d/
            || $server->log_text('nginx-0') =~ /reads too slowly/;
    }
    like $last, qr/^\d+$/, 'one who reads hears everything';

    my $seen = 0;
    while (my $event = $slow->event_in(5)) {
        $seen++ if $event->{type} eq 'new_message';
    }
    is $slow->close_code, 1013, 'one who does not is closed';
    ok $seen < 20, 'when 64k wait for it';
    ok $quick->ask(ping => 1), 'the others go on';

    my $long = 'x' x 200_000;
    is $quick->ask(ping => $long)->{data}, $long,
        'one who reads may be told more than that at once';
};

$server->finish;
done_testing;
