# A blocking connection to Redis on a Unix socket.

package CSChat::Redis;

use strict;
use warnings;

use IO::Socket::UNIX;

sub new {
    my ($class, $path) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $path)
        or die "Redis at $path: $!\n";

    return bless {socket => $socket, in => ''}, $class;
}

# The reply: a text, a number, an array reference or undef; dies on an error.
sub command {
    my ($self, @words) = @_;

    $self->send(@words);
    return $self->reply;
}

sub send {
    my ($self, @words) = @_;
    my $out = '*' . @words . "\r\n";

    utf8::encode($_) for grep { utf8::is_utf8($_) } @words;
    $out .= '$' . length($_) . "\r\n$_\r\n" for @words;
    local $SIG{PIPE} = 'IGNORE';
    syswrite($self->{socket}, $out) // die "Redis: $!\n";
    return;
}

# The next reply, or the next message on a subscribed connection; undef when
# none comes within so many seconds.
sub reply {
    my ($self, $seconds) = @_;

    $self->{end} = time + ($seconds // 10);
    my $line = $self->line;
    return undef unless defined $line;

    my $kind = substr $line, 0, 1, '';
    return $line if $kind eq '+';
    return 0 + $line if $kind eq ':';
    die "Redis: $line\n" if $kind eq '-';
    if ($kind eq '$') {
        return $line < 0 ? undef : $self->bytes($line);
    }
    return undef if $line < 0;
    return [map { $self->reply } 1 .. $line];
}

sub line {
    my ($self) = @_;

    while (1) {
        return $1 if $self->{in} =~ s/^([^\r]*)\r\n//;
        $self->more or return undef;
    }
}

sub bytes {
    my ($self, $length) = @_;

    while (length $self->{in} < $length + 2) {
        $self->more or return undef;
    }
    my $bytes = substr $self->{in}, 0, $length, '';
    substr $self->{in}, 0, 2, '';
    return $bytes;
}

sub more {
    my ($self) = @_;
    my $ready = '';

    vec($ready, fileno $self->{socket}, 1) = 1;
    my $left = $self->{end} - time;
    return 0 if select($ready, undef, undef, $left > 0 ? $left : 0) <= 0;
    my $got = sysread $self->{socket}, $self->{in}, 65536, length $self->{in};
    die "Redis closed the connection\n" unless $got;
    return 1;
}

1;
