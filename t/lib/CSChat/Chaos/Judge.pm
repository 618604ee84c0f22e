# Whether what was promised was kept, from what a crowd saw and what is in the
# database: each acknowledged message once in the history, numbered without a
# gap, and all of it with everyone who was to have it.

package CSChat::Chaos::Judge;

use strict;
use warnings;

# report: of CSChat::Chaos::Crowd::stop; history: {chat => [[seq, id, clientId,
# sender], ...]} in order of seq
sub new {
    my ($class, %o) = @_;
    my $self = bless {
        %o,
        wrong => {map { $_ => [] } qw(lost doubled order)},
    }, $class;

    $self->{stored} = {
        map {
            map { defined $_->[2] ? ($_->[2] => $_) : () } @$_
        } values %{$self->{history}}
    };
    $self->judge_history;
    $self->judge_acknowledged;
    $self->judge_readers;
    push @{$self->{wrong}{order}}, @{$self->{report}{violations}};
    return $self;
}

# Sentences, by what is wrong: "lost", "doubled" and "order".
sub wrong { return $_[0]{wrong}{$_[1]} }

sub find {
    my ($self, $what, $sentence) = @_;

    push @{$self->{wrong}{$what}}, $sentence;
    return;
}

sub judge_history {
    my ($self) = @_;
    my $history = $self->{history};
    my %times;

    for my $chat (sort keys %$history) {
        my $next = 1;
        for my $message (@{$history->{$chat}}) {
            my ($seq, $id, $client_id) = @$message;
            $self->find(order => "history of $chat: $seq in place of $next")
                if $seq != $next;
            $next = $seq + 1;
            $self->find(doubled => "$client_id is stored again as $id")
                if defined $client_id && $times{$client_id}++;
        }
    }
    return;
}

sub judge_acknowledged {
    my ($self) = @_;
    my $messages = $self->{report}{messages};

    for my $client_id (sort keys %$messages) {
        my ($id, $seq, $chat) = @{$messages->{$client_id}}{qw(id seq chat)};
        next if !defined $id;
        my $stored = $self->{stored}{$client_id};
        if (!$stored) {
            $self->find(lost => "$client_id was acknowledged, not stored");
        } elsif ($stored->[0] != $seq || $stored->[1] ne $id) {
            $self->find(order => "$client_id was acknowledged as $id, $seq,"
                    . " stored as $stored->[1], $stored->[0]");
        }
    }
    return;
}

sub judge_readers {
    my ($self) = @_;
    my $read = $self->{report}{read};

    for my $name (sort keys %$read) {
        for my $chat (sort keys %{$read->{$name}}) {
            $self->judge_reader($name, $chat, $read->{$name}{$chat});
        }
    }
    return;
}

# What one has read of a chat is its history, and nothing else.
sub judge_reader {
    my ($self, $name, $chat, $seen) = @_;
    my $history = $self->{history}{$chat} // [];
    my %texts;

    for my $message (@$history) {
        my ($seq, $id) = @$message;
        my $got = $seen->{$seq};
        if (!$got) {
            $self->find(lost => "$name did not get $seq of $chat");
        } elsif ($got->[0] ne $id) {
            $self->find(order => "$name has $got->[0] as $seq of $chat,"
                    . " which is $id");
        }
    }

    $self->find(order => "$name has more than the history of $chat")
        if keys %$seen > @$history;
    for my $got (values %$seen) {
        $self->find(doubled => "$name read $got->[1] twice")
            if defined $got->[1] && $texts{$got->[1]}++;
    }
    return;
}

1;
