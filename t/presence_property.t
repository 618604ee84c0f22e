# Protects presence under random sequences of all that moves it: sockets that
# open, close and break, people who hide, processes that are killed, reloads,
# workers that die.  When all is quiet, table, list and what a watcher was told
# last must say what a simple model says; and whoever was connected all along
# must never have been told offline.
#
#   SEED=n                  repeats a sequence
#   PRESENCE_SECONDS=n      goes on for so long (20)

use strict;
use warnings;

use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $seed = $ENV{SEED} // int rand 2**31;
my $seconds = $ENV{PRESENCE_SECONDS} // 20;
my $slow = $ENV{SANITIZE} ? 3 : 1;
my $lease = 4 * $slow;
my $patience = 10 * $lease;  # for a state that is known to be due

my $server = CSChat::Server->new(
    machines => 2,
    directives => '
        cs_chat_presence_interval 1s;
        cs_chat_drain_time 500ms;',
    worker_env => {
        CS_CHAT_PRESENCE_GRACE => 2 * $slow . 's',
        CS_CHAT_PRESENCE_LEASE => $lease . 's',
        CS_CHAT_PRESENCE_INTERVAL => '500ms',
    },
    allow => [qr/exited on signal 9/],
);

# {client, sockets => [...], hidden => 0, 1 or undef where nobody can know,
#  shown => when a socket last ended hiding, told => what the watcher heard
#  last, safe => connected for all of a round, keep => always has a socket}
my @people = map {
    my $client = new_user($server, $_ < 3 ? 'agent' : 'customer');
    {client => $client, id => $client->id, sockets => [], hidden => 0, told => 0}
} 0 .. 7;
my %person = map { $_->{id} => $_ } @people;
my ($home) = $server->nginx_pids(0);  # is never killed
my $watcher = $server->websocket('agent2', pid => $home);
my $workers_changed = time;
my @log;

diag "SEED=$seed";
srand $seed;

# ---- what happens ----------------------------------------------------------

sub name {
    my ($person) = @_;

    return (grep { $people[$_] == $person } 0 .. $#people)[0];
}

sub any { return $_[int rand @_] }

sub workers { return grep { $server->pid($_) } qw(worker-1 worker-2) }

# That a new socket ended somebody's hiding may be lost, where the socket or
# the worker that heard of it dies before it was carried out.
sub may_be_lost {
    for my $person (@_) {
        # ... and one that was told late may come after the hiding
        $person->{hidden} = undef if $person->{hidden}
            && time - ($person->{opened} // 0) < 10 * $slow;
        next if !$person->{shown};
        my $since = $person->{shown} > $workers_changed
            ? $person->{shown} : $workers_changed;
        next if workers() && time - $since > 4 * $slow;
        $person->{hidden} = undef if !$person->{hidden};
    }
    return;
}

sub connect_one {
    my ($person) = @_;
    my $machine = int rand 2;
    my $pid = any($server->nginx_pids($machine));
    my $socket = eval {
        $person->{client}->websocket(machine => $machine, pid => $pid);
    } or return;

    $person->{opened} = time;
    push @{$person->{sockets}},
        {socket => $socket, machine => $machine, pid => $pid};
    if ($person->{hidden} // 1) {
        @$person{qw(hidden shown)} = (0, time);
    }
    return name($person) . " connect to $machine";
}

sub end_one {
    my ($person, $how) = @_;
    my $sockets = $person->{sockets};

    return if !@$sockets || $person->{keep} && @$sockets == 1;
    may_be_lost($person);
    my ($gone) = splice @$sockets, int rand @$sockets, 1;
    $gone->{socket}->$how;
    $person->{safe} = 0 if !@$sockets;
    return name($person) . " $how";
}

sub hide_or_show {
    my ($person, $hide) = @_;

    worker_up();
    my ($status) = $person->{client}->put('users/status',
        {isOnline => $hide ? \0 : \1});
    $person->{hidden} = $status == 200 ? $hide : undef;
    $person->{shown} = undef;
    $person->{safe} = 0;
    return name($person) . ($hide ? ' hide' : ' show');
}

sub worker_up {
    start_worker(1) if !workers();
    $server->wait_ready;
    return;
}

sub end_worker {
    my ($how) = @_;
    my $worker = any(workers()) or return;

    may_be_lost(@people);
    $server->stop_part($worker, $how);
    $workers_changed = time;
    return "$how $worker";
}

# A second one takes half of the shards.
sub start_worker {
    my ($n) = @_;

    return if $server->pid("worker-$n");
    may_be_lost(@people);
    $server->start_worker($n);
    $workers_changed = time;
    return "start worker-$n";
}

# Takes the sockets of some processes from everyone.
sub lose {
    my ($which) = @_;

    for my $person (@people) {
        my @left = grep { !$which->($_) } @{$person->{sockets}};
        next if @left == @{$person->{sockets}};
        may_be_lost($person);
        $person->{safe} = 0 if !@left;
        @{$person->{sockets}} = @left;
    }
    return;
}

sub kill_nginx {
    my $machine = int rand 2;
    my $pid = any($server->nginx_pids($machine));

    return if $pid == $home;
    kill 'KILL', $pid;
    CSChat::Process::wait_until($patience, sub {
        my @now = $server->nginx_pids($machine);
        return @now == 2 && !grep { $_ == $pid } @now;
    }) or die "no successor of $pid\n";
    lose(sub { $_[0]{pid} == $pid });
    return "kill $pid of $machine";
}

# Of machine 1, as the watcher is at the other.  Clients come back at once.
sub reload {
    my @old = $server->reload_nginx(1);
    my %old = map { $_ => 1 } @old;

    CSChat::Process::wait_until($patience, sub {
        my @now = $server->nginx_pids(1);
        return @now == 2 && !grep { $old{$_} } @now;
    }) or die "no successors after a reload\n";
    for my $person (@people) {
        my @gone = grep { $_->{machine} == 1 } @{$person->{sockets}};
        next if !@gone;
        may_be_lost($person);
        $_->{socket}->close_code($patience) for @gone;
        @{$person->{sockets}} = grep { $_->{machine} != 1 } @{$person->{sockets}};
        $person->{safe} = 0 if !@{$person->{sockets}};
        connect_one($person) for @gone;
    }
    return 'reload';
}

my @steps = (
    (sub { connect_one(any(@people)) }) x 6,
    (sub { end_one(any(@people), 'close') }) x 3,
    (sub { end_one(any(@people), 'drop') }) x 3,
    (sub { hide_or_show(any(@people), 1) }) x 2,
    sub { hide_or_show(any(@people), 0) },
    sub { end_worker('KILL') },
    sub { end_worker('TERM') },
    (sub { start_worker(1) }) x 2,
    sub { start_worker(2) },
    \&kill_nginx,
    \&reload,
);

# ---- what is seen ----------------------------------------------------------

# Reads what the watcher is told.
sub watch {
    for my $event ($watcher->drain) {
        my $data = $event->{data};
        next if $event->{type} ne 'user_status_change';
        my $person = $person{$data->{userId}} or next;
        $person->{told} = $data->{isOnline} ? 1 : 0;
        push @{$person->{flaps}}, $person->{told}
            if !$person->{told} && $person->{safe};
    }
    return;
}

# What the model says: undef where nobody can know.
sub expected {
    my ($person) = @_;

    return 0 if !@{$person->{sockets}} || $person->{hidden};
    return defined $person->{hidden} ? 1 : undef;
}

# Who is not yet as the model says, or not the same everywhere.
sub differences {
    my %stored = map { split /\|/ }
        $server->sql('SELECT id, is_online::int FROM users');
    my $list = $server->client('agent2')->get('users?limit=200')->{data};
    my %listed = map { $_->{id} => $_->{isOnline} ? 1 : 0 } @{$list // []};
    my @wrong;

    watch();
    for my $i (0 .. $#people) {
        my $person = $people[$i];
        my @seen = ($stored{$person->{id}}, $listed{$person->{id}} // 'none',
            $person->{told});
        my $wanted = expected($person) // $seen[0];
        my $sockets = @{$person->{sockets}};
        my $hidden = $person->{hidden} // 'maybe';
        push @wrong, "person $i ($person->{id}, $sockets sockets, hidden: "
            . "$hidden) is @seen, not $wanted"
            if grep { $_ ne $wanted } @seen;
    }
    return @wrong;
}

sub compare {
    my ($round) = @_;
    my @wrong;

    worker_up();
    CSChat::Process::wait_until($patience,
        sub { @wrong = differences(); return !@wrong });
    is_deeply \@wrong, [], "round $round: all say what the model says";
    my @flaps = grep { $people[$_]{flaps} } 0 .. $#people;
    is "@flaps", '', "round $round: nobody flapped";
    return !@wrong && !@flaps;
}

# ---- rounds ----------------------------------------------------------------

# two who always keep a socket
for my $person (@people[0, 4]) {
    $person->{keep} = 1;
    connect_one($person);
}

my $end = time + $seconds;
my $round = 0;
while (time < $end) {
    @log = ();
    $round++;
    $_->{safe} = @{$_->{sockets}} && expected($_) for @people;
    for (1 .. 15) {
        my $done = any(@steps)->() or next;
        push @log, $done;
        watch();
    }
    compare($round) or do {
        diag "SEED=$seed, round $round: ", join '; ', @log;
        last;
    };
}

$server->finish;
done_testing;
