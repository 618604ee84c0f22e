# The targets of this project, and whether a run met them.

package CSChat::Bench::Goals;

use strict;
use warnings;

# name of the figure, what it is about, what is to be reached (at least or at
# most), unit
my @goals = (
    [   'Chat over WebSocket: sent, committed, acknowledged and delivered'
            . ' with p99 < 20 ms, nothing lost',
        'chat.max.rate', '>=', 15000, '%.0f messages/s'
    ],
    [   'the same: CPU of all server processes at that rate',
        'chat.max.cpu', '<=', 75, '%.0f ms per 1,000'
    ],
    ['the same at 2,000/s: p50', 'chat.2000.p50', '<', 1, '%.2f ms'],
    ['the same at 2,000/s: p99', 'chat.2000.p99', '<', 5, '%.1f ms'],
    [   'Chat over POST with keep-alive, p99 < 20 ms, nothing lost',
        'post.max.rate', '>=', 8000, '%.0f messages/s'
    ],
    [   'Idle WebSocket: user memory of nginx', 'idle.bytes', '<=', 2048,
        '%.0f bytes'
    ],
    [   'Idle WebSockets, 20,000: CPU of all server processes',
        'idle.percent', '<', 2, '%.1f %% of a processor'
    ],
    [   'Handshakes with token check', 'handshake.rate', '>=', 10000,
        '%.0f/s'
    ],
    [   'Fan-out to 1,000 sockets of one topic with p99 < 50 ms',
        'fanout.max.rate', '>=', 300000, '%.0f deliveries/s'
    ],
    [   'the same: CPU of all server processes',
        'fanout.max.cpu', '<=', 4, '%.1f ms per 1,000'
    ],
    [   '`GET users/me`, 32 connections', 'get.me.32', '>=', 20000, '%.0f/s'],
    [   '`GET chats`, 20 of them, 32 connections', 'get.chats.32', '>=', 5000,
        '%.0f/s'
    ],
    [   'the last 50 messages, 32 connections', 'get.messages.32', '>=',
        8000, '%.0f/s'
    ],
    [   'a lone `GET users/me`: p50', 'get.me.1.p50', '<', 0.5, '%.2f ms'],
    [   'a lone `GET chats`: p50', 'get.chats.1.p50', '<', 0.5, '%.2f ms'],
    [   'the last 50 messages alone: p50', 'get.messages.1.p50', '<', 0.5,
        '%.2f ms'
    ],
    [   'CPU of a message: beside 20,000 sockets, compared with 10',
        'growth.sockets', '<=', 1.15, '%.2f times'
    ],
    [   'CPU of a message: 8 processes of nginx, compared with 1',
        'growth.processes', '<=', 1.5, '%.2f times'
    ],
    [   'Chat at 1,000/s beside as many logins as the hash allows: p99',
        'login.p99', '<', 20, '%.1f ms'
    ],
);

my %words = ('>=' => 'at least', '<=' => 'at most', '<' => 'below');

sub met {
    my ($figure, $how, $goal) = @_;
    my $value = $figure->{median};

    return $how eq '>=' ? $value >= $goal
        : $how eq '<=' ? $value <= $goal
        : $value < $goal;
}

sub rows {
    my ($figures) = @_;

    return map {
        my ($about, $name, $how, $goal, $form) = @$_;
        my $figure = $figures->{$name};
        [   $about, "$words{$how} " . sprintf($form, $goal),
            measured($figure, $form),
            !$figure ? '' : met($figure, $how, $goal) ? 'yes' : '**no**'
        ]
    } @goals;
}

sub measured {
    my ($figure, $form) = @_;

    return 'not measured' if !$figure;
    my @texts = map { sprintf $form, $figure->{$_} } qw(median low high);
    return $texts[0] if $texts[1] eq $texts[2];
    my ($number) = $form =~ /(%\S*?[df])/;
    return sprintf "$form ($number–$number)",
        map { $figure->{$_} } qw(median low high);
}

1;
