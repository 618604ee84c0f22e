# Protects typing dots: they show to the others in the chat and to nobody else,
# and always end, whatever becomes of who writes.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Audience;
use CSChat::Expect;
use CSChat::Server;

my $timeout = 2.5;
my $server = CSChat::Server->new(
    machines => 2,
    directives => 'cs_chat_typing_timeout 2500ms;',
);
my ($p0, $p1) = $server->nginx_pids(0);
my %client = map { $_ => $server->client($_) }
    qw(customer1 customer2 agent1 agent2);
$client{agent3} = new_user($server, 'agent');
my %id = map { $_ => $client{$_}->id } keys %client;
my $chat = $client{customer1}->new_chat(agentId => $id{agent1});

# agent2 is a super-agent; on "super-on" they look on
my $audience = CSChat::Audience->new($server);
$audience->gather(
    \%client,
    ['customer1', 'customer1', pid => $p0],
    ['customer1-phone', 'customer1', machine => 1],
    ['agent1', 'agent1', pid => $p1],
    ['agent1-phone', 'agent1', machine => 1],
    ['agent3', 'agent3', pid => $p0],
    ['customer2', 'customer2', pid => $p1],
    ['super', 'agent2', pid => $p0],
    ['super-on', 'agent2', pid => $p1],
);
my @customer1 = qw(customer1 customer1-phone);
my @agent1 = qw(agent1 agent1-phone);
my @on = qw(super-on);
socket_of('super-on')->ask(join_chat => {chatId => $chat});
$audience->forget;

sub socket_of { return $audience->socket($_[0]) }

sub types {
    my ($name, $what, $where) = @_;

    socket_of($name)->send("typing_$what" => {chatId => $where // $chat});
    return;
}

# Tests that these hear that a user writes, or writes no more, and nobody else.
sub shown {
    my ($user, $is, $names, $name, $where) = @_;
    my $got = $audience->heard(
        'user_typing', $names, $name,
        sub { $_[0]{userId} eq $id{$user} && !!$_[0]{isTyping} == !!$is }
    );

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $event (values %$got) {
        next if !$event;
        is_deeply([sort keys %{$event->{data}}], [qw(chatId isTyping userId)],
            '  with what the contract says');
        is($event->{data}{chatId}, $where // $chat, '  of the chat');
        last;
    }
    return;
}

subtest 'who is shown it' => sub {
    types('customer1', 'start');
    shown('customer1', 1, [@agent1, @on], 'the others in the chat');
    types('agent1', 'start');
    shown('agent1', 1, [@customer1, @on], 'both at once');
    types('customer1', 'stop');
    shown('customer1', 0, [@agent1, @on], 'the end');
    types('agent1', 'stop');
    shown('agent1', 0, [@customer1, @on], 'of the other too');
    types('super-on', 'start');
    shown('agent2', 1, [@customer1, @agent1], 'one who looks on may write');
    types('super-on', 'stop');
    shown('agent2', 0, [@customer1, @agent1], 'and end');
    types('customer1', 'stop');
    $audience->unheard('user_typing', 'who did not write can not end');
};

subtest 'not at every key' => sub {
    types('customer1', 'start') for 1 .. 20;
    shown('customer1', 1, [@agent1, @on], 'only the first is told');
    select undef, undef, undef, $timeout / 2 + 0.1;
    types('customer1', 'start') for 1 .. 20;
    shown('customer1', 1, [@agent1, @on], 'and the first after a while');
    shown('customer1', 0, [@agent1, @on], 'it ends by itself');
    types('customer1', 'start');
    shown('customer1', 1, [@agent1, @on], 'and may begin anew');
    types('customer1', 'stop');
    shown('customer1', 0, [@agent1, @on], 'at once');
};

subtest 'it ends' => sub {
    types('customer1', 'start');
    shown('customer1', 1, [@agent1, @on], 'one writes');
    my $ack = socket_of('customer1')
        ->ask(send_message => {chatId => $chat, content => 'there'});
    is($ack->{type}, 'message_ack', 'and sends it');
    for my $name (@agent1, @on) {
        my $event;
        1 while $event = socket_of($name)->next
            and $event->{type} !~ /^(?:user_typing|new_message)$/;
        is($event->{type}, 'user_typing', 'the dot goes first');
        is(socket_of($name)->next->{type}, 'new_message', 'then it is there');
    }
    $audience->unheard('user_typing', 'once');

    types('agent1', 'start');
    shown('agent1', 1, [@customer1, @on], 'one writes');
    $client{agent1}->post("chats/$chat/messages", {content => 'over HTTP'});
    shown('agent1', 0, [@customer1, @on], 'and sends it over HTTP');

    types('super-on', 'start');
    shown('agent2', 1, [@customer1, @agent1], 'one who looks on writes');
    socket_of('super-on')->ask(leave_chat => {chatId => $chat});
    shown('agent2', 0, [@customer1, @agent1], 'and leaves the chat');
    socket_of('super-on')->ask(join_chat => {chatId => $chat});

    my $leaver = $audience->add('leaver',
        $client{customer1}->websocket(pid => $p1));
    $audience->forget;
    types('leaver', 'start');
    shown('customer1', 1, [@agent1, @on], 'one writes on another device');
    $audience->remove('leaver')->drop;
    shown('customer1', 0, [@agent1, @on], 'that is switched off');
};

subtest 'whoever dies' => sub {
    types('customer1-phone', 'start');
    shown('customer1', 1, [@agent1, @on], 'one writes');
    $server->allow(qr/exited on signal 9/);
    $server->kill_part('nginx-1');
    $audience->remove($_) for qw(customer1-phone agent1-phone);
    shown('customer1', 0, [qw(agent1 super-on)], 'their nginx is killed');

    types('customer1', 'start');
    shown('customer1', 1, [qw(agent1 super-on)], 'one writes');
    $server->kill_part('worker-1');
    shown('customer1', 0, [qw(agent1 super-on)], 'the worker is killed');
    $server->start_worker(1);
    $server->wait_ready(0);
};

subtest 'who may' => sub {
    for my $name (qw(customer2 agent3)) {
        for my $what (qw(start start)) {
            my $error = socket_of($name)->ask("typing_$what" => {chatId => $chat}, 'none');
            is_deeply([@{$error->{data}}{qw(code replyTo)}],
                ['CHAT_NOT_FOUND', "typing_$what"], "$name sees no chat");
        }
    }
    my $error = socket_of('agent1')->ask(typing_start => {chatId => 'x'}, 'none');
    is_deeply([@{$error->{data}}{qw(code field)}], ['INVALID_INPUT', 'chatId'],
        'what is no chat');
    $audience->unheard('user_typing', 'nobody is shown anything');
};

subtest 'a chat goes out of sight' => sub {
    my $queue = $client{customer1}->new_chat;
    $audience->forget;
    socket_of('agent3')->ask(join_chat => {chatId => $queue});
    types('customer1', 'start', $queue);
    shown('customer1', 1, ['agent3'],
        'in the queue those who look on see it', $queue);
    socket_of('agent1')->send(send_message =>
            {chatId => $queue, content => 'mine'});
    my @events;
    while (my $event = socket_of('agent3')->next) {
        push @events, $event->{type};
        last if $event->{type} eq 'chat_assigned';
    }
    is_deeply(\@events, [qw(user_typing chat_assigned)],
        'it ends before another takes the chat');
    ok(socket_of('agent3')->none('user_typing'), 'nothing comes after');
    types('customer1', 'stop', $queue);
    $audience->unheard('user_typing', 'nor at its end',
        sub { $_[0]{chatId} eq $queue && $_[0]{isTyping} });
};

subtest 'many chats at once' => sub {
    my @chats = map { $client{customer1}->new_chat(agentId => $id{agent1}) } 1 .. 6;
    $audience->forget;
    types('customer1', 'start', $_) for @chats;
    my $agent = socket_of('agent1');
    $agent->expect('user_typing', undef,
        sub { $_[0]{chatId} eq $chats[$_ - 1] && $_[0]{isTyping} })
        or fail("chat $_ begins")
        for 1 .. 6;
    for my $n (1 .. 6) {
        ok($agent->expect('user_typing', undef,
            sub { $_[0]{chatId} eq $chats[$n - 1] && !$_[0]{isTyping} }),
            "chat $n ends");
    }
};

# What is asked of sessions that only read may be answered late: not typing, or
# it would begin behind the message that ends it, or behind a transfer.
subtest 'in the order of what else happens in the chat' => sub {
    my $slow = $client{customer1}->new_chat(agentId => $id{agent1});
    $audience->forget;
    my @readers = $server->sql("SELECT pid FROM pg_stat_activity WHERE"
            . " application_name = 'cs-chat-worker' AND pid NOT IN"
            . " (SELECT pid FROM pg_locks WHERE locktype = 'advisory')");
    ok(kill('STOP', @readers) > 0, 'sessions that read hang');
    types('customer1', 'start', $slow);
    socket_of('customer1')->ask(send_message =>
            {chatId => $slow, content => 'typed'});
    my @events;
    while (my $event = socket_of('agent1')->next) {
        push @events, $event->{type};
        last if $event->{type} eq 'new_message';
    }
    kill 'CONT', @readers;
    is_deeply(\@events, [qw(user_typing user_typing new_message)],
        'typing begins and ends before the message');
    $client{customer1}->get("chats/$slow");
    $audience->unheard('user_typing', 'and does not begin after it',
        sub { $_[0]{chatId} eq $slow && $_[0]{isTyping} });
};

is($server->sql("SELECT count(*) FROM messages WHERE chat_id = '$chat'"), 2,
    'nothing of it is stored');

$server->finish;
done_testing;
