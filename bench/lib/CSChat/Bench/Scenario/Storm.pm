# Users who come within 5 s, and who come back after their sockets broke.

package CSChat::Bench::Scenario::Storm;

use strict;
use warnings;

use CSChat::Bench::Machine;
use CSChat::Bench::Table qw(table median ms_columns limited_column);

sub run {
    my ($bench) = @_;
    my $product = $bench->product;
    my $n = CSChat::Bench::Machine::room_for($bench->quick ? 2000 : 10000);
    my %name = ('storm-come' => 'come online', 'storm-back' => 'come back');
    my (%runs, @rows);

    $product->add_crowd('storm', $n);
    push @{$runs{$_->{mode}}}, $_ for once($bench, $n);
    await_offline($product);

    for my $mode ('storm-come', 'storm-back') {
        my $runs = $runs{$mode};
        push @rows, [
            $name{$mode}, $n, median($runs, '%d', sub { $_->{failed} }),
            ms_columns($runs, 'latency'),
            map({ my $kind = $_;
                  median($runs, '%.0f', sub { $_->{cpu_us}{$kind} / 1000 }) }
                $product->kinds),
            map({ my $count = $_;
                  median($runs, '%d', sub { $_->{redis}{$count} }) }
                qw(commands publish events)),
            limited_column($runs) ];
    }
    return table(
        'Users within 5 s, a socket each (CPU and messages in all, one run)',
        [   'they', 'users', 'failed', 'connected p50 ms', 'p99 ms',
            map({"$_ CPU ms"} $product->kinds), 'Redis commands',
            'of them PUBLISH', 'events', 'generator is the limit'
        ],
        @rows);
}

# Both results, each with what Redis and the worker counted.
sub once {
    my ($bench, $n) = @_;
    my $product = $bench->product;
    my $before = counts($product);
    my @results;

    my $running = $bench->load->start($product, 'storm', '--tokens',
        $product->file('storm'), '--connections', $n, '--sources', 16,
        '--seconds', 5, '--warmup', 3000);
    for (1, 2) {
        my $result = $bench->load->next_result($running);
        my $after = counts($product);
        $result->{redis}
            = {map { $_ => $after->{$_} - $before->{$_} } keys %$after};
        $before = $after;
        push @results, $result;
    }
    $bench->load->finish($running);
    return @results;
}

# The worker's own count of events comes with its heartbeat.
sub counts {
    my ($product) = @_;
    my $redis = $product->redis_connection;
    my ($commands) = $redis->command('INFO', 'stats')
        =~ /total_commands_processed:(\d+)/;
    my ($publish) = $redis->command('INFO', 'commandstats')
        =~ /cmdstat_publish:calls=(\d+)/;
    my $events;

    $redis->send('SUBSCRIBE', 'cs_chat:events');
    until (defined $events) {
        my $message = $redis->reply(10) or die "no heartbeat\n";
        ($events) = $message->[2] =~ /^CSC1 H src=\S+ n=(\d+)/;
    }
    return {commands => $commands, publish => $publish // 0, events => $events};
}

# They are not in the way of what is measured next.
sub await_offline {
    my ($product) = @_;

    sleep 1 while $product->sql(
        "SELECT count(*) FROM users WHERE is_online AND name = 'storm'");
    return;
}

1;
