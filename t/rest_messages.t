# Protects sending: what is a message, that none is stored twice, whose chat it
# becomes, and what the state of a chat does to it.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new;
my %people = map {
    $_ => $server->client(undef, token => $server->signed_token($_))
} qw(agent1 agent2 customer1 customer2);
my ($agent, $super, $customer, $other)
    = @people{qw(agent1 agent2 customer1 customer2)};
my $rival = new_user($server, 'agent');
my $json = JSON::PP->new->utf8->canonical;

sub send_to {
    my ($client, $chat, $fields, @headers) = @_;

    $fields = {content => $fields} if !ref $fields;
    return $client->post("chats/$chat/messages", $fields,
        headers => \@headers);
}

sub contents {
    my ($chat) = @_;

    return [map { $_->{content} }
            @{$super->get("chats/$chat/messages?limit=200")->{data}}];
}

# Sends to both nginx processes, all before the worker sees any of it; the
# answers.
sub at_once {
    my ($chat, @posts) = @_;
    my @pids = $server->nginx_pids;
    my @connections
        = map { $server->connection(pid => $pids[$_ % @pids]) } 0 .. $#posts;
    my $bus = $server->redis_connection;

    $bus->command('PSUBSCRIBE', 'cs_chat:req:*');
    $server->freeze_part('worker-1');
    for my $i (0 .. $#posts) {
        my ($client, $fields) = @{$posts[$i]};
        $connections[$i]->write(
            $connections[$i]->request_text(
                'POST', "/api/chats/$chat/messages",
                headers => [Authorization => 'Bearer ' . $client->token],
                body => $json->encode($fields)
            )
        );
    }
    for (@posts) {
        1 until $bus->reply->[3] =~ / op=messages\.send /;
    }
    $server->thaw_part('worker-1');

    return map {
        my $answer = $_->answer;
        [$answer->{status}, $json->decode($answer->{body}), $answer]
    } @connections;
}

subtest 'a message' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);
    my $first = given([send_to($customer, $chat, 'Hello')], 201, 'is sent');
    is_message($first, 'whole');
    is_deeply [@$first{qw(chatId senderId content type seq)}],
        [$chat, $customer->id, 'Hello', 'text', 1], 'what was sent';
    ok !exists $first->{clientId}, 'no clientId where none was given';
    is_deeply $first->{sender},
        {
        id => $customer->id,
        name => 'Customer One',
        role => 'customer',
        avatar => undef
        },
        'the sender';

    my $second = given(
        [   send_to($agent, $chat,
                {content => 'http://x/y.png', type => 'image'})
        ],
        201, 'a picture');
    is_deeply [@$second{qw(type seq)}], ['image', 2], 'type and seq';
    is given([send_to($super, $chat, {content => 'f', type => 'file'})],
        201, 'a file')->{type}, 'file', 'its type';
    is given([send_to($agent, uc $chat, {content => 'u', type => undef})],
        201, 'an id in capitals, no type')->{chatId}, $chat, 'its chat';

    my $stored = $server->sql(
        "SELECT string_agg(seq || message_type, ' ' ORDER BY seq)
           FROM messages WHERE chat_id = '$chat'");
    is $stored, '1text 2image 3file 4text', 'the rows';
    my $chat_now = $agent->get("chats/$chat")->{data};
    is $chat_now->{lastSeq}, 4, 'lastSeq';
    cmp_ok $chat_now->{updatedAt}, 'gt', $chat_now->{createdAt}, 'updatedAt';
};

subtest 'texts that are kept as they are' => sub {
    my $chat = $customer->new_chat;
    my @texts = (
        "\x{1F600}\x{e9}\x{4e2d}", "a\tb\r\nc\\\"/", "\x{202e}\x{200b}",
        ' ', "\x01\x1f\x7f", "'; DROP TABLE users; --", '%s%n$1{}',
        "\x{fffd}\x{ffff}\x{10ffff}", '<script>alert(1)</script>', 'null',
        "e\x{301}"
    );

    for my $text (@texts) {
        is given([send_to($customer, $chat, $text)], 201, 'sent')->{content},
            $text, 'answered as sent';
    }
    is_deeply contents($chat), \@texts, 'and read as sent';
    is given([$customer->post("chats/$chat/messages",
                '{"content":"\ud83d\ude00\u0001\/"}')], 201, 'escapes')
        ->{content}, "\x{1F600}\x01/", 'escapes are taken for what they mean';
};

subtest 'the limits' => sub {
    my $chat = $customer->new_chat;
    my $longest = "\x{1F600}" x 10_000;

    is given([send_to($customer, $chat, 'x')], 201, 'one character')->{seq},
        1, 'seq 1';
    is given([send_to($customer, $chat, $longest)], 201,
        '10,000 code points')->{content}, $longest, 'all of them';
    refused([send_to($customer, $chat, $longest . 'x')], 400,
        'INVALID_INPUT', '10,001', field => 'content');

    my @bad = (
        map({ [$_->[0], {content => $_->[1]}, 'content'] } ['empty', ''],
            ['null', undef], ['a number', 5], ['a list', ['x']],
            ['an object', {}], ['true', \1]),
        ['no content', {type => 'text'}, 'content'],
        map({ ["type $_->[0]", {content => 'x', type => $_->[1]}, 'type'] }
            ['video', 'video'], ['Text', 'Text'], ['empty', ''],
            ['number', 1], ['list', []]),
        map({ ["clientId $_->[0]", {content => 'x', clientId => $_->[1]},
                    'clientId'] }
            ['empty', ''], ['of 65', 'x' x 65], ['number', 5], ['list', []],
            ['false', \0]),
    );
    for (@bad) {
        my ($name, $fields, $field) = @$_;
        refused([$customer->post("chats/$chat/messages", $fields)],
            400, 'INVALID_INPUT', $name, field => $field);
    }
    refused([$customer->post("chats/$chat/messages",
                '{"content":"x","clientId":"a\u0000"}')],
        400, 'INVALID_INPUT', 'clientId with \u0000');
    is @{contents($chat)}, 2, 'none of it was stored';
};

subtest 'the same clientId is the same message' => sub {
    my $chat = $customer->new_chat;
    my $id = "\x{1F600}" x 64;
    my $first = given(
        [send_to($customer, $chat, {content => 'one', clientId => $id})],
        201, 'the first');
    is $first->{clientId}, $id, 'clientId of 64 code points comes back';
    my $watch = $customer->websocket;

    my $again = given(
        [send_to($customer, $chat, {content => 'one', clientId => $id})],
        200, 'the second');
    is_deeply $again, $first, 'is the first';
    is_deeply given(
        [   send_to($customer, $chat,
                {content => 'two', type => 'file', clientId => $id})
        ],
        200, 'whatever else it says'), $first, 'is the first';
    ok $watch->none('new_message'), 'nothing is sent twice';
    is_deeply contents($chat), ['one'], 'nothing is stored twice';

    given([send_to($customer, $chat, {content => 'a', clientId => 'A'})],
        201, 'another clientId');
    given([send_to($customer, $chat, {content => 'b', clientId => 'a'})],
        201, 'in other letters');
    given([send_to($super, $chat, {content => 'c', clientId => 'A'})],
        201, 'from another sender');
    my $second = $customer->new_chat;
    given([send_to($customer, $second, {content => 'd', clientId => 'A'})],
        201, 'in another chat');
    given([send_to($customer, $chat, {content => $_, clientId => undef})],
        201, 'null is none')
        for qw(e f);
    is_deeply contents($chat), [qw(one a b c e f)], 'what is stored';
};

subtest 'Idempotency-Key' => sub {
    my $chat = $customer->new_chat;
    my @key = ('Idempotency-Key', 'k-1');
    my $first = given([send_to($customer, $chat, 'one', @key)], 201,
        'the first');
    is $first->{clientId}, 'k-1', 'is its clientId';
    is_deeply given([send_to($customer, $chat, 'two', @key)], 200, 'again'),
        $first, 'is the first';
    is_deeply given(
        [send_to($customer, $chat, {content => 'x', clientId => 'k-1'})],
        200, 'as clientId'), $first, 'is the first';
    given(
        [send_to($customer, $chat, {content => 'x', clientId => 'k-1'}, @key)],
        200, 'both and alike');
    given(
        [send_to($customer, $chat, {content => 'x', clientId => undef}, @key)],
        200, 'clientId null');
    refused(
        [send_to($customer, $chat, {content => 'x', clientId => 'k-2'}, @key)],
        400, 'INVALID_INPUT', 'both and different', field => 'clientId');

    my $utf8 = "\x{1F600}" x 64;
    utf8::encode(my $bytes = $utf8);
    is given([send_to($customer, $chat, 'u', 'Idempotency-Key', $bytes)],
        201, '64 code points')->{clientId}, $utf8, 'as it was sent';
    is given([send_to($customer, $chat, 'u', 'Idempotency-Key', 'a b%41 =')],
        201, 'spaces and signs')->{clientId}, 'a b%41 =', 'as it was sent';
    for my $key ('x' x 65, 'x' x 300, "\xff\xfe", '') {
        refused(
            [send_to($customer, $chat, 'x', 'Idempotency-Key', $key)],
            400, 'INVALID_INPUT',
            'a key of ' . length($key) . ' bytes');
    }
    is_deeply contents($chat), [qw(one u u)], 'what is stored';
};

subtest 'a repeat is answered whatever became of the chat' => sub {
    my $chat = $customer->new_chat;
    my %mine = (content => 'mine', clientId => 'c1');
    my $first
        = given([send_to($agent, $chat, \%mine)], 201, 'an agent takes it');

    $customer->put("chats/$chat/archive");
    is_deeply given([send_to($agent, $chat, \%mine)], 200, 'archived'),
        $first, 'is the first';
    refused([send_to($agent, $chat, {content => 'x', clientId => 'c2'})],
        409, 'CHAT_ARCHIVED', 'a new one is refused');
    $server->sql("UPDATE chats SET agent_id = '" . $rival->id
            . "' WHERE id = '$chat'");
    is_deeply given([send_to($agent, $chat, \%mine)], 200,
        'another agent\'s now'), $first, 'is the first';
    is $agent->get("chats/$chat")->{code}, 'CHAT_NOT_FOUND',
        'which it no longer sees';
};

subtest 'at once on two processes' => sub {
    my $chat = $customer->new_chat;
    my @answers = at_once($chat,
        map { [$customer, {content => "m$_", clientId => 'same'}] } 1 .. 6);

    is_deeply [sort map { $_->[0] } @answers], [200, 200, 200, 200, 200, 201],
        'the same clientId is stored once';
    my %answered = map { $json->encode($_->[1]{data}) => 1 } @answers;
    is keys %answered, 1, 'and answered alike';
    is @{contents($chat)}, 1, 'one row';

    @answers = at_once($chat,
        map { [$_ % 2 ? $customer : $super, {content => "n$_"}] } 1 .. 12);
    is_deeply [map { $_->[0] } @answers], [(201) x 12], 'twelve others';
    is_deeply [sort { $a <=> $b } map { $_->[1]{data}{seq} } @answers],
        [2 .. 13], 'are numbered without a gap';
    is_deeply [map { $_->{seq} }
            @{$super->get("chats/$chat/messages")->{data}}],
        [1 .. 13], 'and read in that order';
};

subtest 'the first message of an agent takes the chat' => sub {
    my $chat = $customer->new_chat;
    send_to($customer, $chat, 'anybody there?');
    is $customer->get("chats/$chat")->{data}{agentId}, undef,
        'a customer\'s does not';

    given([send_to($agent, $chat, 'I am')], 201, 'an agent writes');
    my $now = $customer->get("chats/$chat")->{data};
    is $now->{agentId}, $agent->id, 'agentId';
    is $now->{agent}{username}, 'agent1', 'agent';
    refused([send_to($rival, $chat, 'me too')], 404, 'CHAT_NOT_FOUND',
        'later another agent sees it no more');
    given([send_to($super, $chat, 'well done')], 201, 'a super-agent may');
    is $customer->get("chats/$chat")->{data}{agentId}, $agent->id,
        'and leaves it to the agent';

    $chat = $customer->new_chat;
    given([send_to($super, $chat, 'mine')], 201, 'a super-agent takes one');
    is $customer->get("chats/$chat")->{data}{agentId}, $super->id, 'agentId';
};

subtest 'of two agents at once one wins' => sub {
    for my $round (1 .. 5) {
        my $chat = $customer->new_chat;
        my @answers = at_once($chat, [$agent, {content => 'agent1'}],
            [$rival, {content => 'rival'}]);
        my ($won, $lost) = sort { $a->[0] <=> $b->[0] } @answers;

        given($won, 201, "round $round: one is stored");
        refused($lost, 409, 'CHAT_ASSIGNED', "round $round: one is told");
        my $now = $super->get("chats/$chat")->{data};
        is $now->{agentId}, $won->[1]{data}{senderId},
            "round $round: it is the winner's";
        is_deeply [map { $_->{senderId} } @{$now->{messages}}],
            [$now->{agentId}], "round $round: one message";
    }
};

subtest 'closed and archived' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);
    my $status = sub { $agent->get("chats/$chat")->{data}{status} };

    $agent->put("chats/$chat/status", {status => 'closed'});
    given([send_to($agent, $chat, 'bye')], 201, 'an agent to a closed one');
    is $status->(), 'closed', 'leaves it closed';
    given([send_to($super, $chat, 'bye')], 201, 'a super-agent as well');
    is $status->(), 'closed', 'leaves it closed';
    my $watch = $agent->websocket;
    given([send_to($customer, $chat, 'wait')], 201, 'the customer');
    is $status->(), 'active', 'opens it again';
    my $event = $watch->expect('chat_status_updated');
    is_deeply $event->{data}, {chatId => $chat, status => 'active'},
        'which others are told';

    $agent->put("chats/$chat/archive");
    for my $client ($customer, $agent, $super) {
        refused([send_to($client, $chat, 'x')], 409, 'CHAT_ARCHIVED',
            'nobody writes to an archived one');
    }
    is $status->(), 'archived', 'it stays so';
    is_deeply contents($chat), [qw(bye bye wait)], 'what is stored';
};

subtest 'who may not' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);

    refused([send_to($_, $chat, 'x')], 404, 'CHAT_NOT_FOUND',
        'a stranger') for $other, $rival;
    refused([send_to($_, unknown_id(), 'x')], 404, 'CHAT_NOT_FOUND',
        'no such chat') for $customer, $agent, $super;
    refused([send_to($other, $chat, '')], 400, 'INVALID_INPUT',
        '400 goes before 404');
    is_deeply contents($chat), [], 'nothing is stored';
};

$server->finish;
done_testing;
