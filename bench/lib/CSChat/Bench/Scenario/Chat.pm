# Pairs who write to each other, over WebSocket or POST, at rates that are
# given, and at the highest one that is kept.

package CSChat::Bench::Scenario::Chat;

use strict;
use warnings;

use CSChat::Bench::Messages;
use CSChat::Bench::Product;
use CSChat::Bench::Table qw(table values_of cpu_all);

my $pairs = $CSChat::Bench::Product::pairs;
my $limit = $CSChat::Bench::Messages::chat_limit;

sub chat {
    my ($bench) = @_;

    return at_rates($bench, 'chat', "Chat over WebSocket, $pairs pairs,"
            . ' 100 bytes (CPU per 1,000 messages)',
        $bench->quick ? (500, 2000) : 2000);
}

sub post {
    my ($bench) = @_;

    return at_rates($bench, 'post', 'The same over POST with keep-alive,'
            . " $pairs pairs",
        $bench->quick ? 1000 : 2000);
}

sub chat_max {
    my ($bench) = @_;

    return at_highest($bench, 'chat',
        "Chat over WebSocket, the highest rate with p99 below $limit ms");
}

sub post_max {
    my ($bench) = @_;

    return at_highest($bench, 'post',
        "Over POST, the highest rate with p99 below $limit ms");
}

sub at_rates {
    my ($bench, $mode, $title, @rates) = @_;
    my $product = $bench->product;
    my @rows;

    for my $rate (@rates) {
        my $runs = $bench->measure(CSChat::Bench::Messages::arguments(
            $product, $mode, $rate, $bench->seconds));
        figures($bench, "$mode.$rate", $runs);
        push @rows, CSChat::Bench::Messages::chat_row($product, $runs);
    }
    return table($title, CSChat::Bench::Messages::chat_heads($product), @rows);
}

sub at_highest {
    my ($bench, $mode, $title) = @_;
    my $product = $bench->product;
    my $runs = CSChat::Bench::Messages::at_highest($bench, $product, $mode,
        start => $bench->quick ? 2000 : 6000, most => 60000);

    return "### $title\n\nNone was kept.\n" if !$runs;

    figures($bench, "$mode.max", $runs);
    return table($title, CSChat::Bench::Messages::chat_heads($product),
        CSChat::Bench::Messages::chat_row($product, $runs));
}

sub figures {
    my ($bench, $name, $runs) = @_;

    $bench->figure("$name.rate", values_of($runs, sub { $_->{rate} }));
    $bench->figure("$name.cpu",
        values_of($runs, sub { cpu_all($_, $_->{ack}{count}) }));
    for my $quantile (qw(p50 p99)) {
        $bench->figure("$name.$quantile", values_of($runs,
            sub { $_->{delivery}{"${quantile}_us"} / 1000 }));
    }
    return;
}

1;
