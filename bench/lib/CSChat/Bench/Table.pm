# Figures of several runs as columns of a Markdown table: the median, and in
# brackets the lowest and the highest.

package CSChat::Bench::Table;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(table values_of median_of median ms_columns cpu_heads
    cpu_columns cpu_all count_heads count_columns per_second generator_heads
    generator_columns limited_column lag_column);

sub table {
    my ($title, $heads, @rows) = @_;

    return join "\n", "### $title\n", (map {"| $_ |"}
        join(' | ', @$heads), join(' | ', map {'---'} @$heads),
        map { join ' | ', @$_ } @rows), '';
}

# What a function takes from each run ($_), in order.
sub values_of {
    my ($runs, $take) = @_;
    my @values = sort { $a <=> $b } map { $take->() } @$runs;

    return @values;
}

sub median_of {
    my (@values) = @_;
    my $n = @values;

    return $n % 2 ? $values[$n / 2]
        : ($values[$n / 2 - 1] + $values[$n / 2]) / 2;
}

sub median {
    my ($runs, $form, $take) = @_;
    my @values = values_of($runs, $take);
    my @texts = map { sprintf $form, $_ }
        median_of(@values), @values[0, -1];

    return $texts[0] if $texts[1] eq $texts[2];
    return "$texts[0] ($texts[1]–$texts[2])";
}

sub ms_columns {
    my ($runs, $name) = @_;

    return map {
        my $quantile = $_;
        median($runs, '%.2f', sub { $_->{$name}{$quantile} / 1000 });
    } qw(p50_us p99_us);
}

# ---- CPU time of the server ------------------------------------------------

sub cpu_heads { return map {"$_ CPU ms"} @_, 'all' }

# ms of all processes of a run, per 1,000 of something.
sub cpu_all {
    my ($run, $count) = @_;
    my $sum = 0;

    $sum += $_ for values %{$run->{cpu_us}};
    return $sum / ($count || 1);
}

# The same by kind and of all; count takes the number from a run.
sub cpu_columns {
    my ($runs, $kinds, $count, $form) = @_;

    $form //= '%.0f';
    return (
        map({ my $kind = $_;
              median($runs, $form,
                  sub { $_->{cpu_us}{$kind} / ($count->() || 1) }) }
            @$kinds),
        median($runs, $form, sub { cpu_all($_, $count->()) }),
    );
}

# ---- what became of the messages -------------------------------------------

sub count_heads { return ('no ack', 'lost', 'twice', 'out of order') }

sub count_columns {
    my ($runs) = @_;

    return map { my $name = $_; median($runs, '%d', sub { $_->{$name} }) }
        qw(unacked lost duplicates disordered);
}

# How many of a histogram's values came in a second, the time included in which
# the last ones were waited for.
sub per_second {
    my ($run, $name) = @_;
    my $time = $run->{elapsed_us} / 1_000_000;
    my $sent = $run->{messages} / $run->{rate};

    return $run->{$name}{count} / ($time < $sent ? $sent : $time);
}

# ---- the generator ---------------------------------------------------------

sub generator_heads {
    return ('generator lag p99 ms', 'generator CPU ms',
        'generator is the limit');
}

sub generator_columns {
    my ($runs, $count, $form) = @_;

    return (
        lag_column($runs),
        median($runs, $form // '%.0f',
            sub { $_->{load_cpu_us} / ($count->() || 1) }),
        limited_column($runs)
    );
}

sub lag_column {
    return median($_[0], '%.1f', sub { $_->{lag}{p99_us} / 1000 });
}

sub limited_column {
    my ($runs) = @_;
    my $n = grep { $_->{limited} } @$runs;

    return $n ? "**yes** ($n of " . @$runs . ')' : 'no';
}

1;
