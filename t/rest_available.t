# Protects the lists of agents and customers who are free.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    machines => 2,
    worker_env => {
        CS_CHAT_PRESENCE_GRACE => '0',
        CS_CHAT_PRESENCE_INTERVAL => '0',
    },
);
my %people = map {
    $_ => $server->client(undef, token => $server->signed_token($_))
} qw(agent1 agent2 customer1 customer2);
my ($agent, $super, $customer, $other)
    = @people{qw(agent1 agent2 customer1 customer2)};

sub names {
    my ($client, $path) = @_;
    my ($status, $json) = $client->get($path);

    return $status == 200
        ? join ' ', sort map { $_->{username} } @{$json->{data}}
        : $json->{code};
}

# what a list is, as soon as it is that
sub becomes {
    my ($client, $path, $names, $name) = @_;

    CSChat::Process::wait_until(5, sub { names($client, $path) eq $names });
    is names($client, $path), $names, $name;
    return;
}

sub agents { return names($_[0] // $customer, 'available-agents') }
sub customers { return names($_[0] // $agent, 'available-customers') }

subtest 'who may ask' => sub {
    my @empty = map {
        given([$_->get('available-customers')], 200, 'customers, for agents')
    } $agent, $super;
    is_deeply \@empty, [[], []], 'nobody is online';
    is_deeply given([$customer->get('available-agents')],
        200, 'agents, for customers'), [], 'nobody is online';
    refused([$_->get('available-agents')], 403, 'ACCESS_DENIED',
        'agents, not for agents') for $agent, $super;
    refused([$customer->get('available-customers')], 403, 'ACCESS_DENIED',
        'customers, not for customers');
};

my %sockets = map { $_ => $people{$_}->websocket } keys %people;

subtest 'agents' => sub {
    becomes($customer, 'available-agents', 'agent1',
        'an agent who is online, and no super-agent');
    is_user($customer->get('available-agents')->{data}[0],
        'whole, without e-mail');

    my $chat = $customer->new_chat(agentId => $agent->id);
    is agents($customer), 'agent1', 'busy with me is free for me';
    is agents($other), '', 'but not for another';
    $agent->put("chats/$chat/status", {status => 'closed'});
    is agents($other), 'agent1', 'free again when it is closed';
    $agent->put("chats/$chat/status", {status => 'active'});
    is agents($other), '', 'busy again';
    $agent->put("chats/$chat/archive");
    is agents($other), 'agent1', 'or archived';
    $agent->delete("chats/$chat");

    $agent->put('users/status', {isOnline => \0});
    is agents(), '', 'one who hides is offline here';
    $agent->put('users/status', {isOnline => \1});
    becomes($customer, 'available-agents', 'agent1', 'and back');

    my $more = new_user($server, 'agent');
    is agents(), 'agent1', 'one without a socket is not there';
    my $socket = $more->websocket;
    becomes($customer, 'available-agents', "agent1 $more->{username}",
        'two of them');
    $socket->close;
    becomes($customer, 'available-agents', 'agent1', 'one left');
};

subtest 'customers' => sub {
    becomes($agent, 'available-customers', 'customer1 customer2',
        'customers who are online');
    my $list = $agent->get('available-customers')->{data};
    is_user($list->[0], 'whole, without e-mail');
    is_user($super->get('available-customers')->{data}[0],
        'with e-mail for a super-agent', email => 1);

    my $free = $customer->new_chat;
    is customers($_), 'customer1 customer2', 'an unassigned chat leaves free'
        for $agent, $super;
    $agent->post("chats/$free/messages", {content => 'mine'});
    is customers($agent), 'customer1 customer2', 'mine is free for me';
    is customers($super), 'customer2', 'but not for another';
    $agent->put("chats/$free/archive");
    is customers($super), 'customer1 customer2', 'free again when archived';

    $customer->put('users/status', {isOnline => \0});
    is customers(), 'customer2', 'one who hides is offline here';
    $sockets{customer2}->close;
    becomes($agent, 'available-customers', '', 'and one who left');
};

subtest 'live presence, on two machines' => sub {
    my %new = (
        agent => new_user($server, 'agent'),
        customer => new_user($server, 'customer'),
    );
    my %list = (agent => 'available-agents', customer => 'available-customers');
    my %asks = (agent => $customer, customer => $super);

    for my $role (sort keys %new) {
        my ($person, $path) = ($new{$role}, $list{$role});
        my $is = sub {
            my ($there, $name) = @_;
            my $seen = CSChat::Process::wait_until(8, sub {
                !$there == !grep { $_ eq $person->{username} }
                    split / /, names($asks{$role}, $path);
            });
            ok $seen, "$role: $name";
        };
        my @processes = map {
            my $machine = $_;
            map { [machine => $machine, pid => $_] }
                $server->nginx_pids($machine)
        } 0, 1;
        my @tabs = map { $person->websocket(@$_) } @processes;

        $is->(1, 'there with sockets on all processes');
        $_->close for @tabs[0, 1, 3];
        like names($asks{$role}, $path), qr/\b\Q$person->{username}\E\b/,
            "$role: and with one that is left";
        $tabs[2]->drop;
        $is->(0, 'gone when that is cut off');

        my $tab = $person->websocket(@{$processes[3]});
        $is->(1, 'back from another machine');
        $person->put('users/status', {isOnline => \0});
        $is->(0, 'not while they hide');
        my $more = $person->websocket(@{$processes[0]});
        $is->(1, 'a new socket shows them');
        $_->close for $tab, $more;
        $is->(0, 'gone with both');
    }
};

$server->finish;
done_testing;
