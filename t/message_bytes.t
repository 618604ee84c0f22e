# Protects that a message is the same bytes whoever wrote it down: the worker,
# when it is stored, and the database, when it is read; whatever is in it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Server;

my $server = CSChat::Server->new;
my ($customer, $agent) = map { $server->client($_) } qw(customer1 agent1);

# all that JSON escapes, and what it need not
my $odd = join '', map({ chr } 1 .. 31), qq{ "quoted" \\ / },
    "\x{7f} \x{e9} \x{2028} \x{1f600}";
$server->sql("UPDATE users SET name = U&'\\0001 \"A\" \\\\ /', avatar ="
    . " U&'https://x.example/\\00E9?\"' WHERE username = 'customer1'");

my $chat = $customer->new_chat(agentId => $agent->id);
my $socket = $agent->websocket;
my $own = $customer->websocket;

my @sent = (
    {content => 'plain'},
    {content => $odd, clientId => "c $odd"},
    {content => $odd, messageType => 'image'},
);

# What the agent hears of each, and what the sender of a POST is told.
my (@events, @replies);
for my $fields (@sent) {
    $own->send(send_message => {chatId => $chat, %$fields});
    push @events, $socket->expect('new_message');

    my %post = %$fields;
    $post{clientId} .= ' again' if exists $post{clientId};
    my (undef, undef, $answer) = $customer->post("chats/$chat/messages", \%post);
    push @replies, $answer->{body};
    push @events, $socket->expect('new_message');
}

is $server->sql("SELECT string_agg(customer_seq || ' ' || agent_seq, ',')
    FROM chats WHERE id = '$chat'"), '6 0', 'all went the short way';

my $reader = $agent->websocket;
$reader->send(join_chat => {chatId => $chat, afterSeq => 0});
for my $event (@events) {
    my $again = $reader->expect('new_message');
    is $again->{raw}, $event->{raw},
        "message $event->{data}{seq} as it was, and as it is read";
}
is $events[2]{data}{content}, $odd, 'with the content that was sent';
is $events[2]{data}{clientId}, "c $odd", 'the clientId';
is $events[2]{data}{sender}{name}, "\x01 \"A\" \\ /", 'and the name';

for my $i (0 .. $#replies) {
    my ($data) = $events[2 * $i + 1]{raw}
        =~ /^\{"type":"new_message","data":(.*),"chatId":"[^"]*"\}\z/s;
    is $replies[$i], qq({"success":true,"data":$data}),
        'the reply has the bytes of the event';
}

done_testing;
