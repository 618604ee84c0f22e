# Others beside this chat, in the same run and under the same load.  They pass
# text on and store nothing: less work than a chat has.

package CSChat::Bench::Scenario::Peers;

use strict;
use warnings;

use CSChat::Bench::Machine;
use CSChat::Bench::Messages;
use CSChat::Bench::Peer::Nchan;
use CSChat::Bench::Peer::Ws;
use CSChat::Bench::Scenario::Chat;
use CSChat::Bench::Scenario::Fanout;
use CSChat::Bench::Scenario::Handshake;
use CSChat::Bench::Table qw(table values_of per_second cpu_all);

# key of the figures, class, arguments
our @peers = (
    ['nchan-redis', 'CSChat::Bench::Peer::Nchan', redis => 1],
    ['nchan', 'CSChat::Bench::Peer::Nchan'],
    ['ws', 'CSChat::Bench::Peer::Ws'],
);

# what is compared: the figure's name, what it is called, its form
our @compared = (
    ['chat.max.rate', 'pair chat, highest rate at p99 < 20 ms', '%.0f/s'],
    ['chat.2000.cpu', 'CPU per 1,000 messages at 2,000/s', '%.0f ms'],
    ['chat.max.cpu', 'CPU per 1,000 messages at the highest rate', '%.0f ms'],
    ['chat.2000.p50', 'delivery p50 at 2,000/s', '%.2f ms'],
    ['chat.2000.p99', 'delivery p99 at 2,000/s', '%.2f ms'],
    [   'fanout.max.rate', 'deliveries/s to 1,000 sockets at p99 < 50 ms',
        '%.0f/s'
    ],
    ['fanout.max.cpu', 'CPU per 1,000 deliveries', '%.1f ms'],
    ['handshake.rate', 'handshakes/s', '%.0f/s'],
    ['idle.bytes', 'user memory of an idle socket', '%.0f bytes'],
);

sub run {
    my ($bench) = @_;
    my $figures = $bench->figures;
    my %name;

    $bench->end;  # it is not to be in their way
    for (@peers) {
        my ($key, $class, @arguments) = @$_;
        if (!$class->there) {
            CSChat::Bench::say_line("$key is not installed");
            next;
        }
        my $peer = $class->new(@arguments);
        $name{$key} = $peer->name;
        CSChat::Bench::say_line('measuring ', $peer->name);
        # one that fails is left with what it has shown so far
        if (!eval { measure($bench, $key, $peer); 1 }) {
            die $@ if $@ =~ /^stopped by SIG/;
            CSChat::Bench::say_line($peer->name, " failed: $@");
        }
        $peer->end;
    }

    my @there = grep { $name{$_->[0]} } @peers;
    return table('Beside others',
        ['what', 'this chat', map { $name{$_->[0]} } @there],
        ['stored before it is acknowledged', 'yes', map {'no'} @there],
        ['who may hear what is checked', 'yes', map {'no'} @there],
        [   'tokens are checked', 'yes',
            map { $_->[0] eq 'ws' ? 'yes' : 'no' } @there
        ],
        map {
            my ($figure, $what, $form) = @$_;
            [   $what,
                map { defined $figures->{$_}
                    ? sprintf($form, $figures->{$_}{median}) : '–' }
                    $figure, map {"$_->[0].$figure"} @there
            ]
        } @compared);
}

sub measure {
    my ($bench, $key, $peer) = @_;
    my $load = $bench->load;
    my $seconds = 2;

    my $idle = $load->once($peer, 'idle', '--tokens', $peer->file('users'),
        '--connections',
        CSChat::Bench::Machine::room_for($bench->quick ? 2000 : 5000),
        '--seconds', 1);
    $bench->figure("$key.idle.bytes", $idle->{bytes_per_connection});

    my $runs = $load->runs(1, $peer,
        CSChat::Bench::Scenario::Handshake::arguments($bench, $peer));
    $bench->figure("$key.handshake.rate", $runs->[0]{per_second});

    $runs = $load->runs(1, $peer, CSChat::Bench::Messages::arguments($peer,
            'chat', 2000, $seconds));
    CSChat::Bench::Scenario::Chat::figures($bench, "$key.chat.2000", $runs);

    for my $mode ('chat', 'fanout') {
        $runs = CSChat::Bench::Messages::at_highest($bench, $peer, $mode,
            start => $mode eq 'chat' ? 6000 : 60,
            most => $mode eq 'chat' ? 60000 : 1000,
            steps => 2,
            repeats => 1,
            seconds => $seconds) or next;
        $mode eq 'chat'
            ? CSChat::Bench::Scenario::Chat::figures($bench, "$key.chat.max",
            $runs)
            : CSChat::Bench::Scenario::Fanout::figures($bench,
            "$key.fanout.max", $runs);
    }
    return;
}

1;
