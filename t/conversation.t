# A conversation: customer and agent on different NGINX processes, of different
# machines, and what is there after everything was started again.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Server;
use Test::More;

my $server = CSChat::Server->new(machines => 2);
my ($first, $second) = $server->nginx_pids(0);
isnt($first, $second, 'two processes serve a machine');

my $customer = $server->client('customer1', pid => $first);
my $agent = $server->client('agent1', pid => $second);
my $chat = $customer->new_chat(agentId => $agent->id);

my $here = $customer->websocket;
my $there = $agent->websocket;
my $elsewhere = $server->websocket('agent1', machine => 1);
my $stranger = $server->websocket('customer2', pid => $second);

my $ack = $here->ask(send_message =>
        {chatId => $chat, content => "Gr\x{fc}\x{df}e", clientId => 'c-1'});
is($ack->{type}, 'message_ack', 'the message is acknowledged');
is($ack->{data}{seq}, 1, 'it is the first');
is($ack->{data}{clientId}, 'c-1', 'its clientId comes back');

for my $socket ($here, $there, $elsewhere) {
    my $event = $socket->expect('new_message');
    is($event->{data}{id}, $ack->{data}{id}, 'each socket gets it');
    is($event->{data}{content}, "Gr\x{fc}\x{df}e", 'with its text');
}
ok($stranger->none('new_message'), 'another customer does not');

my ($status, $reply)
    = $agent->post("chats/$chat/messages", {content => 'Hello'});
is($status, 201, 'an answer over HTTP');
is($here->expect('new_message', undef, sub { $_[0]{seq} == 2 })
        ->{data}{content},
    'Hello', 'comes to the WebSocket');

$_->close for $here, $there, $elsewhere, $stranger;
$server->stop_part($_) for qw(nginx-0 nginx-1 worker-1 redis postgres);
$server->start_redis;
$server->start_postgres;
$server->start_worker(1);
$server->start_nginx($_) for 0, 1;
$server->wait_ready;

my $history = $server->client('customer1')->get("chats/$chat/messages");
is_deeply(
    [map { $_->{content} } @{$history->{data}}],
    ["Gr\x{fc}\x{df}e", 'Hello'],
    'the history is there after a restart'
);
is_deeply([map { $_->{seq} } @{$history->{data}}], [1, 2], 'and in order');

$server->finish;
done_testing;
