# What the scenarios share: the server that is measured, the load generator,
# how often and how long, and the figures that they leave for the goals and the
# chart.

package CSChat::Bench;

use strict;
use warnings;

use CSChat::Bench::Load;
use CSChat::Bench::Machine;
use CSChat::Bench::Product;
use CSChat::Bench::Table qw(median_of);

#   root   of the repository
#   quick  true: fewer rates, one run each
sub new {
    my ($class, %o) = @_;

    return bless {
        %o,
        repeats => $o{quick} ? 1 : 3,
        seconds => $o{quick} ? 3 : 4,
        machine => CSChat::Bench::Machine->new,
        load => CSChat::Bench::Load->new(
            program => "$o{root}/build/bench/load",
            results => "$o{root}/build/bench/results.jsonl"
        ),
        figures => {},
    }, $class;
}

sub quick { return $_[0]{quick} }
sub repeats { return $_[0]{repeats} }
sub seconds { return $_[0]{seconds} }
sub load { return $_[0]{load} }
sub machine { return $_[0]{machine} }
sub figures { return $_[0]{figures} }

# The chat, started when it is asked for.
sub product {
    my ($self) = @_;

    return $self->{product} //= do {
        say_line('starting');
        CSChat::Bench::Product->new;
    };
}

# Runs of the generator against the chat, as often as is usual.
sub measure {
    my ($self, @arguments) = @_;

    return $self->load->runs($self->repeats, $self->product, @arguments);
}

# Leaves a figure: the values of the runs.
sub figure {
    my ($self, $name, @values) = @_;

    @values = sort { $a <=> $b } @values;
    $self->{figures}{$name} = {
        median => median_of(@values),
        low => $values[0],
        high => $values[-1],
    };
    return;
}

sub say_line {
    print STDERR 'bench: ', @_, "\n";
    return;
}

sub end {
    my ($self) = @_;

    my $product = delete $self->{product};
    $product->end if $product;
    return;
}

1;
