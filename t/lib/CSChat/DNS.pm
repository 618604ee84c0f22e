# A server of names for tests: one name, with addresses that can be changed.
#
#   my $dns = CSChat::DNS->new('127.0.0.9', 5353, 'redis.test');
#   $dns->set('127.0.0.10', '::1');
#   $dns->stop;

package CSChat::DNS;

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Socket qw(AF_INET AF_INET6 inet_pton);

use CSChat::File qw(write_file);

my %types = (AF_INET, 1, AF_INET6, 28);

sub new {
    my ($class, $address, $port, $name) = @_;
    my $dir = File::Temp->newdir;
    my $self = bless {
        address => $address,
        port => $port,
        name => $name,
        dir => $dir,
        owner => $$,
    }, $class;

    $self->set;
    $self->start;
    return $self;
}

# What the name is from now on; nothing: there is no such name.
sub set {
    my ($self, @addresses) = @_;
    my $file = "$self->{dir}/addresses";

    write_file("$file.new", map {"$_\n"} @addresses);
    rename "$file.new", $file or die "$file: $!\n";
    return;
}

sub addresses {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/addresses" or return;
    chomp(my @addresses = <$fh>);
    return @addresses;
}

sub start {
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(
        LocalAddr => $self->{address},
        LocalPort => $self->{port},
        Proto => 'udp',
    ) or die "names at $self->{address}:$self->{port}: $!\n";

    $self->{pid} = fork // die "fork: $!\n";
    return if $self->{pid};

    eval { $self->serve($socket) };
    POSIX::_exit(0);
}

sub serve {
    my ($self, $socket) = @_;

    while (getppid == $self->{owner}) {
        my $ready = '';
        vec($ready, fileno $socket, 1) = 1;
        next if select($ready, undef, undef, 0.5) <= 0;
        my $from = recv $socket, my $query, 512, 0;
        next if !defined $from || length $query < 17;
        send $socket, $self->answer($query), 0, $from;
    }
    return;
}

sub answer {
    my ($self, $query) = @_;
    my ($id) = unpack 'n', $query;
    my ($at, @labels) = (12);

    while (my $length = ord substr $query, $at, 1) {
        push @labels, substr $query, $at + 1, $length;
        $at += $length + 1;
    }
    my ($type) = unpack 'n', substr $query, $at + 1;
    my $question = substr $query, 12, $at + 5 - 12;
    my @all = lc(join '.', @labels) eq $self->{name} ? $self->addresses : ();
    my @data = map { data($_, $type) } @all;

    return pack('n6', $id, @all ? 0x8180 : 0x8183, 1, scalar @data, 0, 0)
        . $question
        . join '', map { pack 'n3Nn/a*', 0xc00c, $type, 1, 1, $_ } @data;
}

# An address as it stands in an answer, if it is of the type that is asked for.
sub data {
    my ($address, $type) = @_;
    my $family = $address =~ /:/ ? AF_INET6 : AF_INET;

    return $types{$family} == $type ? inet_pton($family, $address) : ();
}

# Stops it in its tracks, and lets it go on.
sub freeze { return kill 'STOP', $_[0]{pid} }
sub thaw { return kill 'CONT', $_[0]{pid} }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner};
    local ($?, $@, $!);
    $self->stop;
    return;
}

1;
