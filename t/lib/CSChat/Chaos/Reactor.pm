# One loop for the many sockets of one process: handlers of descriptors, and
# timers.

package CSChat::Chaos::Reactor;

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

our @EXPORT_OK = qw(clock);

sub clock { return clock_gettime(CLOCK_MONOTONIC) }

sub new {
    my ($class) = @_;

    return bless {
        readers => {},
        writers => {},
        read_bits => '',
        write_bits => '',
        timers => [],
    }, $class;
}

# "read" is called when there is something, "write" when there is room and
# want_write() said so.
sub watch {
    my ($self, $fh, %o) = @_;
    my $fd = fileno $fh;

    $self->{readers}{$fd} = $o{read};
    $self->{writers}{$fd} = $o{write};
    vec($self->{read_bits}, $fd, 1) = 1;
    return;
}

sub want_write {
    my ($self, $fh, $wanted) = @_;

    vec($self->{write_bits}, fileno $fh, 1) = $wanted ? 1 : 0;
    return;
}

# Before the descriptor is closed.
sub forget {
    my ($self, $fh) = @_;
    my $fd = fileno $fh;

    delete $self->{readers}{$fd};
    delete $self->{writers}{$fd};
    vec($self->{read_bits}, $fd, 1) = 0;
    vec($self->{write_bits}, $fd, 1) = 0;
    return;
}

# Calls once, so many seconds from now, unless cancel() comes first.
sub after {
    my ($self, $seconds, $code) = @_;
    my $timer = {due => clock() + $seconds, code => $code};
    my $timers = $self->{timers};
    my ($low, $high) = (0, scalar @$timers);

    while ($low < $high) {
        my $middle = ($low + $high) >> 1;
        if ($timers->[$middle]{due} <= $timer->{due}) {
            $low = $middle + 1;
        } else {
            $high = $middle;
        }
    }
    splice @$timers, $low, 0, $timer;
    return $timer;
}

sub cancel {
    my ($self, $timer) = @_;

    delete $timer->{code} if $timer;
    return;
}

# Runs until a question, asked after every turn, is answered with true.
sub run {
    my ($self, $until) = @_;

    $self->turn until $until->();
    return;
}

sub turn {
    my ($self) = @_;
    my ($read, $write) = @$self{qw(read_bits write_bits)};

    if (select($read, $write, undef, $self->patience) > 0) {
        $self->serve($self->{readers}, $read);
        $self->serve($self->{writers}, $write);
    }

    my $now = clock();
    my $timers = $self->{timers};
    while (@$timers && $timers->[0]{due} <= $now) {
        my $timer = shift @$timers;
        my $code = delete $timer->{code};
        $code->() if $code;
    }
    return;
}

sub serve {
    my ($self, $handlers, $ready) = @_;

    for my $fd (keys %$handlers) {
        next if !vec $ready, $fd, 1;
        # one that an earlier handler of this turn took away is gone
        my $handler = $handlers->{$fd} or next;
        $handler->();
    }
    return;
}

# To the next timer, but not long.
sub patience {
    my ($self) = @_;
    my $next = $self->{timers}[0] or return 0.1;
    my $left = $next->{due} - clock();

    return $left < 0 ? 0 : $left > 0.1 ? 0.1 : $left;
}

1;
