# Protects the return of a client: "resume" brings what it missed in all of its
# chats, in order and without a gap, and says of each whether that is all.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    machines => 2,
    workers => 2,
    directives => sub {
        my ($machine) = @_;

        # the second is strict with slow readers
        return 'cs_chat_request_timeout 2s;'
            . ($machine == 1 ? ' cs_chat_output_limit 64k;' : '');
    },
);
my ($p0, $p1) = $server->nginx_pids(0);
my ($customer, $agent) = map { $server->client($_) } qw(customer1 agent1);
my $other = new_user($server, 'agent');

# Chats of both, with so many messages of so many characters.
sub chats {
    my ($chats, $messages, $length) = @_;
    my @chats = map { $customer->new_chat(agentId => $agent->id) } 1 .. $chats;

    for my $chat (@chats) {
        $server->sql(
            "INSERT INTO messages (chat_id, sender_id, content, seq)
             SELECT '$chat', '@{[ $customer->id ]}',
                    repeat('x', $length) || n, n
               FROM generate_series(1, $messages) n;
             UPDATE chats SET last_seq = $messages WHERE id = '$chat'"
        );
    }
    return @chats;
}

# Sends "resume" for pairs of chat and afterSeq; returns the numbers of the
# messages that came before its answer by chat, and the answer's chats.
sub resume {
    my ($socket, @pairs) = @_;
    my (%seqs, @chats);

    while (my ($chat, $after) = splice @pairs, 0, 2) {
        push @chats, {chatId => $chat, afterSeq => $after};
    }
    $socket->send(resume => {chats => \@chats});

    while (my $event = $socket->next) {
        return (\%seqs, $event->{data}{chats}) if $event->{type} eq 'resumed';
        push @{$seqs{$event->{data}{chatId}}}, $event->{data}{seq}
            if $event->{type} eq 'new_message';
    }
    return (\%seqs, undef);
}

sub recovered {
    my ($chat, $from, $to, %more) = @_;

    return {
        chatId => $chat,
        recovered => JSON::PP::true,
        fromSeq => $from,
        toSeq => $to,
        status => 'active',
        agentId => $agent->id,
        %more
    };
}

subtest 'what it says of each chat' => sub {
    my @chats = chats(4, 600, 10);
    my $unassigned = $customer->new_chat;
    my $closed = $customer->new_chat(agentId => $agent->id);
    $agent->put("chats/$closed/status", {status => 'closed'});
    my $socket = $agent->websocket;

    my ($seqs, $answer) = resume(
        $socket,
        $chats[0] => 590,
        $chats[1] => 600,
        $chats[2] => 100,
        $chats[3] => 99,
        $unassigned => 0,
        $closed => 0
    );
    is_deeply(
        $seqs,
        {$chats[0] => [591 .. 600], $chats[2] => [101 .. 600]},
        'all that is missing comes first, in order'
    );
    is_deeply(
        $answer,
        [   recovered($chats[0], 591, 600),
            recovered($chats[1], 601, 600),
            recovered($chats[2], 101, 600),
            {chatId => $chats[3], recovered => JSON::PP::false,
                lastSeq => 600},
            recovered($unassigned, 1, 0, agentId => undef),
            recovered($closed, 1, 0, status => 'closed'),
        ],
        'then how each stands, as asked'
    );

    ($seqs, $answer) = resume($socket, $chats[0] => 601);
    is_deeply($seqs, {}, 'a client that is ahead gets nothing');
    is_deeply(
        $answer,
        [{chatId => $chats[0], recovered => JSON::PP::false, lastSeq => 600}],
        'and is told where the chat stands'
    );

    my $upper = uc $chats[0];
    ($seqs, $answer) = resume($socket, $upper => 600);
    is($answer->[0]{chatId}, $chats[0], 'an id in upper case is taken');

    ($seqs, $answer) = resume($socket);
    is_deeply($answer, [], 'of no chat');
    $socket->close;
};

subtest 'whom a chat is not for' => sub {
    my ($mine) = chats(1, 3, 10);
    my $stranger = $other->websocket;
    my $queue = $customer->new_chat;

    my ($seqs, $answer)
        = resume($stranger, $mine => 0, unknown_id() => 0, $queue => 0);
    is_deeply($seqs, {}, 'gets none of it');
    is_deeply(
        $answer,
        [   {chatId => $mine, error => 'CHAT_NOT_FOUND'},
            {chatId => unknown_id(), error => 'CHAT_NOT_FOUND'},
            recovered($queue, 1, 0, agentId => undef),
        ],
        'and is told so, the others notwithstanding'
    );
    $customer->post("chats/$mine/messages", {content => 'not for you'});
    $customer->post("chats/$queue/messages", {content => 'for you'});
    is($stranger->expect('new_message')->{data}{content}, 'for you',
        'nor does it hear of it later');
    ok($stranger->none('new_message'), 'but of the others');
    $stranger->close;
};

subtest 'what is no resume' => sub {
    my $socket = $customer->websocket;
    my ($chat) = chats(1, 1, 10);
    my $entry = {chatId => $chat, afterSeq => 0};

    for my $wrong (
        undef,
        {},
        {chats => 'all'},
        {chats => {}},
        {chats => [$chat]},
        {chats => [{chatId => $chat}]},
        {chats => [{chatId => 'x', afterSeq => 0}]},
        {chats => [{afterSeq => 0}]},
        {chats => [{chatId => $chat, afterSeq => '0'}]},
        {chats => [{chatId => $chat, afterSeq => -1}]},
        {chats => [$entry, $entry]},
        {chats => [map { {chatId => sprintf('%08x-0000-4000-8000-%012x', $_, $_),
            afterSeq => 0} } 1 .. 101]},
    ) {
        my $error = $socket->ask(resume => $wrong, 'resumed');
        is_deeply(
            [@{$error->{data}}{qw(code field replyTo)}],
            ['INVALID_INPUT', 'chats', 'resume'],
            ($error->{data}{message} // 'no error')
        );
    }
    my $text = '{"type":"resume","data":{"chats" : [ {"x":["]",{}],"chatId":"'
        . $chat . '" , "afterSeq":0 } ] }}';
    $socket->send_text($text);
    is($socket->expect('resumed')->{data}{chats}[0]{toSeq}, 1,
        'spaces and unknown fields are no matter');
    $socket->close;
};

subtest 'a hundred chats, far more than may wait for a slow reader' => sub {
    my @chats = chats(100, 100, 400);
    my $socket = $agent->websocket(machine => 1);
    my ($seqs, $answer) = resume($socket, map { $_ => 0 } @chats);

    is(scalar(grep { "@{$seqs->{$_} // []}" eq "@{[ 1 .. 100 ]}" } @chats), 100,
        'all messages of each come, in order');
    is(scalar(grep { $_->{recovered} } @$answer), 100, 'and the answer says so');
    is_deeply([map { $_->{chatId} } @$answer], \@chats, 'in the order asked');

    # two at once
    my @half = map { [map { $_ => 90 } @chats[@$_]] } [0 .. 49], [50 .. 99];
    for my $half (@half) {
        my %list = @$half;
        $socket->send(resume => {chats =>
                [map { {chatId => $_, afterSeq => $list{$_}} } keys %list]});
    }
    is(scalar @{$socket->expect('resumed')->{data}{chats}}, 50, 'one of two');
    is(scalar @{$socket->expect('resumed')->{data}{chats}}, 50, 'and the other');
    $socket->drop;
};

subtest 'while messages come' => sub {
    my @chats = map { $customer->new_chat(agentId => $agent->id) } 1 .. 5;
    my @writers = map { $customer->websocket(%$_) } {pid => $p0}, {pid => $p1},
        {machine => 1};
    my @readers;

    # the answers to what each has sent last; who does not read is closed
    my $answered = sub {
        for my $writer (@writers) {
            $writer->expect('message_ack') for @chats;
        }
    };

    for my $round (1 .. 4) {
        for my $n (1 .. 20) {
            for my $writer (@writers) {
                $writer->send(send_message =>
                        {chatId => $_, content => "$round.$n"})
                    for @chats;
            }
            $answered->() if $n > 1;
        }
        for my $where ({pid => $p0}, {pid => $p1}) {
            my $reader = $agent->websocket(%$where);
            $reader->send(resume =>
                    {chats => [map { {chatId => $_, afterSeq => 0} } @chats]});
            push @readers, $reader;
        }
        $answered->();
    }
    $_->drain for @writers;

    my ($missed, $wrong) = (0, 0);
    # a busy machine may refuse some
    my %last = map { $_ => $server->sql(
        "SELECT last_seq FROM chats WHERE id = '$_'") } @chats;
    for my $reader (@readers) {
        my (%seen, %next, $told);
        while (my $event = $reader->next) {
            if ($event->{type} eq 'resumed') {
                $told = 1;
                for my $chat (@{$event->{data}{chats}}) {
                    my $next = $chat->{toSeq} + 1;

                    # while other chats were asked for, this one went on
                    $next++ while $seen{$chat->{chatId}}{$next};
                    $next{$chat->{chatId}} = $next;
                    $missed += grep { !$seen{$chat->{chatId}}{$_} }
                        1 .. $chat->{toSeq};
                }
            } elsif ($event->{type} eq 'new_message') {
                my ($chat, $seq) = @{$event->{data}}{qw(chatId seq)};
                $wrong++ if $told && $seq > ($next{$chat} // 0);
                $next{$chat} = $seq + 1
                    if $told && $seq == ($next{$chat} // 0);
                $seen{$chat}{$seq} = 1;
            }
            last if $told && !grep { ($next{$_} // 0) <= $last{$_} } @chats;
        }
        if (my @short = grep { ($next{$_} // 0) <= $last{$_} } @chats) {
            $missed++;
            diag('up to ', join(' ', map { $next{$_} // 'none' } @short),
                ' of ', join(' ', @last{@short}), '; ',
                $reader->{ended} || $reader->{close}
                ? 'closed' : 'open');
        }
    }
    is($missed, 0, 'all that is older comes before the answer, the rest after');
    is($wrong, 0, 'without a gap');
    $_->drop for @writers, @readers;
};

subtest 'when the worker is away' => sub {
    my ($chat) = chats(1, 2, 10);
    my $socket = $customer->websocket;

    $server->stop_part("worker-$_") for 1, 2;
    my ($seqs, $answer) = resume($socket, $chat => 0);
    is_deeply($answer,
        [{chatId => $chat, error => 'BACKEND_UNAVAILABLE'}], 'it says so');
    $server->start_worker(1);
    $server->wait_ready;
    ($seqs, $answer) = resume($socket, $chat => 0);
    is_deeply($seqs, {$chat => [1, 2]}, 'and can be asked again');

    # one deadline after the other would be far beyond what is waited for here
    my @chats = map { $customer->new_chat(agentId => $agent->id) } 1 .. 100;
    $server->freeze_part('worker-1');
    ($seqs, $answer) = resume($socket, map { $_ => 0 } @chats);
    is_deeply([map { $_->{error} } @$answer], [('BACKEND_TIMEOUT') x 100],
        'one that hangs does not keep a client waiting');
    $server->thaw_part('worker-1');
    $socket->close;
};

$server->finish;
done_testing;
