# Runs the load generator, build/bench/load, against the chat or a peer.

package CSChat::Bench::Load;

use strict;
use warnings;

use JSON::PP ();
use Time::HiRes qw(sleep);

my $json = JSON::PP->new->utf8->canonical;

#   program, results (a file: each result as a line of JSON)
sub new {
    my ($class, %o) = @_;

    open my $out, '>', $o{results} or die "$o{results}: $!\n";
    close $out;
    return bless {%o, children => {}}, $class;
}

# A result for each of so many runs.
sub runs {
    my ($self, $times, $server, @arguments) = @_;
    my @runs;

    for (1 .. $times) {
        push @runs, $self->once($server, @arguments);
        sleep 0.3;
    }
    return \@runs;
}

sub once {
    my ($self, $server, @arguments) = @_;
    my $running = $self->start($server, @arguments);
    my $result = $self->next_result($running);

    $self->finish($running);
    return $result;
}

# For those who do something meanwhile: start, results one by one, finish.
sub start {
    my ($self, $server, @arguments) = @_;
    my @command = ($self->{program}, @arguments, $server->target,
        $server->watch);

    my $pid = open my $out, '-|', @command or die "$self->{program}: $!\n";
    $self->{children}{$pid} = 1;
    return {pid => $pid, out => $out, name => $arguments[0],
        server => $server};
}

sub next_result {
    my ($self, $running) = @_;
    my $out = $running->{out};
    my $line = <$out> // die "load $running->{name} gave no result\n";
    my $result = $json->decode($line);

    $result->{server} = $running->{server}->name;
    open my $raw, '>>', $self->{results} or die "$self->{results}: $!\n";
    print $raw $json->encode($result), "\n";
    close $raw;
    return $result;
}

sub finish {
    my ($self, $running) = @_;
    my $good = close $running->{out};

    delete $self->{children}{$running->{pid}};
    die "load $running->{name} failed\n" if !$good;
    return;
}

# Sockets beside what is measured, until release() of what is returned.
sub hold {
    my ($self, $server, $n) = @_;

    pipe my $out, my $result or die "pipe: $!\n";
    pipe my $input, my $open or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        close $open;
        open STDIN, '<&', $input;
        open STDOUT, '>&', $result;
        exec $self->{program}, 'hold', '--tokens', $server->file('users'),
            '--connections', $n, '--sources', 16, $server->target;
        die "$self->{program}: $!\n";
    }

    close $result;
    close $input;
    $self->{children}{$pid} = 1;
    defined readline $out or die "load hold failed\n";
    return {pid => $pid, open => $open};
}

sub release {
    my ($self, $held) = @_;

    close $held->{open};
    waitpid $held->{pid}, 0;
    delete $self->{children}{$held->{pid}};
    return;
}

sub stop {
    my ($self) = @_;

    kill 'TERM', keys %{$self->{children}};
    return;
}

1;
