# Protects who hears what of a chat, over two machines with two NGINX processes
# each: messages, new chats, assignments, status, joins and replays.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

use lib 't/lib';
use CSChat::Audience;
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(machines => 2, workers => 2);
$server->wait_log("worker-$_", qr/"held":32/) or die "no even shares\n"
    for 1, 2;
my ($p0, $p1) = $server->nginx_pids(0);
my %client = map { $_ => $server->client($_) }
    qw(customer1 customer2 agent1 agent2);
$client{agent3} = new_user($server, 'agent');
my %id = map { $_ => $client{$_}->id } keys %client;

# customer1 and agent1 talk; agent2 is a super-agent; the others may know
# nothing of it
my @customer1 = qw(customer1 customer1-page customer1-phone);
my @customer2 = qw(customer2);
my @agent1 = qw(agent1 agent1-phone);
my @agent3 = qw(agent3);
my @super = qw(super super-phone);
my $audience = CSChat::Audience->new($server);
$audience->gather(
    \%client,
    ['customer1', 'customer1', pid => $p0],
    ['customer1-page', 'customer1', pid => $p1],
    ['customer1-phone', 'customer1', machine => 1],
    ['customer2', 'customer2', pid => $p0],
    ['agent1', 'agent1', pid => $p1],
    ['agent1-phone', 'agent1', machine => 1],
    ['agent3', 'agent3', pid => $p0],
    ['super', 'agent2', pid => $p1],
    ['super-phone', 'agent2', machine => 1],
);

sub socket_of { return $audience->socket($_[0]) }

# Tests the form of an event: nothing at the top level but these.
sub is_event {
    my ($event, $more, $name) = @_;
    my %whole = %$event;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    delete @whole{qw(type data raw)};
    is_deeply \%whole, $more, $name;
    return;
}

sub refused_event {
    my ($event, $code, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(($event->{data}{code} // $event->{type}), $code, $name);
    return;
}

subtest 'connected' => sub {
    my $socket = CSChat::WebSocket->connect($server,
        token => $client{customer1}->token);
    my $event = $socket->next;
    is $event->{type}, 'connected', 'the first event';
    is_event($event, {}, 'no further fields');
    my $data = $event->{data};
    is_deeply [sort keys %$data],
        [qw(connectionId pingInterval protocol serverTime userId)], 'its fields';
    is $data->{userId}, $id{customer1}, 'userId';
    is $data->{protocol}, 1, 'protocol';
    is $data->{pingInterval}, 30_000, 'pingInterval in ms';
    like $data->{serverTime}, qr/^$time$/, 'serverTime';
    my ($y, $m, $d, $h, $min, $s) = $data->{serverTime} =~ /(\d+)/g;
    ok abs(timegm($s, $min, $h, $d, $m - 1, $y) - time) < 10, 'is now';
    ok length $data->{connectionId}, 'connectionId';
    isnt $data->{connectionId},
        $server->websocket('customer1')->{connected}{data}{connectionId},
        'is that of one connection';
    is $socket->close, 1000, 'closed';
};

my $chat = $client{customer1}->new_chat(agentId => $id{agent1});
$audience->forget;

subtest 'a message' => sub {
    socket_of('customer1')->send(send_message =>
            {chatId => $chat, content => 'Hello', clientId => 'c-1'});
    my $got = $audience->heard('message_ack', ['customer1'],
        'the ack comes to the sending socket');
    my $ack = $got->{customer1};
    is_event($ack, {}, 'the ack has no further fields');
    like delete $ack->{data}{id}, qr/^$uuid$/, 'id';
    like delete $ack->{data}{timestamp}, qr/^$time$/, 'timestamp';
    is_deeply $ack->{data},
        {chatId => $chat, clientId => 'c-1', seq => 1, duplicate => JSON::PP::false},
        'the rest of the ack';

    my @named = (@customer1, @agent1, @super);
    $got = $audience->heard('new_message', \@named,
        'customer, agent and super-agents get it');
    my %texts = map { $_->{raw} => 1 } values %$got;
    is keys %texts, 1, 'all of them the same';
    my $event = $got->{agent1};
    is_event($event, {chatId => $chat}, 'chatId beside the data');
    is_message($event->{data}, 'a message');
    is $event->{data}{content}, 'Hello', 'its content';
    is $event->{data}{clientId}, 'c-1', 'its clientId';
    is $event->{data}{sender}{name}, 'Customer One', 'its sender';

    my $stored = $client{agent1}->get("chats/$chat/messages")->{data}[0];
    is_deeply $stored, $event->{data}, 'HTTP tells the same';

    socket_of('agent1-phone')
        ->send(send_message => {chatId => $chat, content => 'Good morning'});
    $got = $audience->heard('message_ack', ['agent1-phone'], 'the answer');
    is $got->{'agent1-phone'}{data}{clientId}, undef, 'without a clientId';
    $audience->heard('new_message', \@named, 'goes the same way back');

    my ($status) = $client{customer1}->post("chats/$chat/messages",
        {content => 'Over HTTP', type => 'image'});
    is $status, 201, 'one over HTTP';
    $got = $audience->heard('new_message', \@named, 'goes to all of them too');
    is $got->{customer1}{data}{type}, 'image', 'with its type';
    $audience->unheard('message_ack', 'and is acknowledged there alone');

    my $super = socket_of('super')
        ->ask(send_message => {chatId => $chat, content => 'Let me help'});
    is $super->{data}{seq}, 4, 'a super-agent joins in';
    $audience->heard('new_message', \@named, 'heard by all');
    $audience->unheard('chat_assigned', 'which takes the chat from nobody');
};

subtest 'a clientId again' => sub {
    my $first = socket_of('customer1')->ask(send_message =>
            {chatId => $chat, content => 'Once', clientId => 'twice'});
    my $again = socket_of('customer1-phone')->ask(send_message =>
            {chatId => $chat, content => 'Twice', clientId => 'twice'});
    ok $again->{data}{duplicate}, 'from another socket: a duplicate';
    delete $_->{data}{duplicate} for $first, $again;
    is_deeply $again->{data}, $first->{data}, 'with the ack of the first';

    my ($status, $json) = $client{customer1}->post("chats/$chat/messages",
        {content => 'Over HTTP', clientId => 'twice'});
    is "$status $json->{data}{id}", "200 $first->{data}{id}", 'and over HTTP';

    ($status, $json) = $client{customer1}->post("chats/$chat/messages",
        {content => 'HTTP first', clientId => 'http'});
    $again = socket_of('customer1')->ask(send_message =>
            {chatId => $chat, content => 'HTTP first', clientId => 'http'});
    is "$status $json->{data}{id}", "201 $again->{data}{id}",
        'the other way round';
    ok $again->{data}{duplicate}, 'is a duplicate too';

    my @named = (@customer1, @agent1, @super);
    $audience->heard('new_message', \@named, 'each is sent out once',
        sub { $_[0]{clientId} eq $_ })
        for qw(twice http);

    my $other = socket_of('agent1')->ask(send_message =>
            {chatId => $chat, content => 'Mine', clientId => 'twice'});
    ok !$other->{data}{duplicate}, 'that of another sender is another';
    $audience->forget;
};

subtest 'a chat that nobody has taken' => sub {
    my @agents = (@agent1, @agent3, @super);
    my ($status, $json) = $client{customer2}->post('chats', {});
    my $open = $json->{data}{id};

    my $got = $audience->heard('new_chat', [@customer2, @agents],
        'its customer and every agent hear of a new one');
    my $event = $got->{agent3};
    is_event($event, {chatId => $open}, 'chatId beside the data');
    my $data = $event->{data};
    is_deeply [sort keys %$data],
        [sort qw(id customerId agentId status isActive createdAt updatedAt
            lastSeq customer agent lastMessage)], 'a chat, without unreadCount';
    is_deeply [@$data{qw(id customerId agentId status lastSeq)}],
        [$open, $id{customer2}, undef, 'active', 0], 'this one';
    ok !exists $data->{customer}{email}, 'e-mail addresses are left out';

    socket_of('customer2')
        ->send(send_message => {chatId => $open, content => 'Anyone?'});
    $audience->heard('new_message', [@customer2, @agents],
        'every agent hears its messages');

    refused_event(socket_of('customer1')->ask(join_chat => {chatId => $open}),
        'CHAT_NOT_FOUND', 'another customer may not join');
    for my $name (qw(agent1 agent3 super)) {
        my $joined = socket_of($name)->ask(join_chat => {chatId => $open});
        is_deeply $joined->{data}, {chatId => $open, lastSeq => 1},
            "$name joins";
    }
    socket_of('customer2')
        ->send(send_message => {chatId => $open, content => 'Hello?'});
    $audience->heard('new_message', [@customer2, @agents],
        'to join doubles nothing');

    my $ack = socket_of('agent1')
        ->ask(send_message => {chatId => $open, content => 'I am here'});
    is $ack->{data}{seq}, 3, 'an agent answers';
    $got = $audience->heard('chat_assigned', [@customer2, @agents],
        'all hear who has taken it, those who lose sight of it too');
    is_event($got->{agent3}, {chatId => $open}, 'chatId beside the data');
    $data = $got->{agent3}{data};
    is_deeply [@$data{qw(chatId agentId)}], [$open, $id{agent1}], 'agentId';
    is $data->{agent}{name}, 'Agent One', 'the agent';
    ok !exists $data->{agent}{email}, 'without the e-mail address';
    $audience->heard('new_message', [@customer2, @agent1, @super],
        'the answer itself is not for other agents, even ones who had joined');

    socket_of('customer2')
        ->send(send_message => {chatId => $open, content => 'Thanks'});
    $audience->heard('new_message', [@customer2, @agent1, @super],
        'nor is what follows');
    refused_event(socket_of('agent3')->ask(join_chat => {chatId => $open}),
        'CHAT_NOT_FOUND', 'they can not join any more');
    refused_event(
        socket_of('agent3')
            ->ask(send_message => {chatId => $open, content => 'Me too'}),
        'CHAT_NOT_FOUND', 'nor write'
    );
    $audience->forget;
};

subtest 'assigned from the beginning' => sub {
    my ($status, $json)
        = $client{agent1}->post('chats', {customerId => $id{customer2},
            agentId => $id{agent1}});
    my @named = (@customer2, @agent1, @super);
    $audience->heard('new_chat', \@named, 'other agents do not hear of it');

    my $theirs = $json->{data}{id};
    my $left = socket_of('super')->ask(join_chat => {chatId => $theirs});
    is $left->{type}, 'joined', 'a super-agent looks on';
    socket_of('customer2')->ask(join_chat => {chatId => $theirs});
    $left = socket_of('customer2')->ask(leave_chat => {chatId => $theirs});
    is_deeply $left->{data}, {chatId => $theirs, lastSeq => 0}, 'to leave';
    is $left->{type}, 'left', 'is answered';
    $left = socket_of('customer2')->ask(leave_chat => {chatId => $theirs});
    is $left->{type}, 'left', 'so is to leave twice';
    $client{agent1}->post("chats/$theirs/messages", {content => 'For you'});
    $audience->heard('new_message', \@named,
        'the events of one\'s own chats go on');
};

subtest 'status' => sub {
    my @named = (@customer1, @agent1, @super);
    my $is = sub {
        my ($status, $name) = @_;
        my $got = $audience->heard('chat_status_updated', \@named, $name);
        is_deeply $got->{agent1}{data}, {chatId => $chat, status => $status},
            $status;
        is_event($got->{agent1}, {chatId => $chat}, 'chatId beside the data');
    };

    $client{agent1}->put("chats/$chat/status", {status => 'closed'});
    $is->('closed', 'closed by the agent');
    socket_of('agent1')
        ->ask(send_message => {chatId => $chat, content => 'One thing more'});
    $audience->unheard('chat_status_updated',
        'an agent\'s message leaves it closed');
    socket_of('customer1')
        ->ask(send_message => {chatId => $chat, content => 'Wait'});
    $is->('active', 'the customer\'s opens it again');
    $audience->heard('new_message', \@named, 'and comes', sub { $_[0]{content} eq 'Wait' });
    $audience->forget;

    $client{customer1}->put("chats/$chat/archive");
    $is->('archived', 'archived by the customer');
    refused_event(
        socket_of('customer1')
            ->ask(send_message => {chatId => $chat, content => 'Late'}),
        'CHAT_ARCHIVED', 'an archived one takes no message'
    );
    $client{agent2}->put("chats/$chat/unarchive");
    $is->('active', 'unarchived by a super-agent');
    $audience->unheard('new_message', 'which is no message');

    my $doomed = $client{customer1}->new_chat(agentId => $id{agent1});
    $audience->forget;
    $client{agent1}->delete("chats/$doomed");
    my $got = $audience->heard('chat_deleted', \@named, 'deleted');
    is_deeply $got->{customer1}{data}, {chatId => $doomed}, 'its id';
    refused_event(
        socket_of('customer1')
            ->ask(send_message => {chatId => $doomed, content => 'Late'}),
        'CHAT_NOT_FOUND', 'it is gone'
    );
};

# The events up to an answer of this type, and the answer.
sub up_to {
    my ($socket, $type) = @_;
    my @before;

    while (my $event = $socket->next) {
        return \@before, $event if $event->{type} eq $type;
        push @before, $event->{data}{seq} if $event->{type} eq 'new_message';
    }
    die "no $type\n";
}

# More than the replay of a join holds.
sub is_resync {
    my ($socket, $chat, $last) = @_;
    my $event = $socket->next;

    is $event->{type}, 'resync', 'more than 500 have to be fetched';
    is $event->{chatId}, $chat, 'of this chat';
    is $socket->next->{data}{lastSeq}, $last, 'then "joined"';
    return;
}

subtest 'a replay' => sub {
    my $long = $client{customer1}->new_chat(agentId => $id{agent1});
    $server->sql(
        "INSERT INTO messages (chat_id, sender_id, content, seq)
         SELECT '$long', '$id{customer1}', repeat('x', 5000) || n, n
           FROM generate_series(1, 2000) n;
         UPDATE chats SET last_seq = 2000 WHERE id = '$long'"
    );
    my $socket = $client{agent2}->websocket(machine => 1);

    $socket->send(join_chat => {chatId => $long, afterSeq => 1500});
    my ($seqs, $joined) = up_to($socket, 'joined');
    is_deeply $seqs, [1501 .. 2000], 'of everything, in order';
    is_deeply $joined->{data}, {chatId => $long, lastSeq => 2000},
        'then "joined"';

    $socket->send(join_chat => {chatId => $long, afterSeq => 1499});
    is_resync($socket, $long, 2000);

    $socket->send(join_chat => {chatId => $long, afterSeq => 1990});
    ($seqs, $joined) = up_to($socket, 'joined');
    is_deeply $seqs, [1991 .. 2000], 'of what is missing';
    $socket->send(join_chat => {chatId => $long, afterSeq => 2000});
    ($seqs, $joined) = up_to($socket, 'joined');
    is_deeply $seqs, [], 'of nothing';
    $socket->send(join_chat => {chatId => $long});
    ($seqs, $joined) = up_to($socket, 'joined');
    is_deeply $seqs, [], 'none without afterSeq';

    for my $wrong (-1, 1.5, '1', JSON::PP::true, []) {
        my $error
            = $socket->ask(join_chat => {chatId => $long, afterSeq => $wrong});
        is $error->{data}{field}, 'afterSeq', 'afterSeq must be a number';
    }
    is $socket->close, 1000, 'done';
    $audience->forget;
};

subtest 'joins while messages come' => sub {
    my $busy = $client{customer1}->new_chat;
    my @writers = map { $client{customer1}->websocket(%$_) } {pid => $p0},
        {pid => $p1}, {machine => 1};
    my $messages = 33;
    my (@readers, %before);

    for my $round (1 .. 5) {
        for my $n (1 .. $messages) {
            $_->send(send_message => {chatId => $busy, content => "$round.$n"})
                for @writers;
        }
        for my $where ({pid => $p0}, {pid => $p1}, {machine => 1}) {
            my $reader = $client{agent1}->websocket(%$where);
            $reader->send(join_chat => {chatId => $busy, afterSeq => 0});
            push @readers, $reader;
        }
        $_->expect('message_ack') for map { ($_) x $messages } @writers;
    }

    my $last = 5 * $messages * @writers;
    my ($missed, $wrong) = (0, 0);
    for my $reader (@readers) {
        my ($before, $joined) = up_to($reader, 'joined');
        my $seq = $joined->{data}{lastSeq};
        my %before = map { $_ => 1 } @$before;
        $missed += grep { !$before{$_} } 1 .. $seq;

        while ($seq < $last) {
            my $event = $reader->expect('new_message') or last;
            $wrong++ if $event->{data}{seq} != ++$seq;
        }
        $wrong++ if $seq != $last || !$reader->none('new_message');
    }
    is $missed, 0, 'all that is older comes before "joined"';
    is $wrong, 0, 'then the rest, none twice and none missing';

    my $unordered = 0;
    for my $writer (@writers) {
        my $seq = 0;
        for (1 .. $last) {
            my $event = $writer->expect('new_message');
            $unordered++ if $event->{data}{seq} != ++$seq;
        }
    }
    is $unordered, 0, 'every socket sees the same order without a gap';
    $_->close for @writers, @readers;
};

subtest 'many messages without waiting' => sub {
    my $flood = $client{customer1}->new_chat(agentId => $id{agent1});
    my $writer = $client{customer1}->websocket(pid => $p0);
    my $reader = $client{agent1}->websocket(machine => 1);
    my $messages = 2000;

    my $frames = join '', map {
        $writer->frame(1, qq({"type":"send_message","data":)
                . qq({"chatId":"$flood","content":"$_","clientId":"$_"}}))
    } 1 .. $messages;
    $writer->send_raw($frames . $writer->frame(1, '{"type":"ping","data":1}'));

    my ($wrong, $foreign) = (0, 0);
    for my $n (1 .. $messages) {
        my $ack = $writer->expect('message_ack') or last;
        $wrong++ if "$ack->{data}{clientId} $ack->{data}{seq}" ne "$n $n";
        my $event = $reader->expect('new_message') or last;
        $foreign++ if "$event->{data}{content} $event->{data}{seq}" ne "$n $n";
    }
    is $wrong, 0, 'each is acknowledged, in order';
    is $foreign, 0, 'and heard, in order';
    ok $writer->none('error'), 'none is refused';
    ok $writer->expect('pong'), 'what comes behind them is read too';
    is $writer->close, 1000, 'the socket lives on';
};

$server->finish;
done_testing;
