# What one person has read of one chat, and whether it came as promised:
#
#   - a seq names one message, and a message has one seq;
#   - once the socket is at a known place (joined, resumed), each message has
#     the next seq, until a resync says that some may be missing.
#
# A message that is there already is no fault, but is counted.

package CSChat::Chaos::Reader;

use strict;
use warnings;

use CSChat::Chaos::Reactor qw(clock);

sub new {
    my ($class, $journal, $who, $chat) = @_;

    return bless {
        journal => $journal,
        who => $who,
        chat => $chat,
        seen => {},  # seq => [id, clientId]
        seqs => {},  # id => seq
        have => 0,  # everything up to this seq is there
    }, $class;
}

sub have { return $_[0]{have} }

# A message off the socket.
sub live {
    my ($self, $seq, $id, $client_id) = @_;
    my $expect = $self->{expect};

    $self->trace("live $seq");
    if (defined $expect && $seq > $expect) {
        $self->fault("seq $seq came where $expect was due");
    }
    $self->{expect} = $seq + 1 if defined $expect && $seq >= $expect;
    $self->take($seq, $id, $client_id);
    return;
}

# A message by whatever way.
sub take {
    my ($self, $seq, $id, $client_id) = @_;
    my ($seen, $seqs) = @$self{qw(seen seqs)};

    if (my $before = $seen->{$seq}) {
        return $self->{journal}->count('repeated') if $before->[0] eq $id;
        return $self->fault("seq $seq is $before->[0] and $id");
    }
    $self->fault("$id is seq $seqs->{$id} and $seq") if $seqs->{$id};
    $seen->{$seq} = [$id, $client_id];
    $seqs->{$id} = $seq;
    $self->{have}++ while $seen->{$self->{have} + 1};
    return;
}

# All up to a seq has come: from here on there are no gaps.
sub certain {
    my ($self, $last) = @_;

    $self->trace("resumed to $last");
    $self->fault("at seq $last by word, at $self->{have} by what came")
        if $self->{have} < $last;
    return $self->skip_to($last);
}

# The socket goes on behind this seq, though not all before it may have come.
# What it had to say since the server looked may be here already.
sub skip_to {
    my ($self, $last) = @_;

    $last++ while $self->{seen}{$last + 1};
    $self->{expect} = $last + 1;
    return;
}

sub uncertain {
    my ($self, $why) = @_;

    $self->trace($why);
    delete $self->{expect};
    return;
}

# The last steps, to tell with a fault.
sub trace {
    my ($self, $step) = @_;
    my $steps = $self->{steps} //= [];

    push @$steps, sprintf '%.3f %s', clock() - $self->{journal}{began}, $step;
    shift @$steps if @$steps > 12;
    return;
}

sub fault {
    my ($self, $what) = @_;

    $self->{journal}->violation("$self->{who}, chat $self->{chat}: $what ("
            . join(', ', @{$self->{steps} // []}) . ')');
    return;
}

1;
