# Protects the transfer of chats: who may assign one to whom, and what comes
# of it on open sockets, over two machines with two NGINX processes each: who
# loses sight of a chat hears that and nothing after it, who gains it gets it.

use strict;
use warnings;

use IO::Handle;
use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Audience;
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(machines => 2, workers => 2);
$server->wait_log("worker-$_", qr/"held":32/) or die "no even shares\n"
    for 1, 2;
my @p = map { [$server->nginx_pids($_)] } 0, 1;
my %client = map { $_ => $server->client($_) }
    qw(customer1 customer2 agent1 agent2);
$client{"agent$_"} = new_user($server, 'agent') for 3, 4;
$client{super2} = new_user($server, 'super-agent');
my %id = map { $_ => $client{$_}->id } keys %client;

# agent2 is a super-agent
my @customer1 = qw(customer1 customer1-phone);
my @agent1 = qw(agent1 agent1-phone);
my @agent3 = qw(agent3 agent3-phone);
my @agent4 = qw(agent4);
my @super = qw(super super-phone super2);
my $audience = CSChat::Audience->new($server);
$audience->gather(
    \%client,
    ['customer1', 'customer1', pid => $p[0][0]],
    ['customer1-phone', 'customer1', machine => 1, pid => $p[1][0]],
    ['customer2', 'customer2', machine => 1, pid => $p[1][1]],
    ['agent1', 'agent1', pid => $p[0][1]],
    ['agent1-phone', 'agent1', machine => 1, pid => $p[1][1]],
    ['agent3', 'agent3', pid => $p[0][0]],
    ['agent3-phone', 'agent3', machine => 1, pid => $p[1][0]],
    ['agent4', 'agent4', pid => $p[0][1]],
    ['super', 'agent2', pid => $p[0][1]],
    ['super-phone', 'agent2', machine => 1, pid => $p[1][0]],
    ['super2', 'super2', machine => 1, pid => $p[1][1]],
);

sub socket_of { return $audience->socket($_[0]) }

sub assign {
    my ($user, $chat, $agent) = @_;
    return [$client{$user}->put("chats/$chat/assign",
            {agentId => defined $agent ? $id{$agent} // $agent : undef})];
}

# Everything that a chat can tell, heard by these sockets and no others: by
# those who see it, and what is for those in it.
sub is_seen_by {
    my ($chat, $names, $in, $name) = @_;

    $client{customer1}->post("chats/$chat/messages", {content => 'Hello'});
    $audience->heard('new_message', $names, "$name: messages");
    $client{agent2}->put("chats/$chat/status", {status => 'closed'});
    $audience->heard('chat_status_updated', $names, "$name: its status");
    $client{customer1}->post("chats/$chat/messages", {content => 'Again'});
    $audience->heard('chat_status_updated', $names, "$name: opened again");
    $audience->heard('new_message', $names, "$name: by a message");

    socket_of('super-phone')->send(mark_read => {chatId => $chat, seq => 1e9});
    my %readers = map { $_ => 1 } @$in, @customer1, 'super';
    $audience->heard('messages_read', [sort keys %readers],
        "$name: who has read");
    for my $way (qw(start stop)) {
        socket_of('customer1')->send("typing_$way" => {chatId => $chat});
        $audience->heard('user_typing', $in, "$name: typing, $way");
    }
    return;
}

subtest 'taken from the queue' => sub {
    my $chat = $client{customer1}->new_chat;
    $audience->forget;
    socket_of($_)->ask(join_chat => {chatId => $chat}) for qw(agent4 super2);

    my $data = given(assign('agent1', $chat, 'agent1'), 200, 'by an agent');
    is_chat($data, 'the chat');
    is $data->{agentId}, $id{agent1}, 'is theirs';
    my $got = $audience->heard('chat_assigned',
        [@customer1, @agent1, @agent3, @agent4, @super],
        'every agent hears that it is gone');
    is_deeply [@{$got->{customer1}{data}}{qw(chatId agentId)}],
        [$chat, $id{agent1}], 'whose it is';
    is $got->{customer1}{data}{agent}{name}, 'Agent One', 'with the agent';
    is $got->{customer1}{chatId}, $chat, 'chatId beside the data';
    $audience->unheard('new_chat', 'all of them had it before');
    is_seen_by($chat, [@customer1, @agent1, @super], [@agent1, 'super2'],
        'taken');

    given(assign('agent1', $chat, 'agent1'), 200, 'once more');
    $audience->unheard('chat_assigned', 'is no news');
};

subtest 'handed over' => sub {
    my $chat = $client{customer1}->new_chat(agentId => $id{agent1});
    $client{customer1}->post("chats/$chat/messages", {content => 'Help'});
    # own sockets may join too, which must not keep the chat for them
    socket_of($_)->ask(join_chat => {chatId => $chat})
        for qw(agent1 super customer1);
    $audience->forget;

    my ($status, $json) = @{assign('agent1', $chat, 'agent3')};
    is $status, 200, 'by its agent';
    like $json->{message}, qr/\w/, 'with a message';
    is $json->{data}{agentId}, $id{agent3}, 'and the chat';

    # the order, on a socket of who gains it
    my $socket = socket_of('agent3');
    my $assigned = $socket->expect('chat_assigned');
    is_deeply [map { $_->{type} } @{$socket->{events}}], ['new_chat'],
        'the new agent gets the chat first';
    push @{$socket->{events}}, $assigned;
    my $got = $audience->heard('new_chat', [@agent3],
        'nobody else gets it anew');
    is $got->{agent3}{data}{lastMessage}{content}, 'Help', 'as it is';
    is $got->{agent3}{data}{agentId}, $id{agent3}, 'already theirs';
    $audience->heard('chat_assigned',
        [@customer1, @agent1, @agent3, @super],
        'all who saw it or see it now hear of it');
    is_seen_by($chat, [@customer1, @agent3, @super], [@agent3, 'super'],
        'handed over');

    refused([$client{agent1}->get("chats/$chat")], 404, 'CHAT_NOT_FOUND',
        'the former agent does not find it');
    my $error = socket_of('agent1')
        ->ask(send_message => {chatId => $chat, content => 'Wait'});
    is $error->{data}{code}, 'CHAT_NOT_FOUND', 'nor writes to it';
    my $ack = socket_of('agent3')
        ->ask(send_message => {chatId => $chat, content => 'Hello'});
    is $ack->{type}, 'message_ack', 'the new one does';
    $audience->forget;

    given(assign('agent2', $chat, 'super2'), 200, 'to a super-agent');
    $audience->heard('chat_assigned', [@customer1, @agent3, @super],
        'by a super-agent');
    $audience->unheard('new_chat', 'who saw it before');
    is_seen_by($chat, [@customer1, @super], [qw(super super2)],
        'a super-agent\'s');
};

subtest 'back to the queue' => sub {
    my $chat = $client{customer1}->new_chat(agentId => $id{agent1});
    socket_of('super')->ask(join_chat => {chatId => $chat});
    $audience->forget;

    given(assign('agent1', $chat, undef), 200, 'by its agent');
    my @agents = (@agent1, @agent3, @agent4);
    $audience->heard('new_chat', \@agents, 'every agent gets it');
    my $got = $audience->heard('chat_assigned',
        [@customer1, @agents, @super], 'and hears that it is nobody\'s');
    is_deeply $got->{agent3}{data},
        {chatId => $chat, agentId => undef, agent => undef}, 'as it says';
    is_seen_by($chat, [@customer1, @agents, @super], ['super'], 'in the queue');

    socket_of($_)->ask(join_chat => {chatId => $chat}) for qw(agent1 agent4);
    given(assign('agent2', $chat, 'agent3'), 200,
        'a super-agent gives it to an agent');
    $audience->heard('chat_assigned', [@customer1, @agents, @super],
        'all agents hear that');
    $audience->unheard('new_chat', 'who had it');
    is_seen_by($chat, [@customer1, @agent3, @super], [@agent3, 'super'],
        'from the queue');

    given(assign('agent2', $chat, undef), 200, 'and takes it back');
    $audience->forget;
    my $ack = socket_of('agent4')
        ->ask(send_message => {chatId => $chat, content => 'Mine'});
    is $ack->{type}, 'message_ack', 'the first who writes';
    $audience->heard('chat_assigned', [@customer1, @agents, @super],
        'takes it');
    $audience->heard('new_message', [@customer1, @agent4, @super],
        'with a message that other agents do not get');
    is_seen_by($chat, [@customer1, @agent4, @super], [@agent4, 'super'],
        'by writing');
};

# Two requests are on their way, while the database keeps them waiting.
sub race {
    my ($chat, @calls) = @_;
    my $listener = $server->redis_connection;
    $listener->command('PSUBSCRIBE', 'cs_chat:req:*');

    open my $lock, '|-', $server->psql or die "psql: $!\n";
    $lock->autoflush(1);
    print {$lock} "BEGIN;\n"
        . "UPDATE chats SET status = status WHERE id = '$chat';\n";
    wait_until(10, sub {
        $server->sql('SELECT count(*) FROM pg_stat_activity WHERE'
            . " state = 'idle in transaction' AND query LIKE 'UPDATE%'");
    }) or die "no lock\n";

    my @http = map { $_->() } @calls;
    for my $seen (1 .. @calls) {
        my $message;
        do { $message = $listener->reply->[3] } until $message =~ /chat=$chat/;
    }
    print {$lock} "COMMIT;\n";
    close $lock;
    return map { $_->answer } @http;
}

# A request without waiting for its answer.
sub begin {
    my ($user, $method, $path, $body) = @_;

    return sub {
        my $http = $server->connection;
        $http->write($http->request_text($method, "/api/$path",
            headers => [Authorization => 'Bearer ' . $client{$user}->token],
            body => JSON::PP->new->encode($body)));
        return $http;
    };
}

subtest 'two agents at once' => sub {
    for my $way (qw(assign messages)) {
        my $chat = $client{customer1}->new_chat;
        $audience->forget;
        my @second = $way eq 'assign'
            ? ('PUT', "chats/$chat/assign", {agentId => $id{agent4}})
            : ('POST', "chats/$chat/messages", {content => 'Mine'});
        my @answers = race($chat,
            begin('agent3', 'PUT', "chats/$chat/assign",
                {agentId => $id{agent3}}),
            begin('agent4', @second));

        my @won = grep { $answers[$_]{status} < 300 } 0, 1;
        is scalar @won, 1, "$way: one wins";
        my ($lost) = @answers[1 - $won[0]];
        is $lost->{status}, 409, "$way: the other does not";
        like $lost->{body}, qr/"code":"CHAT_ASSIGNED"/, "$way: and is told why";
        my $winner = (qw(agent3 agent4))[$won[0]];
        is $client{agent2}->get("chats/$chat")->{data}{agentId}, $id{$winner},
            "$way: it is the winner's";
        my $got = $audience->heard('chat_assigned',
            [@customer1, @agent1, @agent3, @agent4, @super],
            "$way: all hear it once");
        is $got->{super}{data}{agentId}, $id{$winner}, "$way: whose it is";
        my $loser = $winner eq 'agent3' ? 'agent4' : 'agent3';
        refused(assign($loser, $chat, $loser), 404, 'CHAT_NOT_FOUND',
            "$way: later there is no such chat");
        $audience->forget;
    }
};

subtest 'what is refused' => sub {
    my $own = $client{customer1}->new_chat(agentId => $id{agent1});
    my $queue = $client{customer1}->new_chat;
    $audience->forget;

    for my $body ('{}', '[]', '{"agentId":1}', '{"agentId":"x"}',
        '{"agentId":[]}', '{"agentId"', '{"agentId":false}') {
        refused([$client{agent1}->put("chats/$own/assign", $body)],
            400, 'INVALID_INPUT', $body);
    }
    refused([$client{agent1}->put("chats/$own/assign", '{}')],
        400, 'INVALID_INPUT', 'the field is named', field => 'agentId');
    refused(assign('agent1', $own, 'customer2'), 400, 'INVALID_INPUT',
        'one who is no agent', field => 'agentId');
    refused(assign('agent1', $own, unknown_id()), 404, 'USER_NOT_FOUND',
        'one who is not there', field => 'agentId');
    refused(assign('customer1', $_, 'agent3'), 403, 'ACCESS_DENIED',
        'a customer') for $own, $queue;
    refused(assign('customer1', $own, undef), 403, 'ACCESS_DENIED',
        'whatever it is');
    refused(assign('agent3', $queue, 'agent1'), 403, 'ACCESS_DENIED',
        'an agent to another one');
    refused(assign('agent3', $own, 'agent3'), 404, 'CHAT_NOT_FOUND',
        'another agent\'s');
    refused(assign('customer2', $own, 'agent3'), 404, 'CHAT_NOT_FOUND',
        'another customer\'s');
    refused([$client{agent1}->call('POST', "chats/$own/assign", '{}')],
        405, 'METHOD_NOT_ALLOWED', 'another method');
    refused([$server->client->put("chats/$own/assign", '{}')],
        401, 'AUTH_REQUIRED', 'without a token');

    $client{agent1}->put("chats/$own/archive");
    $audience->heard('chat_status_updated', [@customer1, @agent1, @super],
        'archived');
    refused(assign($_, $own, 'agent3'), 409, 'CHAT_ARCHIVED',
        "an archived one: $_") for qw(agent1 agent2);
    $audience->unheard($_, "no $_ came of it") for qw(chat_assigned new_chat);
    is $client{agent2}->get("chats/$own")->{data}{agentId}, $id{agent1},
        'nothing has changed';

    $client{agent1}->put("chats/$own/unarchive");
    my $data = given([$client{agent1}->put("chats/$own/assign",
                '{"agentId":""}')], 200, 'an empty agentId is none');
    is $data->{agentId}, undef, 'back in the queue';
    $data = given([$client{agent2}->put("chats/$own/assign/",
                {agentId => uc $id{agent3}})], 200, 'in upper case');
    is $data->{agentId}, $id{agent3}, 'is the same';
};

$server->finish;
done_testing;
