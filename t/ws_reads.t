# Protects what people have read: one pointer of each person and chat, that
# only moves forward, who hears of it, and the unread counts of both sides,
# over two machines with two NGINX processes each and two chat workers.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Audience;
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(machines => 2, workers => 2);
$server->wait_log("worker-$_", qr/"held":32/) or die "no even shares\n"
    for 1, 2;
my @p = map { [$server->nginx_pids($_)] } 0, 1;
my %client = map { $_ => $server->client($_) }
    qw(customer1 customer2 agent1 agent2);
$client{agent3} = new_user($server, 'agent');
my %id = map { $_ => $client{$_}->id } keys %client;

# customer1 and agent1 talk; agent2 is a super-agent with one socket that
# joins; the others may know nothing of it
my @customer1 = qw(customer1 customer1-page customer1-phone);
my @agent1 = qw(agent1 agent1-phone);
my @in = (@customer1, @agent1);
my $audience = CSChat::Audience->new($server);
$audience->gather(
    \%client,
    ['customer1', 'customer1', pid => $p[0][0]],
    ['customer1-page', 'customer1', pid => $p[0][1]],
    ['customer1-phone', 'customer1', machine => 1, pid => $p[1][0]],
    ['customer2', 'customer2', machine => 1, pid => $p[1][1]],
    ['agent1', 'agent1', pid => $p[0][1]],
    ['agent1-phone', 'agent1', machine => 1, pid => $p[1][1]],
    ['agent3', 'agent3', pid => $p[0][0]],
    ['super', 'agent2', pid => $p[0][1]],
    ['super-phone', 'agent2', machine => 1, pid => $p[1][0]],
);

sub socket_of { return $audience->socket($_[0]) }

sub others {
    my ($but, @names) = @_;
    return grep { $_ ne $but } @names;
}

sub mark {
    my ($name, $chat, $seq) = @_;
    socket_of($name)->send(mark_read => {chatId => $chat, seq => $seq});
    return;
}

# A mark that is refused: the error.
sub refused_mark {
    my ($name, $data) = @_;
    return socket_of($name)->ask(mark_read => $data, 'nothing')->{data};
}

sub unread {
    my ($user, $chat) = @_;
    my ($one) = grep { $_->{id} eq $chat } @{$client{$user}->get('chats')->{data}};
    my $whole = $client{$user}->get("chats/$chat")->{data};

    return "$one->{unreadCount} $whole->{unreadCount}";
}

# Who has read how far, as the chat tells a user: {name => seq}.
sub reads {
    my ($user, $chat) = @_;
    my %name = reverse %id;

    return {map { $name{$_->{userId}} => $_->{seq} }
            @{$client{$user}->get("chats/$chat")->{data}{reads}}};
}

sub is_unread {
    my ($chat, $want, $name) = @_;
    my %got = map { $_ => unread($_, $chat) } keys %$want;
    my %both = map { $_ => "$want->{$_} $want->{$_}" } keys %$want;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply \%got, \%both, $name;
    return;
}

sub pointer {
    my ($user, $chat) = @_;
    return $server->sql('SELECT seq FROM chat_reads WHERE'
            . " chat_id = '$chat' AND user_id = '$id{$user}'");
}

# A chat of customer1 and agent1 with so many messages of the customer.
sub chat_with {
    my ($messages, %o) = @_;
    my $chat = $client{customer1}->new_chat(agentId => $id{agent1}, %o);

    for my $n (1 .. $messages) {
        my ($status) = $client{customer1}->post("chats/$chat/messages",
            {content => "m$n"});
        die "message: $status\n" if $status != 201;
    }
    $audience->forget;
    return $chat;
}

subtest 'who hears of it' => sub {
    my $chat = chat_with(5);

    mark('agent1', $chat, 3);
    my $got = $audience->heard('messages_read', [others('agent1', @in)],
        'the customer and the agent\'s other sockets');
    is $got->{customer1}{raw},
        qq({"type":"messages_read","data":{"chatId":"$chat",)
        . qq("userId":"$id{agent1}","seq":3}}), 'the event';
    ok socket_of('agent1')->none('error'), 'the asking socket gets nothing';
    is_unread($chat, {customer1 => 0, agent1 => 2, agent2 => 5},
        'the counts of both sides, and of who looks on');
    is_deeply reads($_, $chat), {customer1 => 5, agent1 => 3},
        "the chat tells $_ how far both have read"
        for qw(customer1 agent1 agent2);

    socket_of('super')->ask(join_chat => {chatId => $chat});
    mark('agent1-phone', $chat, 4);
    $audience->heard('messages_read',
        [others('agent1-phone', @in, 'super')], 'who joined hears of it too');

    mark('super-phone', $chat, 2);
    $got = $audience->heard('messages_read', [@in, 'super'],
        'a super-agent who reads is told to those in the chat');
    is $got->{agent1}{data}{userId}, $id{agent2}, 'by their id';
    is_unread($chat, {customer1 => 0, agent1 => 1, agent2 => 3},
        'each has a count of their own');

    socket_of('super')->ask(leave_chat => {chatId => $chat});
    mark('agent1', $chat, 5);
    $audience->heard('messages_read', [others('agent1', @in)],
        'who left hears no more');
    is_unread($chat, {agent1 => 0}, 'all is read');
};

subtest 'only forward' => sub {
    my $chat = chat_with(6);

    mark('agent1', $chat, 4);
    $audience->heard('messages_read', [others('agent1', @in)], 'forward');
    my $row = $server->sql('SELECT ctid, xmin, xmax FROM chat_reads WHERE'
            . " chat_id = '$chat' AND user_id = '$id{agent1}'");

    mark($_->[0], $chat, $_->[1])
        for ['agent1', 4], ['agent1-phone', 4], ['agent1', 2],
        ['agent1-phone', 0];
    socket_of($_)->drain for @agent1;
    mark('super', $chat, 1);    # behind them in the same worker
    $audience->heard('messages_read', [@in, 'super-phone'],
        'neither back nor to where it is',
        sub { $_[0]{userId} eq $id{agent2} });
    $audience->unheard('messages_read', 'is told to nobody');
    is pointer('agent1', $chat), 4, 'the pointer stays';
    is $server->sql('SELECT ctid, xmin, xmax FROM chat_reads WHERE'
            . " chat_id = '$chat' AND user_id = '$id{agent1}'"), $row,
        'and its row is not written';

    mark('agent1', $chat, '9007199254740993' + 0);
    my $got = $audience->heard('messages_read', [others('agent1', @in)],
        'beyond the end');
    is $got->{customer1}{data}{seq}, 6, 'is up to the end';
    is pointer('agent1', $chat), 6, 'and no further';
    mark('agent1', $chat, 7);
    $_->drain for map { socket_of($_) } @agent1;
    mark('super', $chat, 2);    # behind it in the same worker
    $audience->heard('messages_read', [@in, 'super-phone'],
        'another mark', sub { $_[0]{userId} eq $id{agent2} });
    $audience->unheard('messages_read', 'where it stays');
    $client{customer1}->post("chats/$chat/messages", {content => 'm7'});
    is_unread($chat, {agent1 => 1}, 'the next message is unread');
    $audience->forget;
};

subtest 'writing reads' => sub {
    my $chat = chat_with(3);

    is_unread($chat, {customer1 => 0, agent1 => 3},
        'one\'s own messages are not counted');
    my $ack = socket_of('agent1')
        ->ask(send_message => {chatId => $chat, content => 'm4'});
    is $ack->{data}{seq}, 4, 'an answer';
    is_unread($chat, {customer1 => 1, agent1 => 0, agent2 => 4},
        'has read what was before it');
    mark('agent1-phone', $chat, 4);
    socket_of('agent1-phone')->drain;
    $audience->unheard('messages_read', 'so that a mark moves nothing');
    my ($status) = $client{agent2}->post("chats/$chat/messages",
        {content => 'm5'});
    is $status, 201, 'a super-agent writes';
    is_unread($chat, {customer1 => 2, agent1 => 1, agent2 => 0},
        'everyone has their own count');

    mark('customer1-phone', $chat, 5);
    $audience->heard('messages_read', [others('customer1-phone', @in)],
        'the customer reads on the phone');
    is_unread($chat, {customer1 => 0, agent1 => 1, agent2 => 0},
        'it shows everywhere');
    $audience->forget;
};

subtest 'a chat that nobody has taken' => sub {
    my $chat = $client{customer2}->new_chat;
    $client{customer2}->post("chats/$chat/messages", {content => "m$_"})
        for 1 .. 3;
    $audience->forget;

    mark('agent3', $chat, 2);
    $audience->heard('messages_read', ['customer2'],
        'other agents, and super-agents, are not in it');
    socket_of($_)->ask(join_chat => {chatId => $chat}) for qw(agent1 super);
    mark('super-phone', $chat, 3);
    $audience->heard('messages_read', [qw(customer2 agent1 super)],
        'who joined it is');
    is_unread($chat, {customer2 => 0, agent1 => 3, agent3 => 1, agent2 => 0},
        'each has their own count');
    socket_of($_)->ask(leave_chat => {chatId => $chat}) for qw(agent1 super);
    $audience->forget;
};

subtest 'what is refused' => sub {
    my $chat = chat_with(2);

    for my $wrong (-1, 1.5, '1', JSON::PP::true, [], {}, undef, 1e30) {
        my $error = refused_mark('agent1', {chatId => $chat, seq => $wrong});
        is "$error->{code} $error->{field} $error->{replyTo}",
            'INVALID_INPUT seq mark_read', 'a seq is a whole number from 0';
    }
    is refused_mark('agent1', {chatId => $chat})->{field}, 'seq',
        'it is required';
    is refused_mark('agent1', {chatId => 'x', seq => 1})->{field}, 'chatId',
        'so is a chat';
    for my $name (qw(customer2 agent3)) {
        my $error = refused_mark($name, {chatId => $chat, seq => 1});
        is "$error->{code} $error->{replyTo}", 'CHAT_NOT_FOUND mark_read',
            'a chat that one does not see';
        is refused_mark($name, {chatId => unknown_id(), seq => 1})->{code},
            'CHAT_NOT_FOUND', 'is like one that is not there';
    }
    is refused_mark('agent3',
        {chatId => $chat, seq => 1, clientId => 'mine'})->{clientId}, 'mine',
        'an error repeats a clientId';
    $audience->unheard('messages_read', 'nobody hears of them');
    is $server->sql("SELECT count(*) FROM chat_reads WHERE chat_id = '$chat'"
            . " AND user_id <> '$id{customer1}'"), 0, 'and nothing is stored';
};

subtest 'two tabs at once, many marks' => sub {
    my $last = 3000;
    my @chats = map { chat_with(0) } 1 .. 4;    # of either worker
    $server->sql(join ';', map {
        "INSERT INTO messages (chat_id, sender_id, content, seq)
         SELECT '$_', '$id{customer1}', 'x', n FROM generate_series(1, $last) n;
         UPDATE chats SET last_seq = $last WHERE id = '$_'"
    } @chats);
    my @tabs = map { $client{agent1}->websocket(%$_) } {pid => $p[0][0]},
        {machine => 1, pid => $p[1][0]};
    my $watch = $client{customer1}->websocket(machine => 1, pid => $p[1][1]);

    # the one marks the odd, the other the even numbers, and both stray back
    for my $tab (0, 1) {
        my $socket = $tabs[$tab];
        my $frames = '';
        for (my $n = 1 + $tab; $n <= $last; $n += 2) {
            my $seq = $n % 7 ? $n : $n - 7;
            $frames .= $socket->frame(1, qq({"type":"mark_read","data":)
                    . qq({"chatId":"$_","seq":$seq}})) for $chats[$n % 4];
        }
        $frames .= $socket->frame(1, qq({"type":"mark_read","data":)
                . qq({"chatId":"$_","seq":$last}})) for @chats;
        $socket->send_raw($frames);
    }

    my ($wrong, %seen) = (0);
    while (grep { ($seen{$_} // 0) < $last } @chats) {
        my $event = $watch->expect('messages_read') or last;
        my $data = $event->{data};
        $wrong++ if $data->{seq} <= ($seen{$data->{chatId}} // 0);
        $seen{$data->{chatId}} = $data->{seq};
    }
    is_deeply [@seen{@chats}], [($last) x @chats], 'all is read in the end';
    is $wrong, 0, 'and every event is a step forward';
    ok $watch->none('messages_read'), 'no more come';
    ok $_->none('error'), 'no mark is refused' for @tabs;
    is pointer('agent1', $_), $last, 'the pointer' for @chats;

    for my $tab (@tabs) {
        $wrong += grep { $_->{type} eq 'messages_read'
                && $_->{data}{userId} ne $id{agent1} } $tab->drain;
    }
    is $wrong, 0, 'the tabs hear of this reader alone';
    $_->close for @tabs, $watch;
};

$server->finish;
done_testing;
