# Connect, upgrade with a token, wait for the first event, close; so many at
# once, from 16 addresses.

package CSChat::Bench::Scenario::Handshake;

use strict;
use warnings;

use CSChat::Bench::Table qw(table median ms_columns cpu_heads cpu_columns
    limited_column values_of);

my $at_once = 32;

sub arguments {
    my ($bench, $server) = @_;

    return ('handshake', '--tokens', $server->file('users'), '--connections',
        $at_once, '--sources', 16, '--seconds', $bench->quick ? 2 : 3);
}

sub heads {
    my ($server) = @_;

    return [
        'at once', 'handshakes/s', 'p50 ms', 'p99 ms', 'failed',
        cpu_heads($server->kinds), 'generator is the limit'
    ];
}

sub row {
    my ($server, $runs) = @_;

    return [
        $at_once, median($runs, '%.0f', sub { $_->{per_second} }),
        ms_columns($runs, 'latency'),
        median($runs, '%d', sub { $_->{failed} }),
        cpu_columns($runs, [$server->kinds], sub { $_->{handshakes} }),
        limited_column($runs)
    ];
}

sub run {
    my ($bench) = @_;
    my $product = $bench->product;
    my $runs = $bench->measure(arguments($bench, $product));

    $bench->figure('handshake.rate',
        values_of($runs, sub { $_->{per_second} }));
    return table('Handshakes (CPU per 1,000)', heads($product),
        row($product, $runs));
}

1;
