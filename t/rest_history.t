# Protects the pages of a chat's history: limit, offset, before and after.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new;
my ($customer, $other, $agent, $super) = map {
    $server->client(undef, token => $server->signed_token($_))
} qw(customer1 customer2 agent1 agent2);
my $chat = $customer->new_chat(agentId => $agent->id);

# 230 messages, a second apart
$server->sql(
    "INSERT INTO messages (chat_id, sender_id, content, created_at, seq)
     SELECT '$chat', '@{[ $customer->id ]}', 'm' || n,
            '2025-01-01'::TIMESTAMP + n * interval '1 second', n
       FROM generate_series(1, 230) n;
     UPDATE chats SET last_seq = 230 WHERE id = '$chat'"
);

sub page {
    my ($query) = @_;
    my ($status, $json) = $customer->get("chats/$chat/messages?$query");

    return $status == 200 && ref $json->{data} eq 'ARRAY'
        ? [map { $_->{seq} } @{$json->{data}}]
        : "status $status";
}

subtest 'what a page holds' => sub {
    my $list
        = given([$customer->get("chats/$chat/messages")], 200, 'a page');
    is_deeply [map { $_->{seq} } @$list], [181 .. 230],
        'the last 50, oldest first';
    is_message($list->[0], 'a message');
    is $list->[0]{timestamp}, '2025-01-01T00:03:01.000000Z', 'its time';
    is_deeply [map { $_->{content} } @$list], [map {"m$_"} 181 .. 230],
        'their contents';
    is $customer->get("chats/$chat/messages/")->{data}[0]{seq}, 181,
        'with a slash behind';

    my $empty = $customer->new_chat;
    my ($status, $json, $answer) = $customer->get("chats/$empty/messages");
    like $answer->{body}, qr/"data":\[\]/, 'an empty chat gives []';
    is_deeply $customer->get("chats/$empty/messages?after=5")->{data}, [],
        'behind its end too';
};

subtest 'limit and offset' => sub {
    is_deeply page('limit=1'), [230], 'limit=1';
    is_deeply page('limit=200'), [31 .. 230], 'limit=200';
    is_deeply page('limit=3&offset=0'), [228 .. 230], 'offset=0';
    is_deeply page('limit=3&offset=10'), [218 .. 220],
        'offset counts from the newest';
    is_deeply page('limit=5&offset=228'), [1, 2], 'at the beginning';
    is_deeply page('offset=230'), [], 'beyond it';
    is_deeply page('offset=2147483647'), [], 'far beyond it';
};

subtest 'before' => sub {
    is_deeply page('before=231&limit=2'), [229, 230], 'a seq';
    is_deeply page('before=11&limit=3'), [8 .. 10], 'in the middle';
    is_deeply page('before=3'), [1, 2], 'near the beginning';
    is_deeply page('before=1'), [], 'at it';
    is_deeply page('before=0'), [], 'before it';
    is_deeply page('before=9223372036854775807&limit=1'), [230],
        'the highest number';

    my %times = (
        '2025-01-01T00:00:11Z' => [8 .. 10],
        '2025-01-01T00:00:11.000001Z' => [9 .. 11],
        '2025-01-01T00:00:10.999999Z' => [8 .. 10],
        '2025-01-01t00:00:11z' => [8 .. 10],
        '2025-01-01T02:00:11%2B02:00' => [8 .. 10],
        '2025-01-01T02:00:11+02:00' => [8 .. 10],
        '2024-12-31T22:30:11-01:30' => [8 .. 10],
        '2024-12-31T23:59:59Z' => [],
        '2999-12-31T23:59:59Z' => [228 .. 230],
    );
    is_deeply page("before=$_&limit=3"), $times{$_}, $_ for sort keys %times;
};

subtest 'after' => sub {
    is_deeply page('after=0'), [1 .. 50], 'the next 50';
    is_deeply page('after=10&limit=3'), [11 .. 13], 'with a limit';
    is_deeply page('after=228'), [229, 230], 'near the end';
    is_deeply page('after=230'), [], 'at it';
    is_deeply page('after=9223372036854775807'), [], 'beyond it';
};

subtest 'the same however it is read' => sub {
    my (@forward, @backward, @offsets);

    for (my $after = 0; my @page = @{page("after=$after&limit=37")};) {
        push @forward, @page;
        $after = $page[-1];
    }
    for (my $before = 1000; my @page = @{page("before=$before&limit=37")};) {
        unshift @backward, @page;
        $before = $page[0];
    }
    for (my $offset = 0; my @page = @{page("offset=$offset&limit=37")};) {
        unshift @offsets, @page;
        $offset += @page;
    }
    is_deeply \@forward, [1 .. 230], 'by after';
    is_deeply \@backward, [1 .. 230], 'by before';
    is_deeply \@offsets, [1 .. 230], 'by offset';
};

subtest 'what is refused' => sub {
    for my $query (
        'limit=0', 'limit=201', 'limit=-1', 'limit=ten', 'limit=',
        'offset=-1', 'offset=1.0', 'offset=', 'offset=99999999999999999999',
        'before=', 'before=-1', 'before=x', 'before=1e3',
        'before=9223372036854775808', 'before=2025-01-01',
        'before=2025-01-01T00:00:00', 'before=2025-02-30T00:00:00Z',
        'before=2025-13-01T00:00:00Z', 'before=2025-01-01T24:00:00Z',
        'before=2025-01-01T00:00:00.Z', 'before=2025-01-01T00:00:00Zx',
        "before=2025-01-01T00:00:00Z'--", 'before=now', 'before=infinity',
        'after=', 'after=-1', 'after=x', 'after=2025-01-01T00:00:00Z',
        'after=9223372036854775808', 'limit=%31%00', 'after=%ff',
        'offset=1&before=5', 'offset=0&after=5', 'before=5&after=1',
        'offset=1&before=5&after=1',
        )
    {
        refused([$customer->get("chats/$chat/messages?$query")],
            400, 'INVALID_INPUT', $query);
    }
    is_deeply page('limit=%32&unknown=%25'), [229, 230],
        'numbers may be encoded, others are passed over';
};

subtest 'who sees it' => sub {
    for my $client ($customer, $agent, $super) {
        given([$client->get("chats/$chat/messages?limit=1")], 200, 'those');
    }
    refused([$other->get("chats/$chat/messages")],
        404, 'CHAT_NOT_FOUND', 'a stranger does not');
    refused([$super->get('chats/' . unknown_id() . '/messages')],
        404, 'CHAT_NOT_FOUND', 'no such chat');
    refused([$other->get("chats/$chat/messages?limit=x")],
        400, 'INVALID_INPUT', '400 goes before 404');
};

subtest 'reading is not having read' => sub {
    my $unread = $agent->get("chats/$chat")->{data}{unreadCount};
    is $unread, 230, 'unread';
    $agent->get("chats/$chat/messages?limit=200");
    is $agent->get("chats/$chat")->{data}{unreadCount}, 230,
        'a page changes nothing';
};

$server->finish;
done_testing;
