# A WebSocket client that shows every frame, and can send wrong ones.

package CSChat::WebSocket;

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(time);

use CSChat::HTTP;

our $timeout = $ENV{SANITIZE} ? 20 : 8;  # seconds for an event

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# Opens and upgrades a connection; dies where the server refuses.  Options:
#   machine, pid  where to, as in CSChat::Server
#   token         sent as a header
#   query         text behind the '?'
#   protocols     list for Sec-WebSocket-Protocol
#   headers       [further pairs]; path; connection => one that is open
#   pong => 0     leave pings unanswered
sub connect {
    my ($class, $server, %o) = @_;
    my $self = $class->try($server, %o);

    die "handshake: $self->{answer}{status} $self->{answer}{body}\n"
        if $self->{answer}{status} != 101;
    return $self;
}

# The same, but a refusal is in {answer}.
sub try {
    my ($class, $server, %o) = @_;
    my $http = $o{connection}
        // $server->connection(machine => $o{machine}, pid => $o{pid});
    my $path = $o{path} // $server->{api_prefix} . 'ws';
    my @headers = (
        'Upgrade' => 'websocket',
        'Connection' => 'Upgrade',
        'Sec-WebSocket-Version' => 13,
        'Sec-WebSocket-Key' =>
            encode_base64(pack('N4', map { rand 2**32 } 1 .. 4), ''),
    );

    push @headers, 'Authorization' => "Bearer $o{token}" if defined $o{token};
    push @headers, 'Sec-WebSocket-Protocol' => join ', ', @{$o{protocols}}
        if $o{protocols};
    $path .= "?$o{query}" if defined $o{query};

    my $answer = $http->request('GET', $path,
        headers => [@headers, @{$o{headers} // []}]);
    return bless {
        http => $http,
        answer => $answer,
        pong => $o{pong} // 1,
        events => [],
        frames => [],
    }, $class;
}

# ---- sending ---------------------------------------------------------------

# {"type":...,"data":{...}}
sub send {
    my ($self, $type, $data) = @_;

    return $self->send_text(
        $json->encode({type => $type, defined $data ? (data => $data) : ()}));
}

sub send_text { return $_[0]->send_frame(1, $_[1]) }

# One frame.  Options, for what a frame must not be as well:
#   fin (1), rsv (0), mask (a random one; 0 for none), length_bytes (0, 2 or 8
#   where the shortest form is not wanted), length (that is claimed)
sub send_frame {
    my ($self, $opcode, $payload, %o) = @_;

    return $self->send_raw($self->frame($opcode, $payload, %o));
}

sub send_raw { return $_[0]{http}->write($_[1]) }

sub frame {
    my ($self, $opcode, $payload, %o) = @_;
    my $mask = $o{mask} // pack 'N', 1 + rand 2**31;
    my $length = $o{length} // length $payload;
    my $form = $o{length_bytes}
        // ($length < 126 ? 0 : $length < 65536 ? 2 : 8);
    my $bit = $mask ? 0x80 : 0;

    my $head = chr(($o{fin} // 1) << 7 | ($o{rsv} // 0) << 4 | $opcode);
    $head .= $form == 0 ? chr($bit | $length)
        : $form == 2 ? chr($bit | 126) . pack('n', $length)
        : chr($bit | 127) . pack('Q>', $length);

    return $head . $payload unless $mask;
    my $key = $mask x (length($payload) / 4 + 1);
    return $head . $mask . ($payload ^ substr $key, 0, length $payload);
}

sub send_close {
    my ($self, $code, $reason) = @_;

    return $self->send_frame(8,
        defined $code ? pack('n', $code) . ($reason // '') : '');
}

# ---- receiving -------------------------------------------------------------

# The next frame {fin, rsv, opcode, payload}, undef when none comes in time or
# the connection is at its end ({ended} is true then).
sub frame_in {
    my ($self, $seconds) = @_;
    my $http = $self->{http};
    my $end = time + ($seconds // $timeout);

    while (1) {
        my $frame = $self->parse_frame;
        return $frame if $frame;

        my $more = eval { $http->more($end) };
        if (!$more) {
            $self->{ended} = 1 if defined $more || $@ !~ /timeout/;
            return undef;
        }
    }
}

sub parse_frame {
    my ($self) = @_;
    my $in = \$self->{http}{in};

    return if length $$in < 2;
    my ($first, $second) = unpack 'CC', $$in;
    my ($length, $head) = ($second & 127, 2);
    die "a masked frame came\n" if $second & 128;

    if ($length == 126) {
        return if length $$in < 4;
        ($length, $head) = (unpack('x2n', $$in), 4);
    } elsif ($length == 127) {
        return if length $$in < 10;
        ($length, $head) = (unpack('x2Q>', $$in), 10);
    }

    return if length $$in < $head + $length;
    my $payload = substr $$in, $head, $length;
    substr $$in, 0, $head + $length, '';
    return {
        fin => $first >> 7,
        rsv => ($first >> 4) & 7,
        opcode => $first & 15,
        payload => $payload,
    };
}

# Reads one event off the wire: pings are answered, a close is remembered.
sub event_in {
    my ($self, $seconds) = @_;
    my $end = time + $seconds;

    while ((my $left = $end - time) > 0) {
        my $frame = $self->frame_in($left) or return undef;

        if ($frame->{opcode} == 1) {
            my $event = $json->decode($frame->{payload});
            $event->{raw} = $frame->{payload} if ref $event eq 'HASH';
            return $event;
        } elsif ($frame->{opcode} == 9) {
            $self->{pings}++;
            $self->send_frame(10, $frame->{payload}) if $self->{pong};
        } elsif ($frame->{opcode} == 10) {
            push @{$self->{pongs}}, $frame->{payload};
        } elsif ($frame->{opcode} == 8) {
            $self->{close} = $frame->{payload};
            return undef;
        } else {
            die "a frame of kind $frame->{opcode} came\n";
        }
    }

    return undef;
}

# The oldest event that no one has asked for yet.
sub next {
    my ($self, $seconds) = @_;

    return shift @{$self->{events}} if @{$self->{events}};
    return $self->event_in($seconds // $timeout);
}

# The next event of a type, whole; others stay for later.  With a code
# reference only one that it is true for, asked with the event's data.  undef
# when none comes.
sub expect {
    my ($self, $type, $seconds, $which) = @_;
    my $end = time + ($seconds // $timeout);
    my $fits = sub {
        $_[0]{type} eq $type && (!$which || $which->($_[0]{data}));
    };

    my $events = $self->{events};
    for my $i (0 .. $#$events) {
        return splice @$events, $i, 1 if $fits->($events->[$i]);
    }

    while ((my $left = $end - time) > 0) {
        my $event = $self->event_in($left) or return undef;
        return $event if $fits->($event);
        push @$events, $event;
    }

    return undef;
}

# Everything that has come up to now: the events, as a list.  A ping goes
# through the server in between, so that what was queued before is here.
sub drain {
    my ($self) = @_;
    my $mark = 'drain-' . ++$self->{drains};

    $self->send('ping', {mark => $mark});
    $self->expect('pong', undef,
        sub { ref $_[0] eq 'HASH' && ($_[0]{mark} // '') eq $mark });
    my @events = @{$self->{events}};
    @{$self->{events}} = ();
    return @events;
}

# True when no event of a type is among those that came up to now.
sub none {
    my ($self, $type) = @_;
    my @events = $self->drain;

    push @{$self->{events}}, @events;
    return !grep { $_->{type} eq $type } @events;
}

# Sends an event and returns the next one of one of these types: by default
# what each answers with.
sub ask {
    my ($self, $type, $data, $answer) = @_;
    my %answers = (
        send_message => 'message_ack',
        join_chat => 'joined',
        leave_chat => 'left',
        auth => 'authenticated',
        ping => 'pong',
    );

    $answer //= $answers{$type};
    $self->send($type, $data);

    my $end = time + $timeout;
    while ((my $left = $end - time) > 0) {
        my $event = $self->event_in($left) or return undef;
        return $event if $event->{type} eq $answer;
        return $event
            if $event->{type} eq 'error'
            && ($event->{data}{replyTo} // '') eq $type;
        push @{$self->{events}}, $event;
    }
    return undef;
}

# Waits for the server's Close frame: its code, 1005 where it has none; undef
# when none comes.
sub close_code {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // $timeout);

    until (defined $self->{close}) {
        my $left = $end - time;
        return undef if $left <= 0 || $self->{ended};
        my $event = $self->event_in($left);
        push @{$self->{events}}, $event if $event;
    }

    return length $self->{close} >= 2 ? unpack('n', $self->{close}) : 1005;
}

# Ends it the way it should: the code that the server answers with.
sub close {
    my ($self, $code) = @_;

    $self->send_close($code // 1000);
    my $answer = $self->close_code;
    $self->{http}->close;
    return $answer;
}

# Ends the connection without a word.
sub drop { return $_[0]{http}->close }

1;
