# A session of psql that stays open, for locks and transactions.
#
#   my $session = CSChat::Psql->new($server);
#   $session->run('BEGIN; LOCK TABLE chats');
#   ...
#   $session->end;    # as when its program dies: what is open is rolled back

package CSChat::Psql;

use strict;
use warnings;

use IO::Handle;
use IPC::Open2 qw(open2);

# %o as in CSChat::Server::psql
sub new {
    my ($class, $server, %o) = @_;
    my $self = bless {runs => 0}, $class;

    $self->{pid} = open2($self->{out}, $self->{in}, $server->psql(%o));
    $self->{in}->autoflush(1);
    return $self;
}

# Runs statements: their rows; dies on an error.
sub run {
    my ($self, $sql) = @_;
    my $end = 'end of run ' . ++$self->{runs};
    my $out = $self->{out};
    my @rows;

    print {$self->{in}} "$sql;\n\\echo $end\n";
    while (defined(my $row = <$out>)) {
        chomp $row;
        return wantarray ? @rows : $rows[0] if $row eq $end;
        push @rows, $row;
    }
    die "SQL failed: $sql\n";
}

sub end {
    my ($self) = @_;

    return if !$self->{pid};
    close $self->{in};
    close $self->{out};
    waitpid delete $self->{pid}, 0;
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);

    $self->end;
    return;
}

1;
