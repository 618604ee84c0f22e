# Protects the chat from clocks that differ: one machine of nginx is five
# minutes ahead, another as much behind, the chat worker a quarter of an hour.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

plan skip_all => 'faketime does not go with sanitizers' if $ENV{SANITIZE};

# the library that the program puts before others
my ($library) = map { /^LD_PRELOAD=(\S+)/ ? $1 : () }
    `faketime -f +0 env 2>/dev/null`;
plan skip_all => 'faketime is not installed' unless $library;

sub shifted {
    my ($seconds) = @_;

    return {
        LD_PRELOAD => $library,
        FAKETIME => sprintf('%+d', $seconds),
        FAKETIME_DONT_FAKE_MONOTONIC => 1,
        DONT_FAKE_MONOTONIC => 1,
    };
}

my @shifts = (300, -300);  # seconds, of the machines
my $server = CSChat::Server->new(
    machines => 2,
    nginx_workers => 1,
    main => 'env FAKETIME; env FAKETIME_DONT_FAKE_MONOTONIC; env DONT_FAKE_MONOTONIC;',
    nginx_extra_env => sub { shifted($shifts[$_[0]]) },
    worker_env => {%{shifted(-900)}, CS_CHAT_PRESENCE_GRACE => '0s'},
);
my ($ahead, $behind) = (0, 1);
my %months;
@months{qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)} = 0 .. 11;

# The seconds that a machine's clock differs, by the Date of its answer.
sub clock {
    my ($machine) = @_;
    my $date = $server->connection(machine => $machine)
        ->request('GET', '/health')->{headers}{date};
    my ($day, $month, $year, $h, $m, $s)
        = $date =~ /, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d)/;

    return timegm($s, $m, $h, $day, $months{$month}, $year) - time;
}

sub login {
    my ($username, $machine) = @_;
    my ($status, $json) = $server->client(undef, machine => $machine)->post(
        'auth/login', {username => $username, password => 'password123'});

    is $status, 200, "$username logs in on machine $machine";
    return $json->{token};
}

for ($ahead, $behind) {
    cmp_ok abs(clock($_) - $shifts[$_]), '<', 60, "machine $_ has its own time";
}

subtest 'tokens of one machine are good on the other' => sub {
    for ([$ahead, $behind], [$behind, $ahead]) {
        my ($from, $to) = @$_;
        my $token = login('customer1', $from);

        given([$server->client(undef, token => $token, machine => $to)
            ->get('users/me')], 200, 'a token');
        my $ticket = $server->client(undef, token => $token, machine => $from)
            ->post('auth/ws-ticket')->{data}{ticket};
        my $socket = CSChat::WebSocket->connect($server, machine => $to,
            query => "ticket=$ticket");
        ok $socket->expect('connected'), 'a ticket';
        $socket->close;
    }
};

subtest 'a conversation' => sub {
    my $customer = $server->client('customer1', machine => $ahead);
    my $agent = $server->client('agent1', machine => $behind);
    my $chat = $customer->new_chat(agentId => $agent->id);
    my @sockets = map { $_->websocket } $customer, $agent;

    for my $n (1 .. 10) {
        my ($from, $to) = @sockets[$n % 2, 1 - $n % 2];
        my $ack = $from->ask(
            send_message => {chatId => $chat, content => "Message $n"});
        is $ack->{data}{seq}, $n, "message $n is stored in its order";
        is $to->expect('new_message', undef,
            sub { $_[0]{content} eq "Message $n" })->{data}{seq}, $n,
            'and heard';
    }
    for my $client ($customer, $agent) {
        is_deeply [map { $_->{content} }
            @{$client->get("chats/$chat/messages?afterSeq=0")->{data}}],
            [map {"Message $_"} 1 .. 10], 'everyone reads them in this order';
    }
    my $joined = $sockets[0]->ask(join_chat => {chatId => $chat, afterSeq => 7});
    is $joined->{data}{lastSeq}, 10, 'a chat is joined from where one was';
    ok !(grep { $_->{type} eq 'resync' } map { $_->drain } @sockets),
        'nobody missed anything';
    $_->close for @sockets;
};

subtest 'logging out' => sub {
    for ([$ahead, $behind], [$behind, $ahead]) {
        my ($here, $there) = @$_;
        my $token = $server->signed_token('customer2');
        my ($one, $other) = map {
            $server->client(undef, token => $token, machine => $_)
        } $here, $there;
        my $socket = $other->websocket;

        is(($one->post('auth/logout'))[0], 200, "on machine $here");
        is $socket->close_code, 4002, 'its socket on the other is closed';
        refused([$other->get('users/me')], 401, 'INVALID_TOKEN',
            'and it is good for nothing there');
    }
};

subtest 'a machine that is ahead forgets nothing too early' => sub {
    # over for one machine, still good on the other
    my $token = $server->signed_token('customer2', exp => int(time) + 60);
    my $client = $server->client(undef, token => $token, machine => $behind);
    my $revoked = sub { $server->redis('ZCARD', 'cs_chat:revoked') };

    given([$client->get('users/me')], 200, 'a token that will end soon');
    is(($client->post('auth/logout'))[0], 200, 'is given up');
    my $known = $revoked->();
    my $connected = sub {
        () = $server->log_text("nginx-$ahead") =~ /chat is connected to Redis/g;
    };
    my $before = $connected->();
    $server->redis('CLIENT', 'KILL', 'TYPE', 'normal');
    ok wait_until(10, sub { $connected->() > $before }),
        'the machine that is ahead tidies up';
    is $revoked->(), $known, 'but leaves it in Redis';
    $server->stop_part("nginx-$behind");
    $server->start_nginx($behind);
    $server->wait_ready($behind);
    refused([$client->get('users/me')], 401, 'INVALID_TOKEN',
        'where the other one finds it after a restart');
};

subtest 'presence' => sub {
    my $watcher = $server->websocket('agent2', machine => $ahead);

    for my $machine ($ahead, $behind) {
        my $user = new_user($server, undef, machine => $machine);
        my $says = sub {
            my ($online) = @_;
            return $watcher->expect('user_status_change', undef, sub {
                $_[0]{userId} eq $user->id && !$_[0]{isOnline} == !$online});
        };
        my $socket = $user->websocket;
        ok $says->(1), "a user of machine $machine comes";
        $socket->close;
        ok $says->(0), 'and goes';
    }
    $watcher->close;
};

$server->finish;
done_testing;
