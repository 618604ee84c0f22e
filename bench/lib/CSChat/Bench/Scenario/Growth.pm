# What a message costs beside sockets that do nothing, and with more processes
# of nginx, each of which hears of every event.

package CSChat::Bench::Scenario::Growth;

use strict;
use warnings;

use CSChat::Bench::Machine;
use CSChat::Bench::Messages;
use CSChat::Bench::Table qw(table median_of values_of cpu_all);

my $rate = 1000;  # messages a second

sub run {
    my ($bench) = @_;
    my $product = $bench->product;
    my (@rows, @sockets, @processes);

    for my $n ($bench->quick ? (10, 2000) : (10, 1000, 10000, 20000)) {
        my $room = CSChat::Bench::Machine::room_for($n);
        my $held = $bench->load->hold($product, $room);
        my $runs = chat($bench);
        $bench->load->release($held);
        push @sockets, cost($runs);
        push @rows, row($product, $room, 2, $runs);
    }
    for my $n ($bench->quick ? (1, 4) : (1, 2, 4, 8)) {
        $product->restart_nginx($n);
        my $runs = chat($bench);
        push @processes, cost($runs);
        push @rows, row($product, 0, $n, $runs);
    }
    $product->restart_nginx;

    $bench->figure('growth.sockets', $sockets[-1] / $sockets[0]);
    $bench->figure('growth.processes', $processes[-1] / $processes[0]);
    return table("Growth: chat over WebSocket at $rate/s (CPU per 1,000"
            . ' messages, one run each)',
        [   'idle sockets beside it', 'nginx processes',
            @{CSChat::Bench::Messages::chat_heads($product)}
        ],
        @rows);
}

sub chat {
    my ($bench) = @_;

    return $bench->load->runs(1, $bench->product,
        CSChat::Bench::Messages::arguments(
            $bench->product, 'chat', $rate, 3));
}

sub cost {
    my ($runs) = @_;

    return median_of(values_of($runs, sub { cpu_all($_, $_->{ack}{count}) }));
}

sub row {
    my ($product, $sockets, $processes, $runs) = @_;

    return [$sockets, $processes,
        @{CSChat::Bench::Messages::chat_row($product, $runs)}];
}

1;
