# Who hears what: several WebSockets by name, of which a test says who gets an
# event, and that nobody else does.
#
#   my $audience = CSChat::Audience->new($server, agent => $socket, ...);
#   my $got = $audience->heard('new_message', [qw(agent ...)], 'the name');
#   $got = $audience->exactly({agent => ['new_message']}, 'the name');
#
# A fence goes through the bus behind the events, so that one that was not for
# a socket is known not to be on its way any more.

package CSChat::Audience;

use strict;
use warnings;

use Test::More ();
use Time::HiRes qw(time);

use CSChat::WebSocket;

my $audiences = 0;

sub new {
    my ($class, $server, %sockets) = @_;

    return bless {
        server => $server,
        sockets => \%sockets,
        source => 'audience' . ++$audiences,
        fences => 0,
    }, $class;
}

sub socket { return $_[0]{sockets}{$_[1]} }

sub names { return sort keys %{$_[0]{sockets}} }

sub add {
    my ($self, $name, $socket) = @_;

    $self->{sockets}{$name} = $socket;
    return $socket;
}

# Opens sockets: [name, user, where...] each, of the clients by user.
sub gather {
    my ($self, $clients, @seats) = @_;

    for my $seat (@seats) {
        my ($name, $user, %where) = @$seat;
        $self->add($name, $clients->{$user}->websocket(%where));
    }
    return;
}

sub remove { return delete $_[0]{sockets}{$_[1]} }

# Tests that these sockets, each once, and no others get an event of a type
# (that "which" is true for, asked with its data).  Gives the events by name.
sub heard {
    my ($self, $type, $names, $test, $which) = @_;
    my (%got, @wrong);

    for my $name (@$names) {
        my $socket = $self->{sockets}{$name} // die "no socket $name\n";
        $got{$name} = $socket->expect($type, undef, $which)
            or push @wrong, "$name did not get it";
    }

    $self->settle;
    for my $name ($self->names) {
        my $socket = $self->{sockets}{$name};
        my @more = grep { $_->{type} eq $type && (!$which || $which->($_->{data})) }
            @{$socket->{events}};
        next if !@more;
        push @wrong, $got{$name} ? "$name got it again" : "$name got it";
        my %more = map { $_ => 1 } @more;
        @{$socket->{events}} = grep { !$more{$_} } @{$socket->{events}};
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok(!@wrong, $test) or Test::More::diag(join '; ', @wrong);
    return \%got;
}

sub unheard {
    my ($self, $type, $test, $which) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $self->heard($type, [], $test, $which);
}

# Tests that each of these sockets gets these events, in this order, and no
# other socket anything: name => [types].  Gives the events by name.  Answers
# to what a socket asked have to be taken before.
sub exactly {
    my ($self, $want, $test) = @_;
    my $end = time + $CSChat::WebSocket::timeout;
    my (%got, @wrong);

    for my $name (sort keys %$want) {
        my $socket = $self->{sockets}{$name} // die "no socket $name\n";
        while (@{$socket->{events}} < @{$want->{$name}}) {
            my $event = $socket->event_in($end - time) or last;
            push @{$socket->{events}}, $event;
        }
    }

    $self->settle;
    for my $name ($self->names) {
        $got{$name} = [splice @{$self->{sockets}{$name}{events}}];
        my $is = join ' ', map { $_->{type} } @{$got{$name}};
        my $should = join ' ', @{$want->{$name} // []};
        push @wrong, "$name: '$is', not '$should'" if $is ne $should;
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok(!@wrong, $test) or Test::More::diag(join "\n", @wrong);
    return \%got;
}

# Until all that was sent up to now is here.
sub settle {
    my ($self) = @_;
    my $n = ++$self->{fences};

    $self->{server}->redis('PUBLISH', 'cs_chat:events',
        "CSC1 E src=$self->{source} n=$n"
            . " topics=role:customer,role:agent,role:super-agent\n"
            . "{\"type\":\"fence\",\"data\":$n}");
    for my $name ($self->names) {
        $self->{sockets}{$name}->expect('fence', undef, sub { $_[0] == $n })
            or die "$name is cut off\n";
    }
    return;
}

# Nothing that came up to now is of interest.
sub forget {
    my ($self) = @_;

    $self->settle;
    @{$_->{events}} = () for values %{$self->{sockets}};
    return;
}

1;
