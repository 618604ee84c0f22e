# One customer writes, and all agents' sockets hear it, at rates that are given
# and at the highest one that is kept.

package CSChat::Bench::Scenario::Fanout;

use strict;
use warnings;

use CSChat::Bench::Messages;
use CSChat::Bench::Table qw(table per_second values_of cpu_all);

my $limit = $CSChat::Bench::Messages::fanout_limit;

sub fanout {
    my ($bench) = @_;
    my $product = $bench->product;
    my $rate = $bench->quick ? 50 : 300;
    my $runs = $bench->measure(CSChat::Bench::Messages::arguments(
        $product, 'fanout', $rate, $bench->seconds));

    figures($bench, "fanout.$rate", $runs);
    return table('One chat heard by 1,000 sockets (CPU per 1,000 deliveries)',
        CSChat::Bench::Messages::fanout_heads($product),
        CSChat::Bench::Messages::fanout_row($product, $runs));
}

sub fanout_max {
    my ($bench) = @_;
    my $product = $bench->product;
    my $runs = CSChat::Bench::Messages::at_highest($bench, $product, 'fanout',
        start => $bench->quick ? 50 : 200, most => 1000);

    my $title = 'One chat heard by 1,000 sockets, the highest rate with p99'
        . " below $limit ms";

    return "### $title\n\nNone was kept.\n" if !$runs;

    figures($bench, 'fanout.max', $runs);
    return table($title, CSChat::Bench::Messages::fanout_heads($product),
        CSChat::Bench::Messages::fanout_row($product, $runs));
}

sub figures {
    my ($bench, $name, $runs) = @_;

    $bench->figure("$name.rate",
        values_of($runs, sub { per_second($_, 'delivery') }));
    $bench->figure("$name.cpu",
        values_of($runs, sub { cpu_all($_, $_->{delivery}{count}) }));
    $bench->figure("$name.p99",
        values_of($runs, sub { $_->{delivery}{p99_us} / 1000 }));
    return;
}

1;
