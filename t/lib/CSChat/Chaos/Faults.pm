# The faults that a chat has to bear: each with a name, the group of parts that
# it strikes, what it does ("inject"), how long that lasts ("hold", seconds), how
# it ends ("end"), and what is waited for then ("well").

package CSChat::Chaos::Faults;

use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_RCVBUF);

use CSChat::Process qw(pause wait_until);
use CSChat::WebSocket;

# Redis gives DEBUG away by its settings from version 7 on.
sub redis_args {
    my ($version) = `redis-server --version` =~ /v=(\d+)/;

    return ($version // 0) >= 7 ? ['--enable-debug-command', 'yes'] : [];
}

# Those of a group, or all.
sub named {
    my ($group) = @_;

    return grep { !defined $group || $_->{group} eq $group } faults();
}

sub faults {
    return (workers(), postgres(), redis(), nginx(), upgrade(), clients());
}

# Faults of several groups can be there at once but for those that wait for the
# rest to work.
my %order = (client => 0, nginx => 1, worker => 2, postgres => 3, redis => 4);

sub in_order {
    return sort { ($order{$a->{group}} // 0) <=> ($order{$b->{group}} // 0) }
        @_;
}

# Two of different groups.
sub pair {
    my ($chaos) = @_;
    my ($first, @others)
        = $chaos->shuffled(grep { !$_->{alone} && $order{$_->{group}} } faults());
    my ($second) = grep { $_->{group} ne $first->{group} } @others;

    return ($first, $second);
}

# ---- chat workers ----------------------------------------------------------

sub workers {
    return map { {group => 'worker', hold => 1, %$_} } (
        {   name => 'worker: TERM, and return',
            inject => sub {
                my ($c) = @_;
                my $worker = some_worker($c);
                my $status = $c->server->stop_part($worker);
                die "$worker ended with $status\n" if $status != 0;
            },
            end => \&return_workers,
            well => \&three_workers,
        },
        {   name => 'worker: kill -9, and return',
            inject => sub { $_[0]->server->kill_part(some_worker($_[0])) },
            end => \&return_workers,
            well => \&three_workers,
        },
        {   name => 'worker: hangs',
            hold => 2,
            inject => sub { freeze($_[0], some_worker($_[0])) },
            end => \&thaw,
            well => \&three_workers,
        },
        {   name => 'worker: one joins and leaves',
            alone => 1,
            inject => sub {
                $_[0]->server->start_worker(4);
                $_[0]->await_shards(4);
            },
            end => sub {
                my ($c) = @_;
                my $status = $c->server->stop_part('worker-4');
                die "worker-4 ended with $status\n" if $status != 0;
            },
            well => \&three_workers,
        },
        {   name => 'worker: all are killed',
            hold => 0.5,
            inject => sub { $_[0]->server->kill_part("worker-$_") for 1 .. 3 },
            end => \&return_workers,
            well => \&three_workers,
        },
    );
}

sub some_worker { return 'worker-' . (1 + $_[0]->random(3)) }

sub return_workers {
    my ($c) = @_;

    for my $n (1 .. 3) {
        $c->server->start_worker($n) if !$c->server->pid("worker-$n");
    }
    return;
}

sub three_workers { return $_[0]->await_shards(3) }

# Stops parts in their tracks, until thaw().
sub freeze {
    my ($c, @pids_or_names) = @_;

    for my $what (@pids_or_names) {
        my $pid = $what =~ /^\d+$/ ? $what : $c->server->pid($what);
        kill 'STOP', $pid;
        push @{$c->{frozen}}, $pid;
    }
    return;
}

sub thaw {
    my ($c) = @_;

    kill 'CONT', splice @{$c->{frozen}};
    return;
}

# ---- PostgreSQL ------------------------------------------------------------

sub postgres {
    return map { {
        group => 'postgres',
        hold => 0.5,
        well => \&three_workers,
        %$_
    } } (
        {   name => 'PostgreSQL: a writer is cut off',
            alone => 1,
            inject => sub {
                my ($c) = @_;
                my @held = CSChat::Chaos::held($c->server);
                terminate($c, 'pid = ' . $held[$c->random(scalar @held)]);
            },
        },
        {   name => 'PostgreSQL: all sessions cut off',
            inject => sub {
                terminate($_[0], "application_name = 'cs-chat-worker'");
            },
        },
        {   name => 'PostgreSQL: fast restart',
            inject => sub { restart_postgres($_[0], 'INT') },
        },
        {   name => 'PostgreSQL: immediate restart',
            inject => sub { restart_postgres($_[0], 'QUIT') },
        },
        {   name => 'PostgreSQL: messages are locked',
            alone => 1,
            hold => 0,
            inject => \&lock_messages,
        },
        {   name => 'PostgreSQL: read-only',
            hold => 2,
            inject => sub { read_only($_[0], 'on') },
            end => sub { read_only($_[0], 'off') },
        },
    );
}

sub terminate {
    my ($c, $which) = @_;

    $c->server->sql('SELECT count(pg_terminate_backend(pid))'
            . " FROM pg_stat_activity WHERE $which");
    return;
}

sub restart_postgres {
    my ($c, $signal) = @_;

    $c->server->stop_part('postgres', $signal);
    $c->server->start_postgres;
    return;
}

# Longer than a statement may take.
sub lock_messages {
    my ($c) = @_;

    $c->server->sql('BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE;'
            . ' SELECT pg_sleep(2.5); COMMIT');
    return;
}

sub read_only {
    my ($c, $on) = @_;
    my $server = $c->server;

    $server->sql("ALTER SYSTEM SET default_transaction_read_only = $on");
    $server->sql('SELECT pg_reload_conf()');
    return;
}

# ---- Redis -----------------------------------------------------------------

sub redis {
    return map { {group => 'redis', hold => 0.5, %$_} } (
        {   name => 'Redis: restart',
            inject => sub { $_[0]->server->stop_part('redis') },
            end => sub { $_[0]->server->start_redis },
        },
        {   name => 'Redis: subscribers are cut off',
            inject => sub { cut_redis($_[0], 'pubsub') },
        },
        {   name => 'Redis: publishers are cut off',
            inject => sub { cut_redis($_[0], 'normal') },
        },
        {   name => 'Redis: hangs',
            hold => sub { $_[0]{long} ? 10 : 3 },
            inject => sub { freeze($_[0], 'redis') },
            end => \&thaw,
        },
        {   name => 'Redis: slow subscribers are cut off',
            inject => \&overflow,
        },
        {   name => 'Redis: a wrong password',
            hold => 1.5,
            inject => sub {
                my ($c) = @_;
                $c->server->redis('CONFIG', 'SET', 'requirepass', 'x');
                cut_redis($c, 'normal');
                cut_redis($c, 'pubsub');
            },
            end => sub {
                $_[0]->server->redis('CONFIG', 'SET', 'requirepass', '');
            },
        },
        {   name => 'Redis: loading',
            inject => \&load_redis,
        },
    );
}

# All but our own.
sub cut_redis {
    my ($c, $type) = @_;

    $c->server->redis('CLIENT', 'KILL', 'TYPE', $type);
    return;
}

# Processes that do not read while much is said fall behind what Redis keeps.
sub overflow {
    my ($c) = @_;
    my $server = $c->server;
    my $limit = 'client-output-buffer-limit';

    $server->redis('CONFIG', 'SET', $limit, 'pubsub 64kb 64kb 0');
    freeze($c, ($server->nginx_pids($c->random(2)))[0]);
    $c->crowd->tell('burst', number => 120, length => 9000);
    pause(1);
    thaw($c);
    $server->redis('CONFIG', 'SET', $limit, 'pubsub 32mb 8mb 60');
    return;
}

# Everyone is cut off, and comes back while it loads its data, slowly: it takes
# subscriptions then, but answers most else with -LOADING.
sub load_redis {
    my ($c) = @_;
    my $redis = $c->server->redis_connection;
    my @commands = (
        ['CONFIG', 'SET', 'key-load-delay', 2000],
        ['CONFIG', 'SET', 'loading-process-events-interval-bytes', 1024],
        ['DEBUG', 'POPULATE', 1000, 'filler', 64],
        ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
        ['CLIENT', 'KILL', 'TYPE', 'normal'],
        ['DEBUG', 'RELOAD'],
        ['CONFIG', 'SET', 'key-load-delay', 0]
    );

    return if !@{redis_args()};
    $redis->send(@$_) for @commands;
    $redis->reply for @commands;
    return;
}

# ---- nginx -----------------------------------------------------------------

sub nginx {
    return map { {group => 'nginx', hold => 0.5, %$_} } (
        {   name => 'nginx: reload',
            inject => sub {
                my ($c) = @_;
                $c->{machine} = $c->random(2);
                $c->{old} = [$c->server->reload_nginx($c->{machine})];
            },
            end => sub { gone($_[0], @{$_[0]{old}}) },
            well => \&machine_ready,
        },
        {   name => 'nginx: a process is killed',
            inject => sub {
                my ($c) = @_;
                my $machine = $c->{machine} = $c->random(2);
                my @pids = $c->server->nginx_pids($machine);
                my $pid = $pids[$c->random(scalar @pids)];
                $c->server->allow(
                    qr/worker process $pid exited on signal 9/);
                kill 'KILL', $pid;
                gone($c, $pid);
            },
            well => \&machine_ready,
        },
        {   name => 'nginx: a process hangs',
            hold => 2,
            inject => sub {
                my ($c) = @_;
                my @pids = $c->server->nginx_pids($c->random(2));
                freeze($c, $pids[$c->random(scalar @pids)]);
            },
            end => \&thaw,
        },
        {   name => 'nginx: a machine is stopped',
            inject => sub {
                my ($c) = @_;
                my $machine = $c->{machine} = $c->random(2);
                my $status = $c->server->stop_part("nginx-$machine", 'QUIT');
                die "nginx ended with $status\n" if $status != 0;
            },
            end => sub { $_[0]->server->start_nginx($_[0]{machine}) },
            well => \&machine_ready,
        },
        {   name => 'nginx: a machine is killed',
            inject => sub {
                my ($c) = @_;
                my $machine = $c->{machine} = $c->random(2);
                $c->server->kill_part("nginx-$machine");
            },
            end => sub { $_[0]->server->start_nginx($_[0]{machine}) },
            well => \&machine_ready,
        },
    );
}

# For a server whose nginx is a daemon; t/nginx_upgrade.t looks closer.
sub upgrade {
    return {
        group => 'upgrade',
        name => 'nginx: upgrade on the fly',
        hold => 0.5,
        inject => sub {
            my ($c) = @_;
            my $server = $c->server;
            my $machine = $c->{machine} = $c->random(2);
            my $master = $server->pid("nginx-$machine");
            $c->{old} = [$server->nginx_pids($machine)];
            $server->upgrade_nginx($machine);
            kill 'WINCH', $master;
        },
        end => sub {
            my ($c) = @_;
            gone($c, @{$c->{old}});
            $c->server->stop_part("nginx-$c->{machine}-old", 'QUIT');
        },
    };
}

sub machine_ready { return $_[0]->server->wait_ready($_[0]{machine}) }

sub gone {
    my ($c, @pids) = @_;

    wait_until($CSChat::Chaos::patience,
        sub { !grep { kill 0, $_ } @pids })
        or die "a process of nginx does not end\n";
    return;
}

# ---- clients ---------------------------------------------------------------

sub clients {
    return map { {group => 'client', hold => 0.5, %$_} } (
        {   name => 'clients: sockets are reset',
            inject => sub { $_[0]->crowd->tell('cut', number => 20) },
        },
        {   name => 'clients: 200 come at once',
            hold => 0,
            inject => sub { $_[0]->crowd->tell('visitors', number => 200) },
            end => sub {
                my ($c) = @_;
                my $wrong = $c->crowd->ask('visited', $CSChat::Chaos::patience)
                    or return;
                die "@$wrong\n";
            },
        },
        {   name => 'clients: 2,000 messages at once',
            inject => sub { $_[0]->crowd->tell('burst', number => 2000) },
        },
        {   name => 'clients: each message comes twice',
            hold => 1,
            inject => sub { $_[0]->crowd->tell('stammer', on => 1) },
            end => sub { $_[0]->crowd->tell('stammer', on => 0) },
        },
        {   name => 'clients: one never reads',
            hold => 0,
            inject => \&stuck_reader,
        },
    );
}

# It hears everything, takes nothing, and is closed for it.
sub stuck_reader {
    my ($c) = @_;
    my $server = $c->server;
    my $http = $server->connection(machine => $c->random(2));

    setsockopt $http->{socket}, SOL_SOCKET, SO_RCVBUF, pack 'i', 4096;
    my $socket = CSChat::WebSocket->connect(
        $server,
        token => $server->token('agent2'),
        connection => $http
    );
    my $before = slow_readers($server);
    wait_until(
        $CSChat::Chaos::patience,
        sub {
            $c->crowd->tell('burst', number => 40, length => 9000);
            pause(0.2);
            return slow_readers($server) > $before;
        }
    ) or die "one who does not read is not closed\n";
    $socket->drop;
    return;
}

sub slow_readers {
    my ($server) = @_;

    return scalar map { $server->log_text("nginx-$_") =~ /reads too slowly/g }
        0, 1;
}

1;
