# Two people who chat while something is wrong with Redis.
#
#   my $talk = CSChat::Talk->new($server);
#   $talk->fault('Redis is started again', sub {
#       my ($try) = @_;
#       ...;           # makes the fault
#       $try->();      # sends the message, whatever comes of it
#       ...;           # ends the fault
#   }, resync => 1);

package CSChat::Talk;

use strict;
use warnings;

use Test::More;

use CSChat::Server;  # which finds scripts/lib
use CSChat::Process qw(wait_until);

# The names that connections have at Redis.
our %links = map { $_ => "cs-chat-$_" } qw(nginx-commands nginx-subscriptions
    worker-publisher worker-subscriber);

# Machine 0 of the server has one process, as descriptors are counted.
sub new {
    my ($class, $server) = @_;
    my $customer = $server->client('customer1');
    my $agent = $server->client('agent1');

    return bless {
        server => $server,
        customer => $customer,
        agent => $agent,
        chat => $customer->new_chat(agentId => $agent->id),
        here => $customer->websocket,
        there => $agent->websocket,
        nginx => ($server->nginx_pids(0))[0],
        messages => 0,
    }, $class;
}

sub content { return 'Message ' . ++$_[0]{messages} }

# The ids of the connections of a link at Redis.
sub connections {
    my ($self, $link) = @_;

    return map { /^id=(\d+) .* name=$links{$link} / ? $1 : () }
        split /\n/, $self->{server}->redis('CLIENT', 'LIST');
}

# Cuts all connections of links: how many there were.
sub cut {
    my ($self, @links) = @_;
    my @ids = map { $self->connections($_) } @links;

    $self->{server}->redis('CLIENT', 'KILL', 'ID', $_) for @ids;
    return scalar @ids;
}

sub descriptors {
    my ($self) = @_;
    my $n = 0;

    $n += () = glob "/proc/$_/fd/*"
        for $self->{nginx}, $self->{server}->pid('worker-1');
    return $n;
}

# What comes of a message: an event's code, or its type.
sub attempt {
    my ($self, $socket, $content) = @_;
    my $answer = $socket->ask(send_message => {
        chatId => $self->{chat}, clientId => $content, content => $content});

    return $answer ? $answer->{data}{code} // $answer->{type} : 'nothing';
}

# A fault: one message is repeated while it lasts and until it is taken.  The
# code reference makes the fault and ends it.
#   resync => 1          sockets have to look again
#   resync => 'perhaps'  it depends on who is back first
sub fault {
    my ($self, $name, $fault, %o) = @_;

    subtest $name => sub {
        my $before = $self->descriptors;
        my $content = $self->content;
        my %outcomes;
        my $try = sub {
            my $outcome = $self->attempt($self->{here}, $content);
            $outcomes{$outcome}++;
            return $outcome;
        };

        $fault->($try);
        ok wait_until(20, sub { $try->() eq 'message_ack' }),
            'a message is taken again';
        delete @outcomes{qw(message_ack BACKEND_UNAVAILABLE BACKEND_TIMEOUT)};
        is_deeply \%outcomes, {}, 'until then it was refused, and none hung';
        $self->heard($content, $o{resync} // 0);
        $self->goes_on($o{resync});
        is $self->{server}->sql("SELECT count(*) FROM messages
            WHERE content = '$content'"), 1, 'the message is stored once';
        ok wait_until(10, sub { $self->descriptors <= $before }),
            'no descriptor is left'
            or diag $self->descriptors . " instead of $before";
    };
    return;
}

# The other one hears of the message, or is told to look again.
sub heard {
    my ($self, $content, $resync) = @_;
    my $is_it = sub { $_[0]{content} eq $content };

    if ($resync eq 'perhaps') {
        ok wait_until(10, sub {
            grep { $_->{type} eq 'resync'
                || $_->{type} eq 'new_message' && $is_it->($_->{data})
            } $self->{there}->drain;
        }), 'it is heard, or the socket is told to look again';
        $self->{here}->drain;
    } elsif ($resync) {
        ok $_->expect('resync', 15), 'a socket is told to look again'
            for @$self{qw(here there)};
    } else {
        ok $self->{there}->expect('new_message', 10, $is_it), 'it is heard';
    }
    return;
}

sub goes_on {
    my ($self, $resync) = @_;
    my ($here, $there) = @$self{qw(here there)};
    my $content = $self->content;

    $self->{server}->wait_ready;
    is $self->attempt($there, $content), 'message_ack', 'messages go back';
    ok $here->expect('new_message', 10, sub { $_[0]{content} eq $content }),
        'and are heard';
    ok $here->none('resync') && $there->none('resync'),
        $resync ? 'one resync is enough' : 'nobody missed anything';
    return;
}

1;
