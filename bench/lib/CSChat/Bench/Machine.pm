# The machine that is measured on: what it is, and whether it has something
# else to do, which would show in every figure.

package CSChat::Bench::Machine;

use strict;
use warnings;

use Time::HiRes qw(sleep);

my $busy = 10;  # percent of the processors: too much for a quiet machine
my $steal = 2;  # percent of the time

sub new {
    my ($class) = @_;

    my $self = bless {
        load => (split ' ', text('/proc/loadavg'))[0],
        start => [ticks()],
    }, $class;

    my @before = ticks();
    sleep 1;
    $self->{busy} = percent(\@before, [ticks()], \&busy_ticks);
    return $self;
}

sub text {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

# user, nice, system, idle, iowait, irq, softirq, steal of all processors
sub ticks { return (split ' ', text('/proc/stat'))[1 .. 8] }

sub busy_ticks { return $_[0] + $_[1] + $_[2] + $_[5] + $_[6] }
sub steal_ticks { return $_[7] }

sub percent {
    my ($before, $after, $take) = @_;
    my @passed = map { $after->[$_] - $before->[$_] } 0 .. 7;
    my $all = 0;

    $all += $_ for @passed;
    return $all ? 100 * $take->(@passed) / $all : 0;
}

# What there is to complain of; nothing on a quiet machine.
sub warnings {
    my ($self) = @_;
    my $stolen = percent($self->{start}, [ticks()], \&steal_ticks);
    my @warnings;

    push @warnings, sprintf 'other programs used %.0f %% of the processors'
        . ' before the first measurement', $self->{busy}
        if $self->{busy} > $busy;
    push @warnings, sprintf 'the host kept %.1f %% of the time of the'
        . ' processors for itself (steal)', $stolen
        if $stolen > $steal;
    return @warnings;
}

# How many files a process may open here.
sub descriptors {
    my ($hard) = text('/proc/self/limits') =~ /^Max open files\s+\S+\s+(\S+)/m;

    return !defined $hard || $hard !~ /^\d+$/ || $hard > 65536 ? 65536 : $hard;
}

# Sockets that the generator may hold, of so many that are wanted.
sub room_for {
    my ($wanted) = @_;
    my $room = descriptors() - 100;

    return $room < $wanted ? $room : $wanted;
}

sub processors {
    my $n = () = text('/proc/cpuinfo') =~ /^processor\s*:/mg;

    return $n;
}

# A sentence about machine and programs; directory: where PostgreSQL writes.
sub describe {
    my ($self, $directory) = @_;
    my ($model) = text('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m;
    my ($memory) = text('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
    my ($type) = (split /\n/, `df -T $directory`)[1] =~ /^\S+\s+(\S+)/;
    my ($kernel) = text('/proc/sys/kernel/osrelease') =~ /^(\d+\.\d+)/;

    return sprintf '%s, %d processors, %.0f GB, Linux %s, PostgreSQL\'s files'
        . ' on %s; load average before: %s',
        $model // 'unknown processor', processors(), $memory / 1024 / 1024,
        $kernel, $type, $self->{load};
}

1;
