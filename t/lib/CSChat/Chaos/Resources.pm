# What each process holds, descriptors and memory, before and after many of
# something: connects, reloads, cuts of the links to Redis.
#
#   my $resources = CSChat::Chaos::Resources->new;
#   my @wrong = $resources->connects(1000);
#   print map {"$_\n"} $resources->table;
#   $resources->server->finish;
#
# A first part of each is a warm-up that does not count: pools, tables and the
# heap of a process grow to their size once.

package CSChat::Chaos::Resources;

use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_LINGER);

use CSChat::Server;  # which finds scripts/lib
use CSChat::Process qw(pause wait_until);

my $patience = $ENV{SANITIZE} ? 90 : 30;  # seconds to be quiet again
my $growth = 1024;  # kB that a process may grow by
my $idle = 0.2;  # of a core that a quiet process may use

sub new {
    my ($class) = @_;
    my $server = CSChat::Server->new(
        workers => 2,
        directives => 'cs_chat_drain_time 100ms;'
    );
    my $customer = $server->client('customer1');
    my $agent = $server->client('agent1');

    return bless {
        server => $server,
        customer => $customer,
        chat => $customer->new_chat(agentId => $agent->id),
        rows => [],
    }, $class;
}

sub server { return $_[0]{server} }

# ---- what is done many times -----------------------------------------------

# Sockets that open, join, speak and go, in good order or by a reset.
sub connects {
    my ($self, $number) = @_;

    return $self->compare("$number connects", $number,
        sub { $self->visit($_[0]) });
}

sub visit {
    my ($self, $n) = @_;
    my $socket = $self->{server}->websocket($n % 2 ? 'customer1' : 'agent1');
    my %chat = (chatId => $self->{chat});

    $socket->ask(join_chat => {%chat, afterSeq => 0});
    $socket->ask(send_message => {%chat, content => "Visit $n"})
        if $n % 8 == 0;
    if ($n % 3 == 0) {
        setsockopt $socket->{http}{socket}, SOL_SOCKET, SO_LINGER,
            pack 'ii', 1, 0;
        return $socket->drop;
    }
    return $socket->close;
}

# Reloads, each with a socket that is to leave.
sub reloads {
    my ($self, $number) = @_;

    return $self->compare("$number reloads", $number,
        sub { $self->reload });
}

sub reload {
    my ($self) = @_;
    my $server = $self->{server};
    my $socket = $server->websocket('customer1');
    my @before = $server->reload_nginx(0);

    $socket->send_close($socket->close_code // 1000);
    $socket->drop;
    wait_until($patience, sub { !grep { kill 0, $_ } @before })
        or die "a process of nginx outlives its reload\n";
    $server->wait_ready(0);
    return;
}

# Cuts of the connections to Redis, of one kind and the other: of those that
# are there, as soon as there are some again.
sub redis_cuts {
    my ($self, $number) = @_;
    my $server = $self->{server};

    return $self->compare(
        "$number Redis cuts",
        $number,
        sub {
            my $type = $_[0] % 2 ? 'pubsub' : 'normal';
            wait_until($patience,
                sub { $server->redis('CLIENT', 'KILL', 'TYPE', $type) > 0 })
                or die "nobody connects to Redis any more\n";
        }
    );
}

# Until every process is connected twice, and hears.
sub await_links {
    my ($self) = @_;
    my $server = $self->{server};
    my $processes = 4;

    wait_until(
        $patience,
        sub {
            my %heard = @{$server->redis('PUBSUB', 'NUMSUB', 'cs_chat:events',
                    'cs_chat:req:0', 'cs_chat:req:63')};
            my @clients = split /\n/, $server->redis('CLIENT', 'LIST');
            return $heard{'cs_chat:events'} == 2
                && $heard{'cs_chat:req:0'} == 1
                && $heard{'cs_chat:req:63'} == 1
                && @clients == 2 * $processes + 1;
        }
    ) or die "not all are connected to Redis again\n";
    return;
}

# ---- before and after ------------------------------------------------------

sub compare {
    my ($self, $name, $number, $do) = @_;
    my $warm_up = int($number / 4) + 1;

    my $done = eval {
        $do->($_) for 1 .. $warm_up;
        1;
    };
    my $before = $self->quiet;
    $done &&= eval {
        $do->($_) for 1 .. $number;
        1;
    };
    return "$name: $@" if !$done;
    return $self->differences($name, $before);
}

# What there is once nothing happens any more.
sub quiet {
    my ($self) = @_;

    $self->{server}->wait_ready;
    $self->await_links;
    return $self->measured;
}

# {name => {fds, memory}}: of the master, the two processes that serve, and the
# workers.  After a reload other processes go by the same name.
sub measured {
    my ($self) = @_;
    my %pids = $self->pids;

    return {
        map { $_ => {fds => fds($pids{$_}), memory => memory($pids{$_})} }
            keys %pids
    };
}

sub pids {
    my ($self) = @_;
    my $server = $self->{server};
    my @serving = $server->nginx_pids(0);

    return (
        'nginx master' => $server->pid('nginx-0'),
        'nginx process 1' => $serving[0],
        'nginx process 2' => $serving[1],
        'chat worker 1' => $server->pid('worker-1'),
        'chat worker 2' => $server->pid('worker-2'),
    );
}

sub fds {
    my ($pid) = @_;
    my @fds = glob "/proc/$pid/fd/*";

    return scalar @fds;
}

# kB of heap and stack.  The resident or proportional size would change with
# what others have mapped of the same files.
sub memory {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/smaps_rollup" or return 0;
    my ($kilobytes) = map { /^Anonymous:\s+(\d+)/ ? $1 : () } <$fh>;
    return $kilobytes // 0;
}

sub differences {
    my ($self, $name, $before) = @_;
    my (@wrong, $now);

    # descriptors are closed a little later than their clients think
    my $closed = wait_until(
        $patience,
        sub {
            $now = $self->quiet;
            return !grep { $now->{$_}{fds} > $before->{$_}{fds} } keys %$now;
        }
    );
    push @wrong, "$name: descriptors are left" if !$closed;
    for my $process (sort keys %$now) {
        my ($old, $new) = ($before->{$process}, $now->{$process});
        push @{$self->{rows}}, [$name, $process, $old, $new];
        my $grown = $new->{memory} - $old->{memory};
        push @wrong, "$name: $process has grown by $grown kB"
            if $grown > $growth && !$ENV{SANITIZE};
    }
    push @wrong, map {"$name: $_"} $self->left_over, $self->busy;
    return @wrong;
}

# Children of the master other than those that serve.
sub left_over {
    my ($self) = @_;
    my $master = $self->{server}->pid('nginx-0');
    my $children = 0;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $stat, '<', $file or next;
        my ($parent) = (<$stat> // '') =~ /\) \S (\d+)/ or next;
        $children++ if $parent == $master;
    }
    return $children == 2 ? () : "$children processes of nginx are there";
}

# Processes that use the processor though there is nothing to do.
sub busy {
    my ($self) = @_;
    my %pids = $self->pids;
    my %before = map { $_ => ticks($pids{$_}) } keys %pids;
    my $seconds = 1;

    pause($seconds);
    return map {"$_ uses the processor"}
        grep { ticks($pids{$_}) - $before{$_} > $idle * $seconds * 100 }
        sort keys %pids;
}

# Processor time, in hundredths of a second.
sub ticks {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my ($user, $system) = <$fh> =~ /\) \S(?: \S+){10} (\d+) (\d+)/;
    return $user + $system;
}

# ---- what it says ----------------------------------------------------------

sub table {
    my ($self) = @_;

    return (
        sprintf('%-18s %-18s %11s %21s', 'after', 'process', 'descriptors',
            'memory'),
        map {
            my ($name, $process, $old, $new) = @$_;
            sprintf '%-18s %-18s %4d -> %3d %7d -> %7d kB', $name, $process,
                $old->{fds}, $new->{fds}, $old->{memory}, $new->{memory};
        } @{$self->{rows}}
    );
}

1;
