# Messages at a rate, as the scenarios with chats, topics and peers send them:
# the generator's arguments, a search for the highest rate, and tables.

package CSChat::Bench::Messages;

use strict;
use warnings;

use CSChat::Bench::Search;
use CSChat::Bench::Table qw(median ms_columns cpu_columns cpu_heads
    count_columns count_heads per_second generator_columns generator_heads
    median_of values_of);

our $chat_limit = 20;  # ms, p99 of deliveries
our $fanout_limit = 50;
our $listeners = 1000;

# The generator's arguments, for a mode: chat, post or fanout.
sub arguments {
    my ($server, $mode, $rate, $seconds) = @_;

    return (
        $mode, '--pairs', $server->file('pairs'), '--rate', $rate,
        '--seconds', $seconds,
        $mode eq 'fanout'
        ? ('--tokens', $server->file('supers'), '--connections', $listeners)
        : ()
    );
}

sub limit { return $_[0] eq 'fanout' ? $fanout_limit : $chat_limit }

# Whether the runs together keep a rate: nothing lost in any, and the median of
# their p99 below the limit.
sub kept {
    my ($runs, $limit) = @_;

    return 0 if grep { !CSChat::Bench::Search::kept($_, 1000 * $limit) } @$runs;
    return median_of(values_of($runs, sub { $_->{delivery}{p99_us} }))
        < $limit * 1000;
}

# Runs at the highest rate that is kept; none when there is no such rate.
sub at_highest {
    my ($bench, $server, $mode, %o) = @_;
    my $limit = limit($mode);
    my ($rate) = CSChat::Bench::Search::highest(
        limit => $limit,
        steps => $bench->quick ? 1 : 3,
        try => sub {
            $bench->load->once($server, arguments($server, $mode, $_[0], 1),
                '--limit', $limit);
        },
        %o
    );

    # what a short run keeps, a longer one may not
    my $repeats = $o{repeats} // $bench->repeats;
    for (1 .. 8) {
        last if !$rate;
        my (@runs, $failed);
        for (1 .. $repeats) {
            push @runs, @{$bench->load->runs(1, $server,
                    arguments($server, $mode, $rate,
                        $o{seconds} // $bench->seconds))};
            $failed += !kept([$runs[-1]], $limit);
            last if 2 * $failed > $repeats;  # the median will not do
        }
        return \@runs if kept(\@runs, $limit);
        $rate = CSChat::Bench::Search::rounded($rate * 0.9);
    }
    return;
}

sub chat_heads {
    my ($server) = @_;

    return [
        'sent/s', 'acknowledged/s', 'ack p50 ms', 'ack p99 ms',
        'delivery p50 ms', 'delivery p99 ms', count_heads(),
        cpu_heads($server->kinds), generator_heads()
    ];
}

sub chat_row {
    my ($server, $runs) = @_;
    my $count = sub { $_->{ack}{count} };

    return [
        $runs->[0]{rate},
        median($runs, '%.0f', sub { per_second($_, 'ack') }),
        ms_columns($runs, 'ack'), ms_columns($runs, 'delivery'),
        count_columns($runs), cpu_columns($runs, [$server->kinds], $count),
        generator_columns($runs, $count)
    ];
}

sub fanout_heads {
    my ($server) = @_;

    return [
        'messages/s', 'deliveries/s', 'p50 ms', 'p99 ms', count_heads(),
        cpu_heads($server->kinds), generator_heads()
    ];
}

sub fanout_row {
    my ($server, $runs) = @_;
    my $count = sub { $_->{delivery}{count} };

    return [
        $runs->[0]{rate},
        median($runs, '%.0f', sub { per_second($_, 'delivery') }),
        ms_columns($runs, 'delivery'), count_columns($runs),
        cpu_columns($runs, [$server->kinds], $count, '%.1f'),
        generator_columns($runs, $count, '%.1f')
    ];
}

1;
