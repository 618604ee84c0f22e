# One HTTP/2 connection (RFC 9113, without TLS): as many streams at once as a
# test likes.  Header fields are sent uncompressed; of those that come only the
# status is read.

package CSChat::HTTP2;

use strict;
use warnings;

use Time::HiRes qw(time);

use CSChat::HTTP;

my %frame = (DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
    PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8);
my ($END_STREAM, $END_HEADERS, $ACK) = (1, 4, 1);
my %status = (0x88 => 200, 0x89 => 204, 0x8c => 400, 0x8d => 404,
    0x8e => 500);

sub new {
    my ($class, $host, $port) = @_;
    my $self = bless {
        http => CSChat::HTTP->new($host, $port),
        stream => -1,
        answers => {},
    }, $class;

    $self->{http}->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            . frame('SETTINGS', 0, 0, '')
            . frame('WINDOW_UPDATE', 0, 0, pack 'N', 2**30));
    return $self;
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $frame{$type}, $flags, $stream) . $payload;
}

# Sends a request and returns its stream; the body goes in frames of so many
# bytes.
sub send {
    my ($self, $method, $path, %o) = @_;
    my $stream = $self->{stream} += 2;
    my @headers = (':method', $method, ':path', $path, ':scheme', 'http',
        ':authority', 'x', @{$o{headers} // []});
    my $block = join '', map { literal($_) } pairs(@headers);
    my $out = frame('HEADERS', $END_HEADERS
            | (defined $o{body} ? 0 : $END_STREAM), $stream, $block);

    if (defined $o{body}) {
        my $size = $o{pieces} // 16_384;
        my @pieces = unpack "(a$size)*", $o{body};
        $out .= frame('DATA', 0, $stream, $_) for @pieces;
        $out .= frame('DATA', $END_STREAM, $stream, '');
    }
    $self->{http}->write($out);
    return $stream;
}

sub pairs {
    my (@list) = @_;

    return map { [@list[2 * $_, 2 * $_ + 1]] } 0 .. $#list / 2;
}

# A field that is not indexed (RFC 7541, 6.2.2).
sub literal {
    my ($pair) = @_;

    return "\0" . join '', map { number(length) . $_ } @$pair;
}

sub number {
    my ($n) = @_;
    my $out = chr($n < 127 ? $n : 127);

    return $out if $n < 127;
    for ($n -= 127; $n >= 128; $n >>= 7) {
        $out .= chr($n & 127 | 128);
    }
    return $out . chr $n;
}

# The client wants the stream's answer no more.
sub cancel {
    my ($self, $stream) = @_;

    $self->{http}->write(frame('RST_STREAM', 0, $stream, pack 'N', 8));
    return;
}

# The answer to a stream: {status, body}; dies when none comes.
sub answer {
    my ($self, $stream) = @_;
    my $end = time + $CSChat::HTTP::timeout;

    until ($self->{answers}{$stream}{ended}) {
        $self->read_frame($end);
    }
    return delete $self->{answers}{$stream};
}

sub read_frame {
    my ($self, $end) = @_;
    my $http = $self->{http};
    my $head = $http->take(9, $end);
    my ($type, $flags, $stream) = unpack 'x3CCN', $head;
    my $payload = $http->take(unpack('N', "\0" . substr $head, 0, 3), $end);
    my $answer = $self->{answers}{$stream} //= {body => ''};

    if ($type == $frame{HEADERS}) {
        my $first = ord $payload;
        $answer->{status} = $status{$first} // substr $payload, 2, 3;
    } elsif ($type == $frame{DATA}) {
        $answer->{body} .= $payload;
    } elsif ($type == $frame{RST_STREAM}) {
        $answer->{reset} = unpack 'N', $payload;
    } elsif ($type == $frame{SETTINGS} && !($flags & $ACK)) {
        $http->write(frame('SETTINGS', $ACK, 0, ''));
    } elsif ($type == $frame{GOAWAY}) {
        die 'GOAWAY ', unpack('x4N', $payload), "\n";
    }
    $answer->{ended} = 1
        if $type == $frame{RST_STREAM}
        || $flags & $END_STREAM && $type <= $frame{HEADERS};
    return;
}

sub close { return $_[0]{http}->close }

1;
