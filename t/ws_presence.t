# Protects presence: who is told that a person came or went, when, and when
# nothing is news.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use CSChat::Audience;
use CSChat::Expect;
use CSChat::Server;

my $grace = $ENV{SANITIZE} ? 1 : 0.5;  # seconds
my $slack = 0.7;  # until it is noticed that they are over
my $server = CSChat::Server->new(
    machines => 2,
    worker_env => {
        CS_CHAT_PRESENCE_GRACE => 1000 * $grace . 'ms',
        CS_CHAT_PRESENCE_INTERVAL => 0,  # t/presence_interval.t has that
    },
    locations => 'location = /modern {
        cs_chat_websocket;
        cs_chat_legacy_events off;
    }',
);
my ($p0, $p1) = $server->nginx_pids(0);
my %client = (
    map({ $_ => $server->client($_) } qw(agent1 agent2 customer1 customer2)),
    agent3 => new_user($server, 'agent'),
    customer3 => new_user($server, 'customer'),
    customer4 => new_user($server, 'customer'),
);
my %id = map { $_ => $client{$_}->id } keys %client;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# customer1 has an open chat with agent1 and an archived one with agent3;
# customer2 the other way round
$client{customer1}->new_chat(agentId => $id{agent1});
my $shared = $client{customer2}->new_chat(agentId => $id{agent3});
for (['customer1', 'agent3'], ['customer2', 'agent1']) {
    my ($customer, $agent) = @$_;
    my $chat = $client{$customer}->new_chat(agentId => $id{$agent});
    $client{$customer}->put("chats/$chat/archive");
}

my $audience = CSChat::Audience->new($server);
$audience->add(agent1 => socket_of('agent1', pid => $p1));
$audience->add(super => socket_of('agent2', machine => 1));
$audience->add(customer1 => socket_of('customer1', pid => $p0));
$audience->add(customer2 => socket_of('customer2', machine => 1));
my @staff = qw(agent1 super);
sleep $grace + $slack;
$audience->forget;

sub socket_of {
    my ($user, %where) = @_;

    return $client{$user}->websocket(%where);
}

# Tests that these, and nobody else, are told that a person came or went.
sub told {
    my ($user, $online, $names, $name) = @_;
    my $which = sub { $_[0]{userId} eq $id{$user} };
    my $is = $online ? $true : $false;
    my $type = $online ? 'user_connected' : 'user_disconnected';
    my $username = $client{$user}{username};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $audience->heard('user_status_change', $names, $name, $which);
    my $event = $got->{$names->[0]} or return;
    is_deeply [$event->{data}, join ' ', sort keys %$event],
        [{userId => $id{$user}, isOnline => $is}, 'data raw type'],
        "$name: user_status_change";

    $got = $audience->heard($type, $names, "$name: $type", $which);
    $event = $got->{$names->[0]} or return;
    is_deeply [@$event{qw(data userId username)}],
        [
            {userId => $id{$user}, username => $username, isOnline => $is},
            $id{$user}, $username
        ],
        "$name: its fields";
    return;
}

sub no_news {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $audience->unheard($_, "$name: no $_")
        for qw(user_status_change user_connected user_disconnected);
    return;
}

sub is_online {
    my ($user, $online, $name) = @_;
    my $list = $client{agent2}->get('users?limit=200')->{data};
    my ($seen) = grep { $_->{id} eq $id{$user} } @$list;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is !!$seen->{isOnline}, !!$online, $name;
    return;
}

subtest 'a customer comes and goes' => sub {
    my $modern = $audience->add(
        modern => socket_of('agent2', path => '/modern', machine => 1));
    my $first = $audience->add(customer3 => socket_of('customer3', pid => $p0));

    $audience->heard('user_status_change', [@staff, 'modern'],
        'every agent is told, no other customer, nor the socket itself');
    my $got = $audience->heard('user_connected', [@staff],
        'not in the old form where that is off');
    is $got->{super}{username}, $client{customer3}{username}, 'whose name';
    $audience->remove('modern')->close;
    is_online('customer3', 1, 'HTTP says so too');

    my @more = map { $audience->add("customer3-$_" => socket_of('customer3', @$_)) }
        [pid => $p0], [pid => $p1], [machine => 1];
    no_news('further sockets, elsewhere too');
    $_->close for $first, @more[0, 1];
    $audience->remove($_)
        for grep { /^customer3/ && $audience->socket($_) != $more[2] }
        $audience->names;
    sleep $grace + $slack;
    no_news('while one is left');
    is_online('customer3', 1, 'still online');

    $audience->remove($_) for grep {/^customer3/} $audience->names;
    my $gone = time;
    $more[2]->close;
    told('customer3', 0, \@staff, 'the last one is gone');
    my $after = time - $gone;
    ok $after >= $grace && $after < $grace + 2,
        sprintf 'after the grace time (%.1f s)', $after;
    is_online('customer3', 0, 'HTTP says so too');
};

subtest 'a page is loaded again' => sub {
    my $socket = socket_of('customer3', pid => $p0);
    told('customer3', 1, \@staff, 'first');

    for my $where ([pid => $p1], [machine => 1], [pid => $p0]) {
        $socket->drop;
        $socket = socket_of('customer3', @$where);
    }
    sleep $grace + $slack;
    no_news('a reload');
    $socket->drop;
    told('customer3', 0, \@staff, 'a connection that is cut');
};

subtest 'an agent comes and goes' => sub {
    my $socket = $audience->add(agent3 => socket_of('agent3', machine => 1));
    told('agent3', 1, [@staff, 'customer2'],
        'customers of open chats are told as well');
    $client{customer2}->put("chats/$shared/archive");
    $audience->remove('agent3')->close;
    told('agent3', 0, \@staff, 'not those of archived ones');
};

subtest 'hidden' => sub {
    my @all = (@staff, 'customer1');
    my $agent = $client{agent1};

    my ($status, $json) = $agent->put('users/status', {isOnline => $false});
    is "$status $json->{data}{isOnline}", '200 0', 'a person hides';
    told('agent1', 0, \@all, 'it is told');
    is_online('agent1', 0, 'they look offline');
    $agent->put('users/status', {isOnline => $false});
    no_news('to hide again');
    is socket_of('agent1')->close, 1000, 'a connection more';
    told('agent1', 1, \@all, 'brings them back');

    $agent->put('users/status', {isOnline => $false});
    told('agent1', 0, \@all, 'hidden again');
    $agent->put('users/status', {isOnline => $true});
    told('agent1', 1, \@all, 'and back by themselves');
    is_online('agent1', 1, 'they look online');

    ($status, $json)
        = $client{customer4}->put('users/status', {isOnline => $true});
    is "$status $json->{data}{isOnline}", '200 0',
        'one without a connection can not';
    no_news('which is no news');
};

subtest 'a login' => sub {
    my ($status, $json) = $server->client->post('auth/login',
        {username => $client{customer4}{username}, password => 'password123'});
    is $status, 200, 'a person logs in';
    told('customer4', 1, \@staff, 'which is presence');
    is_online('customer4', 1, 'they look online');
    told('customer4', 0, \@staff, 'for the grace time');

    $server->client->post('auth/login',
        {username => $client{customer4}{username}, password => 'password123'});
    told('customer4', 1, \@staff, 'again');
    my $socket = socket_of('customer4', pid => $p1);
    sleep $grace + $slack;
    no_news('a socket within it');
    $socket->close;
    told('customer4', 0, \@staff, 'and when that is gone');
};

subtest 'a process that says nothing any more' => sub {
    my $update = sub {
        my ($sign, $rest) = @_;
        my $shard = fnv1a($id{customer3}) % 64;
        $server->redis('PUBLISH', "cs_chat:req:$shard",
            "CSC1 Q op=presence.update from=0123456789abcdef\n"
                . "$sign$id{customer3}$rest\n");
    };

    $server->stop_part('worker-1');
    $server->start_worker(1, CS_CHAT_PRESENCE_LEASE => '1s',
        CS_CHAT_PRESENCE_GRACE => '0s');
    $server->wait_ready;
    $audience->remove($_) for qw(customer1 customer2);

    my $began = time;
    $update->('+', ' c0');
    my $which = sub { $_[0]{userId} eq $id{customer3} };
    ok socket_event('user_status_change', $which, $true), 'it holds a user';
    sleep 0.7;
    $update->('=', '');
    ok socket_event('user_status_change', $which, $false),
        'who is offline when it does not renew';
    my $after = time - $began;
    ok $after >= 1.7 && $after < 4,
        sprintf 'after the lease (%.1f s from the first)', $after;
};

sub socket_event {
    my ($type, $which, $online) = @_;

    return $audience->socket('super')->expect($type, undef,
        sub { $which->($_[0]) && !!$_[0]{isOnline} == !!$online });
}

sub fnv1a {
    my ($text) = @_;
    my $hash = 2_166_136_261;

    for (unpack 'C*', $text) {
        $hash = (($hash ^ $_) * 16_777_619) & 0xffff_ffff;
    }
    return $hash;
}

$server->finish;
done_testing;
