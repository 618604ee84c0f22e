# Protects nginx's memory from a Redis that hangs: only so much waits for it,
# what is above that is refused at once, and afterwards all goes on.

use strict;
use warnings;

use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

# machine 0 has little room for bytes, machine 1 for requests
my @limits = ('cs_chat_redis_buffer 1m;',
    'cs_chat_max_requests 20; cs_chat_output_limit 64k;');
my $server = CSChat::Server->new(
    machines => 2,
    nginx_workers => 1,
    directives => sub {"$limits[$_[0]] cs_chat_request_timeout 30s;"},
    worker_env => {CS_CHAT_PRESENCE_GRACE => '0s'},
);
my $customer = $server->client('customer1');
my $agent = $server->client('agent1');
my $chat = $customer->new_chat(agentId => $agent->id);
my $path = "chats/$chat/messages";
my @waiting;  # connections whose requests await Redis

# A message of some length: the rest of it is white space.
sub message {
    my ($content, $length) = @_;
    my $text = qq({"content":"$content"});

    return $text . ' ' x ($length - length $text);
}

# Sends a request and leaves its answer for later.
sub post_only {
    my ($machine, $body) = @_;
    my $http = $server->connection(machine => $machine);

    $http->write(
        $http->request_text(
            'POST', "/api/$path",
            headers => [
                Authorization => 'Bearer ' . $customer->token,
                'Content-Type' => 'application/json'
            ],
            body => $body
        )
    );
    return $http;
}

# The resident memory of a process, in KB.
sub memory {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or die "/proc/$pid: $!\n";
    my ($kb) = join('', <$fh>) =~ /^VmRSS:\s*(\d+)/m;
    return $kb;
}

sub flat {
    my ($pid, $before) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return if $ENV{SANITIZE};  # which keeps what is freed
    ok wait_until(10, sub { memory($pid) - $before < 8 * 1024 }),
        'memory does not grow'
        or diag memory($pid) . " KB instead of $before";
    return;
}

# The links to Redis may be given up while it hangs longer than was meant.
sub given_up {
    my ($machine) = @_;

    return $server->log_text("nginx-$machine") =~ /no sign of life/;
}

sub thaw {
    my ($machine) = @_;
    my @statuses;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $server->thaw_part('redis');
    push @statuses, $_->answer->{status} for @waiting;
    @waiting = ();
    my $want = given_up($machine) ? qr/^(?:201|504)$/ : qr/^201$/;
    is scalar(grep { !/$want/ } @statuses), 0, 'what waited is carried out';
    $server->wait_ready;
    return;
}

subtest 'bytes that wait for Redis' => sub {
    my ($pid) = $server->nginx_pids(0);
    my $socket = $customer->websocket(machine => 0);
    my $there = $agent->websocket(machine => 0);
    my $large = message('large', 200_000);
    my $refused;

    given([$customer->post($path, $large)], 201, 'a large message')
        for 1 .. 10;
    my $before = memory($pid);

    $server->freeze_part('redis');
    for my $n (1 .. 10) {
        my $http = post_only(0, $large);
        # an answer now is a refusal
        $refused = eval { $http->answer(timeout => 0.5) } and last;
        push @waiting, $http;
    }
    cmp_ok scalar(@waiting), '>=', 5, 'some wait';
    cmp_ok scalar(@waiting), '<=', 6, 'up to the limit';
    is $refused->{status}, 503, 'the next one is refused';
    is decode_json($refused->{body})->{code}, 'BACKEND_UNAVAILABLE', 'as that';
    ok $refused->{headers}{'retry-after'}, 'and its client told when to repeat';

    my $began = time;
    my %statuses;
    $statuses{($customer->post($path, $large))[0]}++ for 1 .. 100;
    is_deeply \%statuses, {503 => 100}, 'so are a hundred others';
    my $data = $socket->ask(send_message => {
        chatId => $chat, clientId => 'refused', content => 'x' x 100_000})->{data};
    is $data->{code}, 'BACKEND_UNAVAILABLE', 'and an event of a WebSocket';
    is $data->{clientId}, 'refused', 'whose sender is told which';
    ok $socket->ask(ping => {}), 'the socket stays';
    flat($pid, $before);
    like $server->log_text('nginx-0'),
        qr/\[error\].* bytes wait for Redis: what else is to go to Redis is refused/,
        'the log says so';

    thaw(0);
    given([$customer->post($path, $large)], 201, 'then all goes on');
    my $ack = $socket->ask(send_message =>
            {chatId => $chat, clientId => 'refused', content => 'again'});
    is $ack->{type}, 'message_ack', 'what was refused can be sent again';
    is $there->expect('new_message', undef,
        sub { $_[0]{content} eq 'again' })->{data}{seq}, $ack->{data}{seq},
        'and is heard';
    $_->close for $socket, $there;
};

subtest 'requests that await an answer' => sub {
    my $socket = $customer->websocket(machine => 1);
    my $other = $server->client('customer1', machine => 1);
    my $leaver = $server->client(undef,
        token => $server->signed_token('customer2'), machine => 1);

    $server->freeze_part('redis');
    $socket->send(send_message =>
            {chatId => $chat, clientId => "many-$_", content => "Number $_"})
        for 1 .. 30;
    my @refused = map { $socket->expect('error') } 1 .. 10;
    is_deeply [map { $_->{data}{clientId} } @refused],
        [map {"many-$_"} 21 .. 30], 'what is above the limit is refused';
    is_deeply [map { $_->{data}{code} } @refused],
        [('BACKEND_UNAVAILABLE') x 10], 'as that';
    refused([$other->get('users/me')], 503, 'BACKEND_UNAVAILABLE',
        'so is a request over HTTP');
    refused([$leaver->post('auth/logout')], 503, 'BACKEND_UNAVAILABLE',
        'and one for Redis itself');
    ok !defined $socket->expect('error', 0.1), 'the others wait';
    refused([$leaver->get('users/me')], 401, 'INVALID_TOKEN',
        'but here the token is known to be revoked');
    like $server->log_text('nginx-1'),
        qr/\[error\].* 20 requests await an answer: /, 'the log says so';

    thaw(1);
    my $acks = 0;
    $socket->expect('message_ack') && $acks++ for 1 .. 20;
    is $acks, 20, 'the others are answered' if !given_up(1);
    given([$other->get('users/me')], 200, 'then all goes on');
    my $elsewhere = $server->client(undef, token => $leaver->token);
    ok wait_until(20, sub { ($elsewhere->get('users/me'))[0] == 401 }),
        'and all hear of the token that was revoked';
};

subtest 'requests that the chat worker does not answer' => sub {
    my ($pid) = $server->nginx_pids(0);
    my $before = memory($pid);
    my $large = message('worker', 200_000);

    my $published = sub {
        ($server->redis('INFO', 'commandstats')
                =~ /^cmdstat_publish:calls=(\d+)/m)[0];
    };

    $server->freeze_part('worker-1');
    for my $n (1 .. 40) {
        my $calls = $published->();
        push @waiting, post_only(0, $large);
        wait_until(10, sub { $published->() > $calls })
            or fail 'a request is with Redis';
    }
    flat($pid, $before);
    $server->thaw_part('worker-1');
    my %statuses;
    $statuses{$_->answer->{status}}++ for splice @waiting;
    is $statuses{201} // 0, 40, 'each is answered in the end';
};

subtest 'events that a join holds back' => sub {
    my $looker = new_user($server, 'super-agent');
    my $socket = $looker->websocket(machine => 1);
    my $event = sub {
        my ($n, $length) = @_;
        my $text = 'x' x $length;

        $server->redis('PUBLISH', 'cs_chat:events',
            "CSC1 E src=elsewhere n=$n topics=chat:$chat\n"
                . qq({"type":"made_up","data":{"n":$n,"text":"$text"}}));
    };

    for my $enough (1, 0) {
        my $join = {chatId => $chat, afterSeq => 1_000_000};
        my $first = $enough ? 1 : 3;

        $server->freeze_part('worker-1');
        $socket->send(join_chat => $join);
        $socket->ask(ping => {});  # the join was read
        $event->($first, $enough ? 100 : 40_000);
        $event->($first + 1, $enough ? 100 : 40_000);
        ok $socket->none('made_up'), 'nothing is seen before the answer';
        $server->thaw_part('worker-1');
        is $socket->expect('made_up')->{data}{n}, $first, 'then the first is';
        if ($enough) {
            is $socket->expect('made_up')->{data}{n}, 2, 'and the second';
            ok $socket->none('resync'), 'that was all';
            $socket->ask(leave_chat => {chatId => $chat});
        } else {
            ok $socket->expect('resync'),
                'too much was held: the socket is told to look again';
            ok $socket->none('made_up'), 'what found no room is not seen';
        }
    }
    $socket->close;
};

subtest 'presence that found no room' => sub {
    my $user = new_user($server);
    my $large = message('presence', 200_000);
    my $watcher = $server->websocket('agent2', machine => 1);

    $server->freeze_part('redis');
    for (1 .. 10) {
        push @waiting, post_only(0, $large);
        my $answer = eval { $waiting[-1]->answer(timeout => 0.5) } or next;
        pop @waiting;
        last;
    }
    my $socket = $user->websocket(machine => 0);
    ok $socket->{connected}, 'a socket opens all the same';
    thaw(0);
    ok $watcher->expect('user_status_change', 15,
        sub { $_[0]{userId} eq $user->id && $_[0]{isOnline} }),
        'its user is online with the next renewal';
    $socket->close;
};

$server->finish;
done_testing;
