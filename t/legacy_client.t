# Protects clients of the former server: one that knows its requests and events
# and nothing else gets along, shows each message once, and is not disturbed by
# what it does not know, over a reload, a lost link and a death of the worker.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Audience;
use CSChat::Legacy;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(
    machines => 2,
    directives => 'cs_chat_drain_time 500ms;',
    worker_env => {
        CS_CHAT_PRESENCE_GRACE => '2s',
        CS_CHAT_PRESENCE_INTERVAL => 0,
    },
);
my $audience = CSChat::Audience->new($server);
my ($customer, $agent) = (
    CSChat::Legacy->login($server, 'customer1'),
    CSChat::Legacy->login($server, 'agent1', machine => 1),
);
my ($chat, @said);

sub opens {
    my ($name, $client) = @_;

    $client->open;
    $audience->add($name, $client->socket);
    return;
}

# Until both have taken what came up to now.
sub settle {
    $audience->settle;
    $_->take_all for $customer, $agent;
    return;
}

# Tests that one says something and both show all that was said, each once.
sub says {
    my ($client, $text, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $client->say($chat, $text), 201, "$name: is taken";
    push @said, $text;
    both_show($name);
    return;
}

sub both_show {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $_->wait_for(sub { $_->shown($chat) >= @said }) for $customer, $agent;
    settle();
    is_deeply [$_->shown($chat)], \@said, "$name: $_->{user}{name} shows it once"
        for $customer, $agent;
    return;
}

sub status_of {
    my ($client, $path) = @_;
    my ($found) = grep { $_->{id} eq $chat } @{$client->http->get($path)->{data}};

    return $found && $found->{status};
}

sub is_listed {
    my ($client, $path, $who) = @_;
    return scalar grep { $_->{id} eq $who->id } @{$client->http->get($path)->{data}};
}

subtest 'login' => sub {
    my $answer = $customer->{answer};
    is $answer->{token}, $answer->{data}{token}, 'the token, in both places';
    is_deeply $answer->{user}, $answer->{data}{user}, 'the user too';
    is join(', ', @{$customer->{user}}{qw(username name role isOnline)}),
        'customer1, Customer One, customer, 1', 'who it is';
    is $customer->http->get('users/me')->{data}{id}, $customer->id, 'users/me';

    my ($status) = $customer->http->post('auth/login',
        {username => 'customer1', password => 'wrong'});
    is $status, 401, 'a wrong password';
};

subtest 'the page opens' => sub {
    opens(agent => $agent);
    opens(customer => $customer);
    is $customer->{online}{$agent->id}, 'online', 'the agent is there';
    ok wait_until(10, sub { is_listed($agent, 'available-customers', $customer) }),
        'the agent finds the customer';
    ok is_listed($agent, 'users', $agent), 'users';
    ok !is_listed($customer, 'available-agents', $customer), 'available-agents';
    settle();
};

subtest 'a new chat' => sub {
    my ($status, $json) = $customer->http->post('chats',
        {customerId => $customer->id, agentId => $agent->id});
    is $status, 201, 'it is made';
    $chat = $json->{data}{id};

    $_->wait_for(sub { $_->{chats}{$chat} }) for $customer, $agent;
    settle();
    for ($customer, $agent) {
        is_deeply [grep { $_ eq $chat } @{$_->{new}}], [$chat],
            "$_->{user}{name} gets it once";
        is $_->{chats}{$chat}{agent}{name}, 'Agent One', 'with the agent';
        is $_->{chats}{$chat}{customer}{name}, 'Customer One', 'and customer';
        is status_of($_, 'chats'), 'active', 'and finds it';
    }
    is $customer->http->get("chats/$chat")->{data}{agentId}, $agent->id,
        'it is what was asked for';
};

subtest 'a talk' => sub {
    says($customer, 'Hello', 'the customer');
    says($agent, 'Hello, how can I help you?', 'the agent');
    says($customer, 'Hello', 'the same again');
    is_deeply [map { $_->{content} }
        @{$agent->http->get("chats/$chat/messages")->{data}}], \@said,
        'it is what is stored';

    push @said, map {"line $_"} 1 .. 20;
    is $customer->say($chat, "line $_"), 201, 'in haste' for 1 .. 20;
    both_show('many at once');
};

subtest 'another tab, of a newer client' => sub {
    my $tab = $server->websocket('agent1');
    my $super = $server->websocket('agent2', machine => 1);
    my $answer = $super->ask(join_chat => {chatId => $chat});
    is $answer->{type}, 'joined', 'a newer client looks on';

    $super->send(typing_start => {chatId => $chat});
    $tab->ask(send_message => {chatId => $chat, content => 'By frame'});
    push @said, 'By frame';
    both_show('sent by the newer one');
    $super->send(typing_stop => {chatId => $chat});
    $super->send(mark_read => {chatId => $chat, seq => scalar @said});
    for my $client ($customer, $agent) {
        ok $client->wait_for(sub { $client->{ignored}{$_} }), "$_ comes"
            for qw(user_typing messages_read);
    }
    says($customer, 'Undisturbed', 'after that');
    is $_->close, 1000, 'the newer ones go' for $tab, $super;
};

subtest 'status' => sub {
    my $put = sub {
        my ($client, $path, $body) = @_;
        return ($client->http->put("chats/$chat/$path", $body))[0];
    };

    is $put->($agent, 'status', {status => 'closed'}), 200, 'closed';
    is status_of($_, 'chats'), 'closed', 'both see that' for $customer, $agent;
    says($customer, 'One thing more', 'the customer writes');
    is status_of($agent, 'chats'), 'active', 'which opens it again';

    is $put->($customer, 'archive'), 200, 'archived';
    is status_of($agent, 'chats'), undef, 'it is not among the others';
    is status_of($agent, 'archived-chats'), 'archived', 'but in the archive';
    is $customer->say($chat, 'Late'), 409, 'nothing is written there';
    both_show('nothing new');
    is $put->($agent, 'unarchive'), 200, 'brought back';
    says($agent, 'Here again', 'the agent writes');
};

# Until every process of nginx has taken the events that were published before:
# an answer comes behind them on its link to Redis.
sub taken_by_all {
    for my $machine (0 .. $server->{machines} - 1) {
        $server->client('customer1', machine => $machine, pid => $_)
            ->get('users/me')
            for $server->nginx_pids($machine);
    }
    return;
}

# Tests that a client hears of the other's coming or going.
sub sees_other {
    my ($client, $other, $is, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok $client->wait_for(sub { $client->{online}{$other->id} eq $is }), $name;
    return;
}

# What a client has heard of the other and of itself.
sub presence_of_both {
    return grep {/^(?:customer1|agent1) /} @{$_[0]{presence}};
}

subtest 'presence of the other' => sub {
    @{$_->{presence}} = () for $customer, $agent;
    $audience->remove('customer');
    is $customer->leave, 1001, 'the customer leaves';
    sees_other($agent, $customer, 'offline', 'the agent is told');
    taken_by_all();
    opens(customer => $customer);
    sees_other($agent, $customer, 'online', 'of the return too');

    $audience->remove('agent');
    is $agent->leave, 1001, 'the agent leaves';
    sees_other($customer, $agent, 'offline', 'the customer is told');
    taken_by_all();
    opens(agent => $agent);
    sees_other($customer, $agent, 'online', 'of the return too');

    settle();
    is_deeply [presence_of_both($agent)],
        ['customer1 offline', 'customer1 online'],
        'each once, not of oneself: the agent';
    is_deeply [presence_of_both($customer)],
        ['agent1 offline', 'agent1 online'], 'and the customer';
    both_show('the pages are as they were');
};

subtest 'the link to Redis breaks' => sub {
    $server->redis(qw(CLIENT KILL TYPE pubsub));
    for my $client ($customer, $agent) {
        ok $client->wait_for(sub { $client->{ignored}{resync} }),
            'resync comes, which it does not know';
    }
    $server->wait_ready;
    says($customer, 'Still there?', 'the customer');
    says($agent, 'Yes', 'the agent');
};

subtest 'a reload' => sub {
    my @told = presence_of_both($agent);
    $server->reload_nginx(0);
    is $customer->wait_closed, 1012, 'the socket is closed';
    ok $customer->{ignored}{reconnect}, 'reconnect came, which it does not know';
    $audience->remove('customer');

    is $agent->say($chat, 'Meanwhile'), 201, 'the agent writes';
    push @said, 'Meanwhile';
    $agent->wait_for(sub { $agent->shown($chat) >= @said });
    $server->wait_ready(0);
    opens(customer => $customer);
    both_show('found when it connects again');
    says($customer, 'Back', 'the customer');
    says($agent, 'Welcome back', 'the agent');
    is_deeply [presence_of_both($agent)], \@told, 'to the agent they were never away';
};

subtest 'the worker is killed' => sub {
    is $agent->say($chat, 'Just before'), 201, 'just after a message';
    push @said, 'Just before';
    $server->kill_part('worker-1');
    $server->start_worker(1);
    $server->wait_ready;
    both_show('told by the dead one or the next');
    says($customer, 'Anyone?', 'the customer');
    says($agent, 'As before', 'the agent');
    my $ended = grep { defined $_->socket->{close} || $_->socket->{ended} }
        $customer, $agent;
    is $ended, 0, 'on the sockets that they had';
};

subtest 'the end' => sub {
    my ($status) = $customer->http->delete("chats/$chat");
    is $status, 403, 'a customer may not delete it';
    ($status) = $agent->http->delete("chats/$chat");
    is $status, 200, 'its agent may';
    is status_of($_, 'chats'), undef, 'it is gone' for $customer, $agent;
    is $customer->say($chat, 'Late'), 404, 'for good';
    settle();
    ok $customer->{ignored}{chat_deleted}, 'by an event that it does not know';

    ($status) = $customer->http->post('auth/logout');
    is $status, 200, 'logout';
    is $customer->wait_closed, 4002, 'ends the socket';
};

$server->finish;
done_testing;
