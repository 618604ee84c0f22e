# A client of the REST API.  Calls return (status, decoded JSON, answer); in
# scalar context the JSON.

package CSChat::Client;

use strict;
use warnings;

use JSON::PP ();

use CSChat::WebSocket;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# machine, pid and token as in CSChat::Server::client
sub new {
    my ($class, $server, %o) = @_;

    return bless {%o, server => $server}, $class;
}

sub token { return $_[0]{token} }

# The caller's own user id.
sub id {
    my ($self) = @_;

    return $self->{id} //= $self->get('users/me')->{data}{id};
}

sub get { my $self = shift; return $self->call('GET', @_) }
sub post { my $self = shift; return $self->call('POST', @_) }
sub put { my $self = shift; return $self->call('PUT', @_) }
sub delete { my $self = shift; return $self->call('DELETE', @_) }

# A path is relative to the API unless it begins with a slash.  The body is a
# data structure, or a text that is sent as it is.  Options: headers => [...].
sub call {
    my ($self, $method, $path, $body, %o) = @_;
    my @headers = @{$o{headers} // []};

    $path = $self->{server}{api_prefix} . $path if $path !~ m{^/};
    push @headers, Authorization => "Bearer $self->{token}"
        if defined $self->{token};
    if (defined $body) {
        push @headers, 'Content-Type' => 'application/json'
            unless grep { lc $_ eq 'content-type' } @headers;
        $body = $json->encode($body) if ref $body;
    }

    my $answer = $self->exchange($method, $path, \@headers, $body);
    my $data = eval { $json->decode($answer->{body}) };
    return wantarray ? ($answer->{status}, $data, $answer) : $data;
}

# Over the connection that is there; over a new one where the server has ended
# it between two requests.
sub exchange {
    my ($self, $method, $path, $headers, $body) = @_;
    my $old = $self->{connection};

    $self->reconnect if !$old;
    my $answer = eval {
        $self->{connection}
            ->request($method, $path, headers => $headers, body => $body);
    };
    if (!$answer) {
        die $@ unless $old && $@ =~ /^(?:no answer|write:)/;
        $self->reconnect;
        $answer = $self->{connection}
            ->request($method, $path, headers => $headers, body => $body);
    }

    delete $self->{connection}
        if ($answer->{headers}{connection} // '') eq 'close';
    return $answer;
}

sub reconnect {
    my ($self) = @_;

    $self->{connection} = $self->{server}
        ->connection(machine => $self->{machine}, pid => $self->{pid});
    return;
}

# A WebSocket of the same user at the same place.
sub websocket {
    my ($self, %o) = @_;
    my $socket = CSChat::WebSocket->connect(
        $self->{server},
        token => $self->{token},
        machine => $self->{machine},
        pid => $self->{pid},
        %o
    );

    $socket->{connected} = $socket->expect('connected');
    return $socket;
}

# A chat of this customer, or with a customer: its id.
sub new_chat {
    my ($self, %fields) = @_;
    my ($status, $data) = $self->post('chats', \%fields);

    die "POST chats: $status\n" if $status != 201;
    return $data->{data}{id};
}

1;
