# Another product that passes WebSocket messages on, started privately: its
# directory, the generator's files, its processes.

package CSChat::Bench::Peer;

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use IO::Socket::INET;

use CSChat::Bench::Machine;
use CSChat::Bench::Product;
use CSChat::JWT;
use CSChat::Process qw(spawn wait_until last_line);
use CSChat::Server;

our $root = dirname(Cwd::abs_path(__FILE__)) . '/../../../..';

# Starts it.  Subclasses say in start() how, with run_part(), and what they
# are: name(), does() (what it does and doesn't do), kinds().
sub new {
    my ($class, %o) = @_;

    my $self = bless {
        %o,
        dir => File::Temp::tempdir('cs-chat-peer-XXXXXXXX', TMPDIR => 1),
        address => CSChat::Server::address(3),
        parts => {},
    }, $class;

    chmod 0755, $self->{dir};
    $self->write_files;
    eval { $self->start; 1 } or do {
        my $error = $@;
        $self->end;
        die $error;
    };
    return $self;
}

sub port { return 8080 }
sub redis_port { return 6379 }
sub file { return "$_[0]{dir}/bench-$_[1]" }

# The generator's arguments: where it is, that it is a relay, what to watch.
sub target {
    my ($self) = @_;

    return ('--to', "$self->{address}:" . $self->port, '--relay', '--api', '');
}

sub watch {
    my ($self) = @_;

    return map { ('--watch', "$_=$self->{parts}{$_}") } $self->kinds;
}

# As many pairs and users as the chat has, with tokens of the same form.
sub write_files {
    my ($self) = @_;
    my @tokens = map { CSChat::Bench::Product::token_of(
            "00000000-0000-7000-8000-00000000000$_|user$_|customer") } 0 .. 9;
    my @pairs = map { sprintf '%s %s 00000000-0000-7000-8000-%012d',
            @tokens[0, 1], $_ } 1 .. $CSChat::Bench::Product::pairs;
    my %lines = (
        pairs => \@pairs,
        supers => [@tokens],
        users => [map { $tokens[$_ % 10] } 1 .. $CSChat::Bench::Product::users]
    );

    for my $name (keys %lines) {
        open my $out, '>', $self->file($name) or die "$name: $!\n";
        print $out map {"$_\n"} @{$lines{$name}};
        close $out or die "$name: $!\n";
    }
    return;
}

# A process of it, which is there once it accepts connections at a port.
sub run_part {
    my ($self, $kind, $port, @command) = @_;
    my $log = "$self->{dir}/$kind.log";
    my $pid = spawn(command => \@command, log => $log);

    $self->{parts}{$kind} = $pid;
    wait_until(20, sub {
        die "$kind ended at its start: ", last_line($log), "\n"
            if waitpid($pid, 1) == $pid;
        return IO::Socket::INET->new(PeerAddr => $self->{address},
            PeerPort => $port);
    }) or die "$kind does not answer\n";
    return;
}

sub end {
    my ($self) = @_;

    for my $pid (values %{$self->{parts}}) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    $self->{parts} = {};
    system 'rm', '-rf', $self->{dir} if defined $self->{dir};
    delete $self->{dir};
    return;
}

sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->end;
    return;
}

1;
