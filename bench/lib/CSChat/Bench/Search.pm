# Finds the highest rate that a server keeps up with: everything delivered
# once and in order, with a p99 below a limit.

package CSChat::Bench::Search;

use strict;
use warnings;

use Time::HiRes qw(sleep);

# Whether a run is what is hoped for.
sub kept {
    my ($run, $limit) = @_;

    return 0 if $run->{gave_up} || $run->{closed};
    return 0 if grep { $run->{$_} } qw(unacked lost duplicates disordered);
    return $run->{delivery}{p99_us} < $limit * 1000;
}

# The highest rate, and what was tried on the way to it.
#   try     runs at a rate: a result
#   limit   ms
#   start   a rate to begin with
#   most    and one to end with
#   steps   of bisection (3)
sub highest {
    my (%o) = @_;
    my ($good, $bad, @tried) = (0);
    my $rate = $o{start};

    # a second chance: a machine has moments that are not the server's
    my $keeps = sub {
        for (1, 2) {
            my $run = $o{try}->($rate);
            my $kept = kept($run, $o{limit});
            push @tried, {rate => $rate, kept => $kept, run => $run};
            return 1 if $kept;
            sleep 0.3;
        }
        return 0;
    };

    while ($rate <= $o{most} && $rate >= $o{start} / 16) {
        if (!$keeps->()) {
            $bad = $rate;
            last if $good;
            $rate = rounded($rate / 2);
            next;
        }
        $good = $rate;
        last if defined $bad;
        $rate = rounded($rate * 1.5);
    }
    my $steps = $good && defined $bad ? $o{steps} // 3 : 0;
    for (1 .. $steps) {
        $rate = rounded(sqrt $good * $bad);
        last if $rate <= $good || $rate >= $bad;
        $keeps->() ? ($good = $rate) : ($bad = $rate);
    }
    return ($good, \@tried);
}

# Two digits are enough.
sub rounded {
    my ($rate) = @_;
    my $unit = 10**(length(int $rate) - 2);

    return $unit < 1 ? int($rate + 0.5) : int($rate / $unit + 0.5) * $unit;
}

1;
