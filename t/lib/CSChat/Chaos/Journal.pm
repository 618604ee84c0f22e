# What the people of a crowd did and saw, for the judge: messages and their
# acknowledgements, violations, counters, and by kind of fault how long things
# took.

package CSChat::Chaos::Journal;

use strict;
use warnings;

use CSChat::Chaos::Reactor qw(clock);

sub new {
    my ($class) = @_;

    return bless {
        messages => {},  # clientId => {chat, sender, id, seq}
        violations => [],
        counts => {},
        kinds => {},  # of fault => {gap, pair_gap, ack, slow}
        latencies => [],
        last_ack => undef,
        last_of => {},  # chat => time of its last acknowledgement
        kind => 'start',
        began => clock(),
    }, $class;
}

sub kind {
    my ($self, $kind) = @_;

    $self->{kind} = $kind;
    return;
}

sub count { $_[0]{counts}{$_[1]} += $_[2] // 1; return }

sub violation {
    my ($self, $text) = @_;

    push @{$self->{violations}},
        sprintf '%.2f s, %s: %s', clock() - $self->{began}, $self->{kind}, $text;
    return;
}

sub sent {
    my ($self, $client_id, $chat, $sender) = @_;

    $self->{messages}{$client_id} = {chat => $chat, sender => $sender};
    return;
}

# Every answer to every attempt: they all have to name the same message.
sub acknowledged {
    my ($self, $client_id, $first, $id, $seq) = @_;
    my $message = $self->{messages}{$client_id}
        or return $self->violation("an ack for $client_id, which nobody sent");

    if (defined $message->{id}) {
        $self->violation("$client_id was acknowledged as $message->{id},"
                . " $message->{seq}, then as $id, $seq")
            if $message->{id} ne $id || $message->{seq} != $seq;
        return;
    }
    @$message{qw(id seq)} = ($id, $seq);
    $self->timed($message->{chat}, $first);
    return;
}

sub timed {
    my ($self, $chat, $first) = @_;
    my $now = clock();
    my $kind = $self->{kinds}{$self->{kind}} //= {};

    longest($kind, gap => $now - $self->{last_ack})
        if defined $self->{last_ack};
    longest($kind, pair_gap => $now - $self->{last_of}{$chat})
        if defined $self->{last_of}{$chat};
    longest($kind, ack => $now - $first);
    $kind->{acks}++;
    $self->{last_ack} = $self->{last_of}{$chat} = $now;
    push @{$self->{latencies}}, $now - $first;
    return;
}

sub longest {
    my ($kind, $what, $seconds) = @_;

    $kind->{$what} = $seconds if $seconds > ($kind->{$what} // 0);
    return;
}

# A time without sending is no pause.
sub forget_times {
    my ($self) = @_;

    $self->{last_ack} = undef;
    $self->{last_of} = {};
    return;
}

1;
