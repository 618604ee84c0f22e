# An SVG of bars: for each kind of figure, what this chat and its peers reached,
# relative to the most of them.  Readable on light and dark backgrounds.

package CSChat::Bench::Chart;

use strict;
use warnings;

my $width = 760;
my $left = 200;  # where bars begin
my $longest = 430;
my $bar = 16;

my @charted = (
    {   title => 'Pair chat: highest rate with p99 below 20 ms, messages/s',
        figure => 'chat.max.rate',
        form => '%.0f'
    },
    {   title => 'Server CPU per 1,000 messages at 2,000/s, ms (less is better)',
        figure => 'chat.2000.cpu',
        form => '%.0f'
    },
    {   title => 'One topic with 1,000 sockets: deliveries/s with p99 below'
            . ' 50 ms',
        figure => 'fanout.max.rate',
        form => '%.0f'
    },
    {   title => 'Handshakes/s',
        figure => 'handshake.rate',
        form => '%.0f'
    },
    {   title => 'User memory of an idle socket, bytes (less is better)',
        figure => 'idle.bytes',
        form => '%.0f'
    },
);

my @who = (
    ['', 'this chat (stored, authorized)'],
    ['nchan-redis.', 'Nchan with Redis'],
    ['nchan.', 'Nchan'],
    ['ws.', 'npm ws'],
);

# Of what was measured.
sub of_figures {
    my ($figures) = @_;
    my @groups;

    for my $charted (@charted) {
        my @bars;
        for (@who) {
            my ($prefix, $name) = @$_;
            my $figure = $figures->{"$prefix$charted->{figure}"} or next;
            push @bars, {
                class => $prefix eq '' ? 'ours' : 'peer',
                name => $name,
                value => $figure->{median},
                label => sprintf($charted->{form}, $figure->{median}),
            };
        }
        push @groups, {title => $charted->{title}, bars => \@bars} if @bars;
    }
    return svg(@groups);
}

# groups: {title => ..., bars => [{class, name, value, label}, ...]}
sub svg {
    my (@groups) = @_;
    my $y = 12;
    my @parts;

    for my $group (@groups) {
        my ($most) = sort { $b <=> $a } map { $_->{value} } @{$group->{bars}};

        push @parts, text(12, $y + 14, 'title', $group->{title});
        $y += 22;
        for my $part (@{$group->{bars}}) {
            my $length = int($longest * $part->{value} / ($most || 1) + 0.5)
                || 1;
            push @parts, text($left - 8, $y + 12, 'name', $part->{name}),
                sprintf('<rect class="%s" x="%d" y="%d" width="%d"'
                    . ' height="%d" rx="2"/>',
                    $part->{class}, $left, $y, $length, $bar - 3),
                text($left + $length + 6, $y + 12, 'value', $part->{label});
            $y += $bar;
        }
        $y += 12;
    }
    return join "\n", head($y), @parts, "</svg>\n";
}

sub text {
    my ($x, $y, $class, $text) = @_;

    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;
    return qq{<text class="$class" x="$x" y="$y">$text</text>};
}

sub head {
    my ($height) = @_;

    return <<"END";
<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" viewBox="0 0 $width $height" role="img">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.name { text-anchor: end; }
.ours { fill: #1f7a4d; }
.peer { fill: #9aa4ae; }
\@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .ours { fill: #3fb97a; }
  .peer { fill: #6e7781; }
}
</style>
END
}

1;
