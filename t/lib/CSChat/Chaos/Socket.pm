# A WebSocket that never blocks, on a reactor.
#
#   CSChat::Chaos::Socket->open($reactor,
#       host => '127.0.0.1:8080', path => '/api/ws', token => $token,
#       on_event => sub { my ($type, $text) = @_; ... },
#       on_end => sub { my ($why) = @_; ... });
#
# The end is told once: "refused", "http 503", "close 1012", "lost", or what
# end() was called with.

package CSChat::Chaos::Socket;

use strict;
use warnings;

use parent qw(CSChat::WebSocket);

use Errno qw(EAGAIN EINTR EINPROGRESS);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Socket qw(SOL_SOCKET SO_ERROR SO_LINGER SO_RCVBUF);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# A new connection that does not wait for the other side: undef when it is
# refused at once.
sub connection {
    my ($host) = @_;

    return IO::Socket::INET->new(
        PeerAddr => $host,
        Proto => 'tcp',
        Blocking => 0
    );
}

sub open {
    my ($class, $reactor, %o) = @_;
    my $socket = connection($o{host});
    my $self = bless {
        %o,
        reactor => $reactor,
        socket => $socket,
        http => {in => ''},  # where the parent class looks for frames
        out => '',
    }, $class;

    if (!$socket) {
        $reactor->after(0, sub { $self->end('refused') });
        return $self;
    }

    $reactor->watch(
        $socket,
        read => sub { $self->readable },
        write => sub { $self->flush }
    );
    $self->{out} = $self->handshake;
    $reactor->want_write($socket, 1);
    return $self;
}

sub handshake {
    my ($self) = @_;
    my $key = encode_base64(pack('N4', map { rand 2**32 } 1 .. 4), '');

    return join "\r\n", "GET $self->{path} HTTP/1.1", "Host: $self->{host}",
        'Upgrade: websocket', 'Connection: Upgrade',
        'Sec-WebSocket-Version: 13', "Sec-WebSocket-Key: $key",
        "Authorization: Bearer $self->{token}", '', '';
}

# Once the server has said "connected".
sub is_open { return $_[0]{upgraded} && !$_[0]{ended} }

# ---- writing ---------------------------------------------------------------

# send() and the rest of the parent class end here.
sub send_raw {
    my ($self, $bytes) = @_;

    return if $self->{ended};
    $self->{out} .= $bytes;
    $self->flush;
    return;
}

sub flush {
    my ($self) = @_;

    local $SIG{PIPE} = 'IGNORE';
    while (length $self->{out}) {
        my $n = syswrite $self->{socket}, $self->{out};
        if (!defined $n) {
            last if $! == EAGAIN || $! == EINTR || $! == EINPROGRESS;
            # what was sent before the end is still to be read
            $self->{out} = '';
            last;
        }
        substr $self->{out}, 0, $n, '';
    }

    $self->{reactor}->want_write($self->{socket}, length $self->{out});
    return;
}

# ---- reading ---------------------------------------------------------------

sub readable {
    my ($self) = @_;
    my $n = sysread $self->{socket}, $self->{http}{in}, 65536,
        length $self->{http}{in};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return $self->end('lost');
    }
    $self->upgrade if !$self->{upgraded};
    $self->take_frames if $self->{upgraded};
    $self->end('lost') if $n == 0;
    return;
}

sub upgrade {
    my ($self) = @_;
    my $in = \$self->{http}{in};

    return if $$in !~ s{^HTTP/1\.1 (\d{3}).*?\r\n\r\n}{}s;
    return $self->end("http $1") if $1 != 101;
    $self->{upgraded} = 1;
    return;
}

sub take_frames {
    my ($self) = @_;

    while (!$self->{ended} && (my $frame = $self->parse_frame)) {
        my ($opcode, $payload) = @$frame{qw(opcode payload)};

        if ($opcode == 1) {
            my ($type) = $payload =~ /^\{"type":"(\w+)"/;
            $self->{on_event}->($type // 'unknown', $payload);
        } elsif ($opcode == 9) {
            $self->send_frame(10, $payload);
        } elsif ($opcode == 8) {
            my $code = length $payload >= 2 ? unpack 'n', $payload : 1005;
            $self->send_close($code);
            $self->end("close $code");
        }
    }
    return;
}

# ---- the end ---------------------------------------------------------------

sub end {
    my ($self, $why) = @_;

    return if $self->{ended};
    $self->{ended} = 1;
    if ($self->{socket}) {
        $self->{reactor}->forget($self->{socket});
        close delete $self->{socket};
    }
    my ($on_end) = delete @$self{qw(on_end on_event)};
    $on_end->($why) if $on_end;
    return;
}

# Breaks off without a word: the other side sees a reset.
sub reset {
    my ($self) = @_;

    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
        if $self->{socket};
    $self->end('reset');
    return;
}

1;
