# Protects that presence is told in moderation: no more than one change of a
# user in presence_interval, and only where the state is then another one.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $interval = 2;  # seconds: long enough for all of a flapping to fit in
my $server = CSChat::Server->new(
    machines => 2,
    worker_env => {
        CS_CHAT_PRESENCE_GRACE => 0,
        CS_CHAT_PRESENCE_INTERVAL => $interval,
    },
);
my $agent = new_user($server, 'agent');
my $watcher = $server->websocket('agent2', machine => 1);
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my ($before, @told);

# Waits until it is told that the agent came or went; what is told before that
# must be another's, but after a take-over ("again").
sub told {
    my ($online, $name, $again) = @_;
    my $event = $watcher->expect('user_status_change', undef,
        sub {
            return $_[0]{userId} eq $agent->id
                && (!$again || !$_[0]{isOnline} == !$online);
        });

    # what was told twice came before it
    @{$watcher->{events}} = () if $again;
    push @told, time;
    is $event && 0 + $event->{data}{isOnline}, $online, $name;
    return;
}

# Each step was told no sooner than it might be.  Events may come late to
# here, so the whole time is looked at.
sub apart {
    my ($name) = @_;
    my $took = $told[-1] - $before;
    my $least = (@told - 1) * $interval;

    cmp_ok $took, '>=', $least - 0.1, sprintf '%s (%.1f s)', $name, $took;
    return;
}

# All that is told until no change can be due any more.
sub later {
    my $end = time + $interval + 1.5;
    my @events;

    while ((my $left = $end - time) > 0) {
        my $event = $watcher->next($left) or last;
        push @events, $event->{data}
            if $event->{type} eq 'user_status_change'
            && $event->{data}{userId} eq $agent->id;
    }
    return @events;
}

sub listed {
    my $list = $server->client('agent2')->get('users?limit=200')->{data};
    my ($seen) = grep { $_->{id} eq $agent->id } @$list;

    return $seen->{isOnline} ? 1 : 0;
}

sub stored {
    return $server->sql('SELECT is_online::int FROM users WHERE id = '
            . "'" . $agent->id . "'");
}

my $socket;

subtest 'a user who flaps' => sub {
    $before = time;
    for (1 .. 10) {
        $socket->drop if $socket;
        $socket = $agent->websocket(machine => $_ % 2);
    }
    told(1, 'the first change is told at once');
    my @more = later();
    my $most = (time - $before) / $interval;
    cmp_ok scalar @more, '<=', $most, 'the rest in moderation';
    is !@more || $more[-1]{isOnline}, 1, 'and ends with how it is';
    is stored(), 1, 'as it is stored';
};

subtest 'what changes too early is told later' => sub {
    @told = ();
    $socket->drop;
    $before = time;
    told(0, 'they go');
    my @sockets = map { $agent->websocket(machine => $_) } 0, 1;
    told(1, 'and come back');
    $_->drop for $sockets[0];
    ok $sockets[1]->none('user_status_change'),
        'the new sockets do not hear of it';
    $sockets[1]->drop;
    told(0, 'and go');
    apart('which took its time');
    is stored(), 0, 'the last is stored';

    $socket = $agent->websocket;
    told(1, 'a single socket');
    ok $socket->none('user_status_change'), 'does not hear of itself either';
};

subtest 'hiding' => sub {
    my ($status, $json) = $agent->put('users/status', {isOnline => $false});
    is "$status $json->{data}{isOnline}", '200 0', 'is answered at once';
    is listed(), 0, 'they look offline at once';
    told(0, 'and it is told');
    apart('in its time');
    is stored(), 0, 'and stored';

    $agent->put('users/status', {isOnline => $_}) for $true, $false;
    is_deeply [map { 0 + $_->{isOnline} } later()], [], 'a change that is taken back is no news';
    is listed(), 0, 'they hide';
    $agent->put('users/status', {isOnline => $true});
    told(1, 'until they show again');
};

subtest 'a change that a worker did not live to tell' => sub {
    $agent->put('users/status', {isOnline => $false});
    $server->kill_part('worker-1');
    $server->start_worker(1);
    $server->wait_ready;
    told(0, 'is told by the next one', 'again');
    is listed(), 0, 'they look offline';
    is_deeply [map { 0 + $_->{isOnline} } later()], [], 'and stay so';
};

subtest 'a socket that opens while there is no worker' => sub {
    $server->kill_part('worker-1');
    my $more = $agent->websocket(machine => 1);
    $server->start_worker(1);
    $server->wait_ready;
    told(1, 'ends the hiding when there is one', 'again');
    is stored(), 1, 'as it is stored';
    $_->drop for $socket, $more;
    told(0, 'they go');
};

subtest 'what a worker stored in its last moment' => sub {
    my $waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND state = 'active'";

    open my $psql, '|-', $server->psql or die "psql: $!\n";
    $psql->autoflush(1);
    print $psql "BEGIN; UPDATE users SET name = name WHERE id = '"
        . $agent->id . "';\n";
    $socket = $agent->websocket;
    ok CSChat::Process::wait_until(10, sub { $server->sql($waiting) }),
        'it waits for PostgreSQL';
    $server->kill_part('worker-1');
    print $psql "COMMIT;\n";
    close $psql;
    $server->start_worker(1);
    $server->wait_ready;
    told(1, 'is told by the next one', 'again');
    is stored(), 1, 'as it is stored';
};

$server->finish;
done_testing;
