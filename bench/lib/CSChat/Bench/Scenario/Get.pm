# Reads over keep-alive connections, each sending its next request when the
# answer is here.

package CSChat::Bench::Scenario::Get;

use strict;
use warnings;

use CSChat::Bench::Table qw(table median ms_columns cpu_heads cpu_columns
    limited_column values_of);

sub run {
    my ($bench) = @_;
    my $product = $bench->product;
    my @rows;

    for (['me', 'users/me', 'users/me'],
        ['chats', 'chats', 'chats, 20 of them'],
        [   'messages', "chats/$product->{reader_chat}/messages",
            'messages, the last 50'
        ])
    {
        my ($key, $path, $name) = @$_;
        for my $connections (1, 32) {
            my $runs = $bench->measure('get', "/api/$path", '--tokens',
                $product->file('reader'), '--connections', $connections,
                '--seconds', 1);
            push @rows, [
                $name, $connections,
                median($runs, '%.0f', sub { $_->{per_second} }),
                ms_columns($runs, 'latency'),
                median($runs, '%d', sub { $_->{refused} + $_->{closed} }),
                cpu_columns($runs, [$product->kinds], sub { $_->{requests} }),
                limited_column($runs) ];
            $bench->figure("get.$key.$connections",
                values_of($runs, sub { $_->{per_second} }));
            $bench->figure("get.$key.$connections.p50",
                values_of($runs, sub { $_->{latency}{p50_us} / 1000 }));
        }
    }

    return table('Reads (CPU per 1,000 requests)',
        [   'GET', 'connections', 'requests/s', 'p50 ms', 'p99 ms', 'failed',
            cpu_heads($product->kinds), 'generator is the limit'
        ],
        @rows);
}

1;
