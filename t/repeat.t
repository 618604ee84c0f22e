# Messages that an NGINX process missed are sent to it again, by the channel of
# its replies and to it alone.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Bus;
use CSChat::Server;
use Test::More;

my $server = CSChat::Server->new(nginx_workers => 1);
my $agent = $server->client('agent1');
my $customer = $server->client('customer1');
my $chat = $customer->new_chat(agentId => $agent->id);
my $bus = CSChat::Bus->new($server, 'test');
my $all = CSChat::Bus->new($server, 'other')->listen_events;
my $none = '01900000-0000-7000-8000-000000000000';

for my $n (1 .. 3) {
    $customer->post("chats/$chat/messages",
        {content => "message $n", clientId => "c-$n"});
}
my @published = map { $all->event(10, chat => $chat, type => 'message') } 1 .. 3;

# What comes when a repeat is asked for.
sub repeated {
    my ($fields) = @_;

    $bus->tell("op=messages.repeat from=test $fields",
        shard => $fields =~ /chat=(\S+)/ ? $1 : $chat);
    return $bus->settled($agent->id, $chat);
}

subtest 'what is missing' => sub {
    my @events = repeated("chat=$chat seq=1");
    is(@events, 2, 'all after the number');
    is_deeply([map { $_->{seq} } @events], [2, 3], 'in order');
    for my $event (@events) {
        my ($first) = grep { $_->{seq} == $event->{seq} } @published;
        is($event->{body}, $first->{body}, 'the same message');
        is($event->{$_}, $first->{$_}, "the same $_")
            for qw(src type chat topics);
        is($event->{n}, 0, 'that is not counted');
    }
    is(scalar(repeated("chat=$chat")), 3, 'without a number all');
    is(scalar(repeated("chat=$chat seq=3")), 0, 'nothing after the last');
};

subtest 'nobody else hears of it' => sub {
    my $socket = $server->websocket('agent1');
    repeated("chat=$chat");
    is((grep { $_->{type} eq 'new_message' } $socket->drain), 0,
        'no other process');
};

subtest 'those who see the chat now' => sub {
    my $queue = $customer->new_chat;
    $customer->post("chats/$queue/messages", {content => 'hello?'});
    like((repeated("chat=$queue"))[0]{topics}, qr/role:agent/,
        'every agent while there is none');
    $agent->post("chats/$queue/messages", {content => 'hello!'});
    my ($first) = repeated("chat=$queue");
    unlike($first->{topics}, qr/role:agent/, 'one agent once there is one');
    like($first->{topics}, qr/user:@{[ $agent->id ]}/, 'who took it');
};

subtest 'what makes no sense' => sub {
    is(scalar(repeated("chat=$none")), 0, 'a chat that is not there');
    is(scalar(repeated($_)), 0, $_)
        for 'seq=1', 'chat=x seq=1', "chat=$chat seq=18446744073709551615";
    $bus->tell("op=messages.repeat chat=$chat", shard => $chat);
    my ($elsewhere) = grep { CSChat::Bus::shard($_) != CSChat::Bus::shard($chat) }
        qw(elsewhere nowhere);
    $bus->tell("op=messages.repeat from=test chat=$chat", shard => $elsewhere);
    is(scalar($bus->settled($agent->id, $chat)), 0,
        'nobody who asks, a wrong shard');
    ok($server->wait_log('worker-1', qr/damaged message on the bus/),
        'is logged');
};

$server->finish;
done_testing;
