# As many logins as the hash allows, alone and while others chat.

package CSChat::Bench::Scenario::Login;

use strict;
use warnings;

use CSChat::Bench::Machine;
use CSChat::Bench::Messages;
use CSChat::Bench::Table qw(table median ms_columns values_of median_of
    count_heads count_columns cpu_heads cpu_columns);

my $rate = 1000;  # messages a second

sub run {
    my ($bench) = @_;
    my $product = $bench->product;
    my $connections = 4 * CSChat::Bench::Machine::processors();
    my $seconds = 3;
    my @arguments = ('login', '--tokens', $product->file('logins'),
        '--connections', $connections);

    $product->add_logins;
    my $alone = $bench->measure(@arguments, '--seconds', $seconds);
    my $quiet = $bench->measure(CSChat::Bench::Messages::arguments(
        $product, 'chat', $rate, $seconds));
    my (@logins, @chats);
    for (1 .. $bench->repeats) {
        # begins before the messages and ends after them
        my $running = $bench->load->start($product, @arguments, '--seconds',
            $seconds + 2);
        push @chats, $bench->load->once($product,
            CSChat::Bench::Messages::arguments(
                $product, 'chat', $rate, $seconds));
        push @logins, $bench->load->next_result($running);
        $bench->load->finish($running);
    }

    my $per_second = sub { $_->{per_second} };
    $bench->figure('login.rate', values_of(\@logins, $per_second));
    $bench->figure('login.alone', values_of($alone, $per_second));
    $bench->figure('login.p99',
        values_of(\@chats, sub { $_->{delivery}{p99_us} / 1000 }));

    return table("Logins (yescrypt, $connections connections) and chat at"
            . " $rate/s",
        [   'what', 'logins/s', 'login p50 ms', 'login p99 ms',
            'delivery p50 ms', 'delivery p99 ms', count_heads(),
        ],
        [   'logins alone', login_columns($alone), ('') x 6 ],
        [   'chat alone', ('') x 3, chat_columns($quiet) ],
        [   'both', login_columns(\@logins), chat_columns(\@chats) ]);
}

sub login_columns {
    my ($runs) = @_;

    return (median($runs, '%.0f', sub { $_->{per_second} }),
        ms_columns($runs, 'latency'));
}

sub chat_columns {
    my ($runs) = @_;

    return (ms_columns($runs, 'delivery'), count_columns($runs));
}

1;
