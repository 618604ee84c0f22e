# Sockets that do nothing: what nginx keeps for each of them, and what they
# cost while nothing happens.  Each time on processes that had none before.

package CSChat::Bench::Scenario::Idle;

use strict;
use warnings;

use CSChat::Bench::Machine;
use CSChat::Bench::Product;
use CSChat::Bench::Table qw(table median values_of cpu_all);

sub run {
    my ($bench) = @_;
    my $product = $bench->product;
    my $sockets = CSChat::Bench::Machine::room_for($bench->quick ? 3000 : 20000);
    my @runs;

    for (1 .. $bench->repeats) {
        $product->restart_nginx;
        push @runs, $bench->load->once($product, 'idle', '--tokens',
            $product->file('users'), '--connections', $sockets, '--seconds',
            $bench->quick ? 2 : 4);
        sleep 1;
    }

    my $percent = sub { cpu_all($_, $_->{elapsed_us}) * 100 };
    $bench->figure('idle.bytes',
        values_of(\@runs, sub { $_->{bytes_per_connection} }));
    $bench->figure('idle.sockets', $sockets);
    $bench->figure('idle.percent', values_of(\@runs, $percent));

    return table(
        "Idle sockets, $CSChat::Bench::Product::users users"
            . ' (user memory: PSS of nginx)',
        [   'sockets', 'bytes each, beyond the first 1,000', 'nginx MB',
            'CPU % of one processor, nginx', 'CPU %, all', 'closed'
        ],
        [   $sockets, median(\@runs, '%.0f', sub { $_->{bytes_per_connection} }),
            median(\@runs, '%.1f', sub { $_->{pss_bytes} / 1024 / 1024 }),
            median(\@runs, '%.1f',
                sub { $_->{cpu_us}{nginx} * 100 / $_->{elapsed_us} }),
            median(\@runs, '%.1f', $percent),
            median(\@runs, '%d', sub { $_->{closed} }) ]);
}

1;
