# One HTTP/1.1 connection, kept alive, with nothing done behind one's back: a
# test may send raw bytes and see what comes.

package CSChat::HTTP;

use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(time);

our $timeout = $ENV{SANITIZE} ? 40 : 15;  # seconds for an answer

sub new {
    my ($class, $host, $port) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => $host,
        PeerPort => $port,
        Proto => 'tcp',
        Timeout => 5
    ) or die "connect to $host:$port: $!\n";

    $socket->autoflush(1);
    return bless {socket => $socket, host => "$host:$port", in => ''}, $class;
}

# Sends a request and returns the answer:
#   {status, headers => {lower case name => value}, body}
# Headers are a list of pairs; a body gets its Content-Length.
sub request {
    my ($self, $method, $target, %o) = @_;

    $self->write($self->request_text($method, $target, %o));
    return $self->answer(head => $method eq 'HEAD');
}

sub request_text {
    my ($self, $method, $target, %o) = @_;
    my @headers = ('Host' => $self->{host}, @{$o{headers} // []});
    my $text = "$method $target HTTP/1.1\r\n";

    push @headers, 'Content-Length' => length $o{body} if defined $o{body};
    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }
    return "$text\r\n" . ($o{body} // '');
}

sub write {
    my ($self, $bytes) = @_;
    my $end = time + $timeout;

    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $ready = '';
        vec($ready, fileno $self->{socket}, 1) = 1;
        die "write: timeout\n" if time > $end;
        next if select(undef, $ready, undef, 1) <= 0;
        my $n = syswrite $self->{socket}, $bytes;
        die "write: $!\n" unless defined $n;
        substr $bytes, 0, $n, '';
    }
    return;
}

sub answer {
    my ($self, %o) = @_;
    my $end = time + ($o{timeout} // $timeout);

    until ($self->{in} =~ /\r\n\r\n/) {
        $self->more($end) or die "no answer\n";
    }

    my ($head, $rest) = split /\r\n\r\n/, $self->{in}, 2;
    $self->{in} = $rest;
    my ($first, @lines) = split /\r\n/, $head;
    my ($status) = $first =~ m{^HTTP/1\.[01] (\d{3})} or die "answer: $first\n";
    my %headers;
    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or die "header: $_\n";
        $name = lc $name;
        $headers{$name}
            = defined $headers{$name} ? "$headers{$name}, $value" : $value;
    }

    my %answer = (status => $status, headers => \%headers, body => '');
    return \%answer if $o{head} || $status == 101 || $status == 204;
    $answer{body} = $self->body(\%headers, $end);
    return \%answer;
}

sub body {
    my ($self, $headers, $end) = @_;

    if (($headers->{'transfer-encoding'} // '') eq 'chunked') {
        my $body = '';
        while (1) {
            my $length = $self->chunk_length($end);
            $body .= $self->take($length, $end);
            $self->take(2, $end);
            return $body if $length == 0;
        }
    }

    return $self->take($headers->{'content-length'}, $end)
        if defined $headers->{'content-length'};

    1 while $self->more($end);
    return delete($self->{in}) // '';
}

sub chunk_length {
    my ($self, $end) = @_;

    while (1) {
        return hex $1 if $self->{in} =~ s/^([0-9a-fA-F]+)[^\r]*\r\n//;
        $self->more($end) or die "cut off in a chunk\n";
    }
}

# So many bytes of what came.
sub take {
    my ($self, $length, $end) = @_;

    while (length $self->{in} < $length) {
        $self->more($end) or die "cut off\n";
    }
    return substr $self->{in}, 0, $length, '';
}

# Reads what is there: false at the end of the connection; dies when the time
# is up.
sub more {
    my ($self, $end) = @_;
    my $ready = '';
    my $left = $end - time;

    vec($ready, fileno $self->{socket}, 1) = 1;
    die "timeout\n"
        if select($ready, undef, undef, $left > 0 ? $left : 0) <= 0;
    return sysread $self->{socket}, $self->{in}, 65536, length $self->{in};
}

# Whether the server closes within so many seconds.
sub closed {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // 5);

    my $more;
    1 while $more = eval { $self->more($end) };
    return defined $more || $@ !~ /timeout/;
}

sub close {
    my ($self) = @_;

    close $self->{socket} if $self->{socket};
    delete $self->{socket};
    return;
}

1;
