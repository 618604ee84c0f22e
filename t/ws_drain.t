# Protects clients from a reload or stop of nginx: their sockets are told one by
# one, get what they asked for, and lose nothing.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $drain = '2s';
my $server = CSChat::Server->new(
    directives => sub {"cs_chat_drain_time $drain; cs_chat_sockets_per_user 100;"},
    main => 'worker_shutdown_timeout 20s;',
);
my ($customer, $agent) = map { $server->client($_) } qw(customer1 agent1);
my $chat = $customer->new_chat(agentId => $agent->id);

sub gone {
    my @pids = @_;

    return wait_until(30, sub { !grep { kill 0, $_ } @pids });
}

# Reads all sockets until each had its Close: when each was told, by index.
sub told {
    my ($sockets, $each) = @_;
    my (@told, %open);

    @open{0 .. $#$sockets} = ();
    my $end = time + 30;
    while (%open && time < $end) {
        for my $i (keys %open) {
            my $socket = $sockets->[$i];
            my $event = $socket->event_in(0.01);
            push @{$socket->{events}}, $event if $event;
            $told[$i] //= time
                if grep { $_->{type} eq 'reconnect' } @{$socket->{events}};
            if (defined $socket->{close} || $socket->{ended}) {
                $socket->send_close(1012) if defined $socket->{close};
                delete $open{$i};
            }
        }
        $each->() if $each;
    }
    return @told;
}

subtest 'a reload' => sub {
    my @sockets = map { $customer->websocket } 1 .. 30;
    my $talker = $agent->websocket;
    my @before = $server->reload_nginx(0);
    my $said = 0;

    my @told = told([@sockets, $talker], sub {
        return if $talker->{close} || grep { $_->{type} eq 'reconnect' }
            @{$talker->{events}};
        my $answer = $talker->ask(send_message =>
                {chatId => $chat, content => 'still here', clientId => 'c-' . ++$said});
        $said-- if !$answer || $answer->{type} ne 'message_ack';
    });
    is(scalar(grep { defined } @told), 31, 'each socket is told to reconnect');
    is(scalar(grep { unpack('n', $_->{close} // '') == 1012 } @sockets, $talker),
        31, 'then closed');
    my ($first, $last) = (sort { $a <=> $b } @told)[0, -1];
    cmp_ok($last - $first, '>', 0.5, 'not all of them at once');
  SKIP: {
        skip('the talker was among the first', 1) if $told[-1] - $first < 0.3;
        cmp_ok($said, '>', 0, 'those that wait for their turn go on');
    }
    is($server->sql("SELECT count(*) FROM messages WHERE chat_id = '$chat'"),
        $said, 'what is acknowledged is stored');
    ok(gone(@before), 'the old processes end');
    $_->drop for @sockets, $talker;
};

subtest 'what was asked is answered' => sub {
    my $socket = $customer->websocket;
    my $before = $server->sql('SELECT count(*) FROM messages');

    $drain = 0;
    $server->reload_nginx(0);
    is($socket->close_code, 1012, 'the setting is read');
    $socket->drop;

    $server->wait_ready;
    $socket = $customer->websocket;
    $server->freeze_part('worker-1');
    $socket->send(send_message =>
            {chatId => $chat, content => 'last words', clientId => 'last'});
    $socket->send(ping => 1);
    ok($socket->expect('pong'), 'a message is on its way');
    my @before = $server->reload_nginx(0);
    ok($socket->expect('reconnect'), 'the socket is told at once');
    $socket->send(send_message =>
            {chatId => $chat, content => 'one more', clientId => 'more'});
    ok(!$socket->event_in(0.3) && !defined $socket->{close},
        'but not closed before it has its answer');
    $server->thaw_part('worker-1');
    is($socket->expect('message_ack')->{data}{clientId}, 'last', 'which comes');
    is($socket->close_code, 1012, 'then it is closed');
    ok(gone(@before), 'the old process ends');
    is($server->sql('SELECT count(*) FROM messages'), $before + 1,
        'what it sent after it was told is not stored');
    $socket->drop;
};

subtest 'a graceful stop' => sub {
    my @sockets = map { $customer->websocket } 1 .. 5;
    my $connection = $server->connection;

    $server->freeze_part('worker-1');
    $connection->write($connection->request_text(
        'POST', "/api/chats/$chat/messages",
        headers => [Authorization => 'Bearer ' . $customer->token],
        body => '{"content":"over HTTP"}'
    ));
    $server->connection->request('GET', '/pid');
    kill 'QUIT', $server->pid('nginx-0');
    is($_->close_code, 1012, 'each socket is closed') for @sockets;
    $server->thaw_part('worker-1');
    is($connection->answer->{status}, 201, 'a request in flight is answered');
    $_->send_close(1012) for @sockets;
    is($server->stop_part('nginx-0', 'QUIT'), 0, 'nginx ends');
    $server->start_nginx(0);
    $server->wait_ready;
};

subtest 'worker_shutdown_timeout' => sub {
    $drain = '1h';
    $server->{main} = 'worker_shutdown_timeout 1s;';
    my @before = $server->reload_nginx(0);
    ok($server->wait_log('nginx-0',
        qr/\[warn\].*"cs_chat_drain_time" is 3600000ms and.* only 1000ms/),
        'a drain time that it does not leave is warned of');
    ok(gone(@before), 'it is loaded');
    $server->wait_ready;
    my $socket = $customer->websocket;
    @before = $server->reload_nginx(0);
    ok(gone(@before), 'it ends the old processes');
    ok(!defined $socket->close_code(5) && $socket->{ended},
        'and cuts off who was not told');
};

$server->finish;
done_testing;
