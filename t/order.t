# Protects the order of messages: whatever comes late, twice or not at all over
# Redis, each socket sees the numbers of a chat rise without a gap, or is told
# to resync first.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(
    machines => 2,
    nginx_workers => 1,
    directives => sub {

        # the second one waits for nothing, and remembers next to nothing
        return $_[0] == 0
            ? 'cs_chat_order_wait 1s;'
            : 'cs_chat_order_wait 1m; cs_chat_order_buffer 64k;'
            . ' cs_chat_order_chats 2;';
    },
);
my ($customer, $agent) = map { $server->client($_) } qw(customer1 agent1);
my $bystander = new_user($server, 'customer');
my $here = $customer->websocket;
my $there = $customer->websocket(machine => 1);
my $other = $bystander->websocket;
my ($chats, $events) = (0, 0);

# An id of a chat that the database does not know.
sub chat_id { return sprintf '00000000-0000-4000-8000-%012d', ++$chats }

sub publish {
    my ($chat, $seq, $body) = @_;

    $events++;
    return $server->redis('PUBLISH', 'cs_chat:events',
        "CSC1 E src=order n=$events topics=user:@{[ $customer->id ]}"
            . ($seq ? " type=message chat=$chat seq=$seq" : " type=chat chat=$chat")
            . "\n$body");
}

# Messages as a chat worker publishes them, a text for an event without number.
sub say {
    my ($chat, @what) = @_;

    for my $what (@what) {
        my ($seq, $type)
            = $what =~ /^\d+$/ ? ($what, 'new_message') : (0, $what);
        publish($chat, $seq,
            qq({"type":"$type","data":{"chatId":"$chat","seq":$seq}}));
    }
    return;
}

# What a socket got of a chat up to now: numbers and types.
sub got {
    my ($socket, $chat) = @_;

    return join ' ', map {
        $_->{type} eq 'new_message' ? $_->{data}{seq} : $_->{type}
        }
        grep {
        $_->{type} ne 'user_status_change'
            && ($_->{chatId} // $_->{data}{chatId} // '') eq $chat
        } arrived($socket);
}

# All events up to a mark that goes the way of all others.
my $marks = 0;

sub arrived {
    my ($socket) = @_;
    my @events;

    publish(chat_id(), 0, '{"type":"mark","data":' . ++$marks . '}');
    while (my $event = $socket->next) {
        return @events
            if $event->{type} eq 'mark' && $event->{data} == $marks;
        push @events, $event if $event->{type} ne 'mark';
    }
    die "no mark came\n";
}

subtest 'what comes twice' => sub {
    my $chat = chat_id();

    say($chat, 1, 1, 2, 1, 2, 3, 3, 4);
    is(got($here, $chat), '1 2 3 4', 'is heard once');
    say($chat, 3);
    is(got($here, $chat), '', 'later too');
    $chat = chat_id();
    say($chat, 17, 18);
    is(got($here, $chat), '17 18', 'a chat may be met anywhere');
    say($chat, 'status', 'status');
    is(got($here, $chat), 'status status', 'what has no number is passed on');
};

subtest 'what comes late' => sub {
    my $chat = chat_id();

    say($chat, 1, 3);
    is(got($here, $chat), '1', 'is waited for');
    say($chat, 2);
    is(got($here, $chat), '2 3', 'and takes its place');
    say($chat, 6, 5, 'status', 7, 5, 6, 9);
    is(got($here, $chat), '', 'those behind it wait in their order');
    say($chat, 4);
    is(got($here, $chat), '4 5 6 status 7', 'up to the next gap');
    say($chat, 8, 10);
    is(got($here, $chat), '8 9 10', 'then on');
    my $quiet = chat_id();
    say($chat, 12);
    say($quiet, 1, 2);
    is(got($here, $quiet), '1 2', 'other chats do not wait');
    say($chat, 11);
    is(got($here, $chat), '11 12', 'none is forgotten');
    ok($here->none('resync'), 'nobody has to resync');
};

subtest 'what is lost on its way' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);

    $customer->post("chats/$chat/messages", {content => 'one'});
    $server->sql(
        "INSERT INTO messages (chat_id, sender_id, content, seq)
         SELECT '$chat', '@{[ $customer->id ]}', 'lost', n
           FROM generate_series(2, 4) n;
         UPDATE chats SET last_seq = 4 WHERE id = '$chat'"
    );
    my $five = $here->ask(send_message => {chatId => $chat, content => 'five'});
    is($five->{data}{seq}, 5, 'three messages went by unheard');
    for my $socket ($here, $there) {
        is_deeply(
            [   map {
                    $socket->expect('new_message', undef,
                        sub { $_[0]{chatId} eq $chat })->{data}{content}
                } 1 .. 5
            ],
            [qw(one lost lost lost five)],
            'the chat worker is asked for them'
        );
        ok($socket->none('resync'), 'without a resync');
    }
    ok($server->wait_log('nginx-0', qr/after number 1 of chat $chat are missing/),
        'the log tells of it');
};

subtest 'what can not be had' => sub {
    my $chat = chat_id();

    say($chat, 1, 4, 'status', 5, 8);
    is(got($here, $chat), '1', 'is waited for');
    my @events = map { $here->next } 1 .. 6;
    is(join(' ', map { $_->{data}{seq} || $_->{type} } @events),
        'resync 4 status 5 resync 8', 'for so long; then a resync comes first');
    is($events[0]{chatId}, $chat, 'which names the chat');
    ok(length $events[0]{data}{reason}, 'and the reason');
    say($chat, 9, 7);
    is(got($here, $chat), '9', 'then it goes on');
    ok($other->none('resync'), 'others have nothing to do with it');
    ok($server->wait_log('nginx-0', qr/\[warn\].*number 1 of chat $chat did not/),
        'the log tells of it');
};

subtest 'what is too much to wait' => sub {
    my $chat = chat_id();
    my $large = 'x' x 30_000;
    arrived($there);

    publish($chat, $_, qq({"type":"new_message","data":{"chatId":"$chat",)
            . qq("seq":$_,"content":"$large"}}))
        for 1, 3, 4, 6;
    is(got($there, $chat), '1 resync 3 4 resync 6',
        'does not: there is a limit');
    say($chat, 7);
    is(got($there, $chat), '7', 'it goes on');
};

subtest 'many chats' => sub {
    my @chats = map { chat_id() } 1 .. 3;
    arrived($there);

    say($chats[0], 1, 3);
    say($chats[1], 1);
    is(got($there, $chats[0]), '1', 'what waits');
    say($chats[2], 1);
    is(got($there, $chats[0]), 'resync 3', 'waits no longer for a chat that is'
            . ' forgotten for others');
    say($chats[1], 2);
    say($chats[2], 2);
    is(got($there, $chats[2]), '2', 'the last ones are known');
    say($chats[0], 3);
    is(got($there, $chats[0]), '3', 'the forgotten one is met anew');
};

subtest 'what came by a join' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);
    $server->sql(
        "INSERT INTO messages (chat_id, sender_id, content, seq)
         SELECT '$chat', '@{[ $customer->id ]}', 'x', n
           FROM generate_series(1, 3) n;
         UPDATE chats SET last_seq = 3 WHERE id = '$chat'"
    );
    my $joined = $customer->websocket;
    is($joined->ask(join_chat => {chatId => $chat, afterSeq => 0})
            ->{data}{lastSeq}, 3, 'a socket that joins');
    arrived($_) for $here, $joined;

    # as one that takes over publishes what its predecessor may not have
    say($chat, 1, 2, 3);
    is(got($joined, $chat), '', 'does not get again what it had by that');
    is(got($here, $chat), '1 2 3', 'but others get it');
    say($chat, 4);
    is(got($joined, $chat), '4', 'it gets what follows');
    is(got($here, $chat), '4', 'as they do');
    $joined->close;
};

subtest 'after a pause' => sub {
    my $chat = chat_id();

    say($chat, 1, 3);
    is(got($here, $chat), '1', 'before');
    $server->redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
    ok($here->expect('resync', 10), 'the subscription breaks: all are told');
    $server->wait_ready;
    $events = 0;  # to the process a worker that is new
    say($chat, 7);
    is(got($here, $chat), '7', 'nothing is expected of the chats any more');
};

$server->finish;
done_testing;
