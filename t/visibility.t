# Protects who hears what: every relation that a person can have to a chat,
# every event, in every state of a chat, on sockets of two machines with two
# NGINX processes each.  Each socket hears what the table says exactly once, in
# order, and nothing else at all.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Audience;
use CSChat::Expect;
use CSChat::Server;

# The same table is in docs/websocket.md.  "yes": who stands so hears it.
# new_chat: a new one, and one that this person did not see before; to every
#     agent where it goes back to the queue.
# chat_assigned: who stands so before it or after it.
# user_typing: but not the sockets of who writes.  messages_read: the reader's
#     other sockets too, but not the one that sent the mark.
# user_status_change: everyone's, that of the chat's agent, or nobody's.
my %hears = table(<<'END');
                          new_  new_     chat_     chat_   chat_    user_   messages user_
                          chat  message  assigned  status  deleted  typing  _read    status
its customer              yes   yes      yes       yes     yes      yes     yes      agent
its customer, archived    yes   yes      yes       yes     yes      yes     yes      none
its agent                 yes   yes      yes       yes     yes      yes     yes      all
an agent, queue           yes   yes      yes       yes     yes      -       -        all
an agent, queue, joined   yes   yes      yes       yes     yes      yes     yes      all
former agent              -     -        -         -       -        -       -        all
another agent             -     -        -         -       -        -       -        all
super-agent               yes   yes      yes       yes     yes      -       -        all
super-agent, joined       yes   yes      yes       yes     yes      yes     yes      all
another customer          -     -        -         -       -        -       -        none
END

# The states of a chat, and the way there: what, who, further
my @states = (
    ['unassigned', [create => 'customer']],
    ['assigned when made', [create => 'customer', 'agent']],
    [   'assigned by a first message',
        [create => 'customer'],
        [write => 'agent']
    ],
    ['assigned by PUT', [create => 'customer'], [assign => 'agent', 'agent']],
    [   'assigned by a super-agent',
        [create => 'customer'],
        [assign => 'super', 'agent']
    ],
    [   'transferred',
        [create => 'customer'],
        [assign => 'former', 'former'],
        [assign => 'former', 'agent']
    ],
    [   'transferred to a super-agent',
        [create => 'customer', 'former'],
        [assign => 'former', 'super']
    ],
    [   'back in the queue',
        [create => 'customer'],
        [assign => 'former', 'former'],
        [assign => 'former', undef]
    ],
    [   'taken again from the queue',
        [create => 'customer', 'former'],
        [assign => 'former', undef],
        [write => 'agent']
    ],
    [   'closed',
        [create => 'customer', 'agent'],
        [status => 'agent', 'closed']
    ],
    [   'closed in the queue',
        [create => 'customer'],
        [status => 'customer', 'closed']
    ],
    [   'archived',
        [create => 'customer', 'agent'],
        [status => 'customer', 'archived']
    ],
    ['deleted', [create => 'customer', 'agent'], [delete => 'agent']],
);

my $server = CSChat::Server->new(
    machines => 2,
    workers => 2,
    worker_env => {CS_CHAT_PRESENCE_INTERVAL => 0},
);
$server->wait_log("worker-$_", qr/"held":32/) or die "no even shares\n"
    for 1, 2;
my @processes = map {
    my $machine = $_;
    map { {machine => $machine, pid => $_} } $server->nginx_pids($machine)
} 0, 1;

# "super" and "on" are super-agents; "on" looks on, but for one tab, and
# "looker" wherever they may
my %client = (
    customer => $server->client('customer1'),
    stranger => $server->client('customer2'),
    agent => $server->client('agent1'),
    super => $server->client('agent2'),
    on => new_user($server, 'super-agent'),
    map({ $_ => new_user($server, 'agent') } qw(former other looker)),
);
my @people = sort keys %client;
my %id = map { $_ => $client{$_}->id } @people;
my %user_of;  # by the name of a socket

# the seeded chats would tell their customers of their agents
$client{super}->delete("chats/$_")
    for map { $_->{id} } map { @{$client{super}->get($_)->{data}} }
    qw(chats archived-chats);

my $audience = CSChat::Audience->new($server);
for my $user (@people) {
    open_socket($user, $_) for 0 .. $#processes;
}
open_socket('on', 1, 'on-tab');
shows_up($_) for @people;
$audience->forget;

# What is known of the chat at hand: {id, agent (a name), former => {name =>
# 1}, status, joined => {socket => 1}, seq, writer (of the last message)}
my $chat;
my $turn = 0;

sub table {
    my ($text) = @_;
    my (undef, undef, @rows) = split /\n/, $text;
    my %table;

    for my $row (@rows) {
        my ($relation, @cells) = split /\s{2,}/, $row;
        die "table: $row\n" if @cells != 8;
        @{$table{$relation}}{
            qw(new_chat new_message chat_assigned chat_status_updated
                chat_deleted user_typing messages_read user_status_change)
        } = @cells;
    }
    return %table;
}

sub open_socket {
    my ($user, $process, $name) = @_;

    $name //= "$user-$process";
    $user_of{$name} = $user;
    $audience->add($name, $client{$user}->websocket(%{$processes[$process]}));
    return;
}

# Until all is told of a person's having come: what they do then is told later.
sub shows_up {
    my ($user) = @_;

    for (['user_disconnected', JSON::PP::false], ['user_connected', JSON::PP::true]) {
        my ($type, $is) = @$_;
        $client{$user}->put('users/status', {isOnline => $is});
        $audience->socket('super-0')
            ->expect($type, undef, sub { $_[0]{userId} eq $id{$user} })
            or die "$user: no $type\n";
    }
    return;
}

# How the user of a socket stands to the chat: a row of the table.
sub relation {
    my ($name) = @_;
    my $user = $user_of{$name};
    my $joined = $chat->{joined}{$name} ? ', joined' : '';

    return 'another customer' if $user eq 'stranger';
    return 'its customer' . ($chat->{status} eq 'archived' ? ', archived' : '')
        if $user eq 'customer';
    return 'its agent' if $user eq ($chat->{agent} // '');
    return "super-agent$joined" if $user =~ /^(?:super|on)$/;
    return "an agent, queue$joined" if !defined $chat->{agent};
    return $chat->{former}{$user} ? 'former agent' : 'another agent';
}

# What the table says of every socket: name => cell
sub cells {
    my ($event) = @_;

    return {} if !$chat->{id};
    return {map { $_ => $hears{relation($_)}{$event} } $audience->names};
}

sub hearers {
    my ($event) = @_;
    my $cells = cells($event);

    return {map { $_ => 1 } grep { $cells->{$_} eq 'yes' } keys %$cells};
}

sub sees {
    my ($user) = @_;
    return $chat->{id} && hearers('new_message')->{"$user-0"};
}

# The socket by which a person acts: it is another one in every state.
sub acting {
    my ($user) = @_;
    my ($place) = grep { $people[$_] eq $user } 0 .. $#people;

    return "$user-" . ($turn + $place) % @processes;
}

# Tests that all of these hear something of the chat, and no others anything.
sub is_heard {
    my ($name, %want) = @_;
    my $id = $want{id} // $chat->{id};
    delete $want{id};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $audience->exactly(\%want, $name);
    my @foreign = grep { ($_->{data}{chatId} // $_->{data}{id}) ne $id }
        map {@$_} values %$got;
    ok(!@foreign, "$name: of this chat") or diag explain \@foreign;
    return $got;
}

sub all_hear {
    my ($name, $hearers, @types) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_heard($name, map { $_ => [@types] } keys %$hearers);
}

sub done_with {
    my ($status, $name, $got) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $got, $status, $name or BAIL_OUT($name);
    return;
}

# ---- the way to a state ----------------------------------------------------

my %step = (
    create => \&create,
    write => \&write_message,
    assign => \&assign,
    status => \&set_status,
    delete => \&delete_chat,
);

sub create {
    my ($user, $agent) = @_;
    my ($status, $json) = $client{super}->post('chats',
        {customerId => $id{$user}, agentId => $agent && $id{$agent}});

    done_with(201, 'a new chat', $status);
    $chat = {
        id => $json->{data}{id},
        agent => $agent,
        status => 'active',
        seq => 0,
    };
    all_hear('a new chat', hearers('new_chat'), 'new_chat');
    join_all();
    write_message($user);
    return;
}

# Who looks on joins wherever they may, and some sockets that need not.
sub join_all {
    my @sockets = grep {/^(?:on-\d|looker-\d|customer-0|agent-[02]|former-[02])$/}
        $audience->names;

    for my $name (grep { sees($user_of{$_}) } @sockets) {
        my $answer = $audience->socket($name)
            ->ask(join_chat => {chatId => $chat->{id}});
        done_with('joined', "$name joins", $answer->{type});
        $chat->{joined}{$name} = 1;
    }
    return;
}

sub write_message {
    my ($user) = @_;
    my $takes = !defined $chat->{agent} && $user ne 'customer';
    my $before = hearers('chat_assigned');
    my $answer = $audience->socket(acting($user))
        ->ask(send_message => {chatId => $chat->{id}, content => 'Hello'});

    done_with('message_ack', "$user writes", $answer->{type});
    @$chat{qw(seq writer)} = ($chat->{seq} + 1, $user);
    $takes
        ? changes_hands("$user writes", $user, $before, 'new_message')
        : all_hear("$user writes", hearers('new_message'), 'new_message');
    return;
}

sub assign {
    my ($user, $agent) = @_;
    my $before = hearers('chat_assigned');
    my ($status) = $client{$user}->put("chats/$chat->{id}/assign",
        {agentId => $agent && $id{$agent}});
    my $name = "$user assigns to " . ($agent // 'nobody');

    done_with(200, $name, $status);
    changes_hands($name, $agent, $before);
    join_all();
    return;
}

# Who gains the chat gets it first; who loses it gets nothing after that.
sub changes_hands {
    my ($name, $agent, $before, @then) = @_;

    $chat->{former}{$chat->{agent}} = 1 if defined $chat->{agent};
    delete $chat->{former}{$agent} if defined $agent;
    $chat->{agent} = $agent;
    my $after = hearers('chat_assigned');
    delete $chat->{joined}{$_} for grep { !$after->{$_} } $audience->names;

    my %want;
    for my $socket (keys %{{%$before, %$after}}) {
        push @{$want{$socket}}, 'new_chat'
            if $after->{$socket}
            && (!$before->{$socket} || relation($socket) =~ /queue/);
        push @{$want{$socket}}, 'chat_assigned';
        push @{$want{$socket}}, @then if $after->{$socket};
    }
    is_heard($name, %want);
    return;
}

sub set_status {
    my ($user, $status) = @_;
    my ($is) = $client{$user}->put("chats/$chat->{id}/status",
        {status => $status});

    done_with(200, "$status by $user", $is);
    $chat->{status} = $status;
    all_hear("$status by $user", hearers('chat_status_updated'),
        'chat_status_updated');
    return;
}

sub delete_chat {
    my ($user) = @_;
    my $hearers = hearers('chat_deleted');
    my ($status) = $client{$user}->delete("chats/$chat->{id}");

    done_with(200, "$user deletes it", $status);
    all_hear("$user deletes it", $hearers, 'chat_deleted');
    $chat = {gone => $chat->{id}, status => 'gone'};
    return;
}

# ---- what is asked in every state ------------------------------------------

# Those who may write without a change of the chat's state.
sub writers {
    return if $chat->{status} eq 'archived';
    return grep {
        $_ eq 'customer' ? $chat->{status} ne 'closed' : defined $chat->{agent}
    } grep { sees($_) } @people;
}

sub types {
    my ($user) = @_;
    my $socket = $audience->socket(acting($user));
    my $hearers = hearers('user_typing');

    delete $hearers->{$_} for grep { $user_of{$_} eq $user } keys %$hearers;
    for my $way (qw(start stop)) {
        $socket->send("typing_$way" => {chatId => $chat->{id}});
        all_hear("$user types: $way", $hearers, 'user_typing');
    }
    return;
}

sub marks {
    my ($user) = @_;
    my $hearers = hearers('messages_read');

    $hearers->{$_} = 1 for grep { $user_of{$_} eq $user } $audience->names;
    delete $hearers->{acting($user)};
    $audience->socket(acting($user))
        ->send(mark_read => {chatId => $chat->{id}, seq => $chat->{seq}});
    all_hear("$user reads", $hearers, 'messages_read');
    return;
}

# A person is shown offline and online again.
sub comes_and_goes {
    my ($user) = @_;
    my $cells = cells('user_status_change');
    my $agent = $user eq ($chat->{agent} // '');
    my @hearers = grep {
        ($cells->{$_} // $hears{relation($_)}{user_status_change})
            =~ ($agent ? qr/all|agent/ : qr/all/)
    } $audience->names;

    for my $is (JSON::PP::false, JSON::PP::true) {
        $client{$user}->put('users/status', {isOnline => $is});
        my $type = $is ? 'user_connected' : 'user_disconnected';
        $audience->exactly({map { $_ => ['user_status_change', $type] } @hearers},
            "$user " . ($is ? 'comes' : 'goes'));
    }
    return;
}

# To those who do not see it there is no such chat.
sub knocks {
    my ($user) = @_;
    my $socket = $audience->socket(acting($user));
    my $id = $chat->{id} // $chat->{gone};
    my %asks = (
        join_chat => {},
        send_message => {content => 'Hello'},
        typing_start => {},
        mark_read => {seq => 1},
    );

    for my $type (sort keys %asks) {
        my $answer
            = $socket->ask($type => {%{$asks{$type}}, chatId => $id}, 'none');
        is $answer && $answer->{data}{code}, 'CHAT_NOT_FOUND',
            "$user is refused $type";
    }
    $audience->exactly({}, "nobody hears of $user");
    return;
}

for (@states) {
    my ($state, @steps) = @$_;

    subtest $state => sub {
        for (@steps) {
            my ($step, @more) = @$_;
            $step{$step}->(@more);
        }

        my @seeing = grep { sees($_) } @people;
        types($_) for @seeing;
        write_message($_) for writers();
        marks($_) for grep { $_ ne $chat->{writer} } @seeing;
        comes_and_goes($_) for qw(agent customer former super);
        knocks($_) for grep { !sees($_) } @people;

        return if !$chat->{id};
        my $status = $chat->{status};
        set_status('super', $status eq 'closed' ? 'active' : 'closed');
        set_status('on', $status);
        delete_chat('super');
    };
    $turn++;
}

$server->finish;
done_testing;
