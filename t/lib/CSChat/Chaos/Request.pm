# One HTTP request that never blocks, on a connection of its own.
#
#   CSChat::Chaos::Request::start($reactor, host => ..., token => ...,
#       method => 'POST', path => ..., body => {...}, headers => [...],
#       seconds => 5, done => sub { my ($status, $json) = @_; ... });
#
# "done" is called once; the status is 0 where no whole answer came in time.

package CSChat::Chaos::Request;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EINPROGRESS);
use JSON::PP ();

use CSChat::Chaos::Socket;

my $json = JSON::PP->new->utf8->canonical;

sub start {
    my ($reactor, %o) = @_;
    my $self = bless {%o, reactor => $reactor, in => ''}, __PACKAGE__;

    $self->{timer} = $reactor->after($o{seconds}, sub { $self->end });
    $self->{socket} = CSChat::Chaos::Socket::connection($o{host});
    if (!$self->{socket}) {
        $reactor->after(0, sub { $self->end });
        return;
    }

    $self->{out} = $self->text;
    $reactor->watch(
        $self->{socket},
        read => sub { $self->readable },
        write => sub { $self->writable }
    );
    $reactor->want_write($self->{socket}, 1);
    return;
}

sub text {
    my ($self) = @_;
    my @lines = (
        "$self->{method} $self->{path} HTTP/1.1", "Host: $self->{host}",
        'Connection: close', "Authorization: Bearer $self->{token}"
    );
    my $body = $self->{body} ? $json->encode($self->{body}) : '';
    my @headers = @{$self->{headers} // []};

    while (my ($name, $value) = splice @headers, 0, 2) {
        push @lines, "$name: $value";
    }
    push @lines, 'Content-Type: application/json',
        'Content-Length: ' . length $body
        if $self->{body};
    return join "\r\n", @lines, '', $body;
}

sub writable {
    my ($self) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $n = syswrite $self->{socket}, $self->{out};
    if (defined $n) {
        substr $self->{out}, 0, $n, '';
    } elsif ($! != EAGAIN && $! != EINTR && $! != EINPROGRESS) {
        $self->{out} = '';
    }
    $self->{reactor}->want_write($self->{socket}, length $self->{out});
    return;
}

sub readable {
    my ($self) = @_;
    my $n = sysread $self->{socket}, $self->{in}, 65536, length $self->{in};

    return if !defined $n && ($! == EAGAIN || $! == EINTR);
    $self->end if !$n;
    return;
}

# An answer counts when it is whole.
sub end {
    my ($self) = @_;
    my $done = delete $self->{done} or return;
    my ($status, $data) = (0);

    $self->{reactor}->cancel($self->{timer});
    if ($self->{socket}) {
        $self->{reactor}->forget($self->{socket});
        close delete $self->{socket};
    }
    if ($self->{in} =~ m{^HTTP/1\.1 (\d{3})(.*?)\r\n\r\n(.*)}s) {
        my ($got, $head, $body) = ($1, $2, $3);
        $body = unchunked($body) if $head =~ /^transfer-encoding: chunked/im;
        $data = eval { $json->decode($body) };
        $status = $got if $data;
    }
    $done->($status, $data);
    return;
}

sub unchunked {
    my ($text) = @_;
    my $body = '';

    while ($text =~ s/^([0-9a-fA-F]+)[^\r]*\r\n//) {
        my $length = hex $1;
        return $body if $length == 0;
        $body .= substr $text, 0, $length, '';
        $text =~ s/^\r\n//;
    }
    return '';
}

1;
