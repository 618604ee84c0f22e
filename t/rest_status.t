# Protects the states of a chat, its end, and that strangers learn nothing of
# it, whatever they try.

use strict;
use warnings;

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
my %name = ($agent => 'its agent', $super => 'a super-agent',
    $customer => 'its customer');

subtest 'who sets which status' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);

    for my $client ($agent, $super) {
        for my $status (qw(closed archived active)) {
            my ($got, $json, $answer)
                = $client->put("chats/$chat/status", {status => $status});
            my $data = given([$got, $json, $answer], 200,
                "$name{$client}: $status");
            is_chat($data, "$name{$client}: the chat");
            is $data->{status}, $status, "$name{$client}: it is $status";
            like $json->{message}, qr/\w/, "$name{$client}: with a message";
        }
    }

    for my $status (qw(closed archived)) {
        my $data = given([$customer->put("chats/$chat/status",
                    {status => $status})], 200, "its customer: $status");
        is $data->{status}, $status, "its customer: it is $status";
        refused([$customer->put("chats/$chat/status", {status => 'active'})],
            403, 'ACCESS_DENIED', "a customer does not open a $status one");
        is $agent->get("chats/$chat")->{data}{status}, $status,
            'it stays as it is';
    }
};

subtest 'archive and unarchive' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);

    for my $client ($customer, $agent, $super) {
        my $data = given([$client->put("chats/$chat/archive")], 200,
            "$name{$client}: archive");
        is_chat($data, "$name{$client}: the chat");
        is $data->{status}, 'archived', "$name{$client}: archived";
        is_deeply ids($client->get('archived-chats?limit=1')->{data}),
            [$chat], "$name{$client}: in the archive";
        given([$client->put("chats/$chat/archive")], 200,
            "$name{$client}: once more");
        $data = given([$client->put("chats/$chat/unarchive")], 200,
            "$name{$client}: unarchive");
        is $data->{status}, 'active', 'makes it active';
        is_deeply ids($client->get('chats?limit=1')->{data}), [$chat],
            "$name{$client}: in the list again";
    }

    given([$agent->put("chats/$chat/unarchive", 'no JSON',
                headers => ['Content-Type', 'text/html'])],
        200, 'a body that nobody asked for is passed over');
};

subtest 'others are told of real changes only' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);
    my $watch = $customer->websocket;

    $agent->put("chats/$chat/status", {status => 'active'});
    ok $watch->none('chat_status_updated'), 'active to active';
    $agent->put("chats/$chat/status", {status => 'closed'});
    is_deeply $watch->expect('chat_status_updated')->{data},
        {chatId => $chat, status => 'closed'}, 'active to closed';
    $agent->put("chats/$chat/archive");
    is $watch->expect('chat_status_updated')->{data}{status}, 'archived',
        'closed to archived';
};

subtest 'what is no status' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);

    for my $body (
        '{}', '{"status":null}', '{"status":""}', '{"status":"open"}',
        '{"status":"Active"}', '{"status":1}', '{"status":["active"]}', '[]',
        '"active"', '{"status":"active "}', '{"status":"active\u0000"}',
        '{"status":"active"', '{"status":"\ud800"}'
        )
    {
        refused([$agent->put("chats/$chat/status", $body)],
            400, 'INVALID_INPUT', $body);
    }
    refused([$agent->put("chats/$chat/status", '{"status":"open"}')],
        400, 'INVALID_INPUT', 'the field is named', field => 'status');
};

subtest 'an unassigned chat' => sub {
    my $chat = $customer->new_chat;

    given([$rival->put("chats/$chat/status", {status => 'closed'})],
        200, 'any agent closes it');
    is $super->get("chats/$chat")->{data}{agentId}, undef,
        'which does not take it';
    refused([$agent->delete("chats/$chat")], 403, 'ACCESS_DENIED',
        'but none deletes it');
    refused([$customer->delete("chats/$chat")], 403, 'ACCESS_DENIED',
        'nor does its customer');
    given([$super->delete("chats/$chat")], 200, 'a super-agent does');
};

subtest 'delete' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);
    $customer->post("chats/$chat/messages",
        {content => 'secret', clientId => 'c1'});
    refused([$customer->delete("chats/$chat")], 403, 'ACCESS_DENIED',
        'not by its customer');

    my $watch = $customer->websocket;
    my ($status, $json) = $agent->delete("chats/$chat");
    is $status, 200, 'by its agent';
    like $json->{message}, qr/\w/, 'with a message';
    is_deeply $watch->expect('chat_deleted')->{data}, {chatId => $chat},
        'others are told';
    is $server->sql("SELECT count(*) FROM messages WHERE chat_id = '$chat'"),
        0, 'its messages went with it';
    for my $client ($customer, $agent, $super) {
        refused([$client->get("chats/$chat")], 404, 'CHAT_NOT_FOUND',
            "$name{$client} finds it no more");
    }
    refused([$agent->delete("chats/$chat")], 404, 'CHAT_NOT_FOUND',
        'nor twice');
    refused(
        [   $customer->post("chats/$chat/messages",
                {content => 'secret', clientId => 'c1'})
        ],
        404, 'CHAT_NOT_FOUND', 'nor does a repeat find its message');
};

subtest 'to strangers there is no chat' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);
    my @calls = (
        [GET => ''],
        [DELETE => ''],
        [GET => '/messages'],
        [POST => '/messages', {content => 'x'}],
        [PUT => '/status', {status => 'closed'}],
        [PUT => '/status', {status => 'active'}],
        [PUT => '/assign', {agentId => undef}],
        [PUT => '/archive'],
        [PUT => '/unarchive'],
    );

    for (@calls) {
        my ($method, $path, $body) = @$_;
        my @real = map { [$_->call($method, "chats/$chat$path", $body)] }
            $other, $rival;
        my @none = map {
            [$_->call($method, 'chats/' . unknown_id() . $path, $body)]
        } $other, $rival, $super;
        refused($_, 404, 'CHAT_NOT_FOUND', "$method $path") for @real, @none;
        is_deeply $real[0][1], $none[0][1],
            "$method $path: as if there were none";
        my ($status) = $other->call('HEAD', "chats/$chat$path");
        is $status, $method eq 'GET' || $path eq '' || $path eq '/messages'
            ? 404 : 405, "HEAD $path";
    }
    is $agent->get("chats/$chat")->{data}{status}, 'active',
        'and nothing happened to it';
};

$server->finish;
done_testing;
