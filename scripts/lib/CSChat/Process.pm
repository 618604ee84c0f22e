# Child processes: started apart from the terminal, bound to the life of the
# one that started them, and stopped as a group.  Needs nothing but perl-base.

package CSChat::Process;

use strict;
use warnings;

use Exporter 'import';
use POSIX qw(:sys_wait_h);

our @EXPORT_OK = qw(spawn now pause wait_until last_line group_kill
    spawn_and_wait);

# Seconds that only go forward, to a hundredth.
sub now {
    return (POSIX::times())[0] / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# A signal ends it early.
sub pause {
    my ($seconds) = @_;

    select undef, undef, undef, $seconds;
    return;
}

# Asks until the answer is true and returns it; false after so many seconds.
sub wait_until {
    my ($seconds, $question) = @_;
    my $end = now() + $seconds;

    while (1) {
        my $answer = $question->();
        return $answer if $answer;
        return undef if now() >= $end;
        pause(0.02);
    }
}

# Starts a program in a process group of its own and returns its pid.
#   command  array reference
#   log      file that its output is appended to (else it inherits ours)
#   user     name of the user to become, where we are root
#   orphan   signal that it gets when we die, however that happens
#   env      hash reference of additions
sub spawn {
    my (%o) = @_;
    my @wrap = ('setpriv', '--pdeathsig', $o{orphan} // 'TERM');

    if (defined $o{user}) {
        my ($uid, $gid) = (getpwnam $o{user})[2, 3];
        push @wrap, "--reuid=$uid", "--regid=$gid", '--init-groups';
    }

    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP QUIT CHLD PIPE USR1);
    setpgrp 0, 0;
    %ENV = (%ENV, %{$o{env} // {}});
    chdir $o{dir} if defined $o{dir};
    open STDIN, '<', '/dev/null';

    if (defined $o{log}) {
        open STDOUT, '>>', $o{log} or POSIX::_exit(127);
        open STDERR, '>&', \*STDOUT;
    }

    exec { $wrap[0] } @wrap, '--', @{$o{command}} or do {
        print STDERR "$wrap[0]: $!\n";
        POSIX::_exit(127);
    };
}

# For programs that end by themselves: their exit status as in $?.  Where
# "stop" is a reference to something that becomes true, they are ended early.
sub spawn_and_wait {
    my (%o) = @_;
    my $pid = spawn(%o);
    my $stopped;

    while (1) {
        my $got = waitpid $pid, WNOHANG;
        return $? if $got == $pid;
        return -1 if $got < 0;

        if ($o{stop} && ${$o{stop}} && !$stopped++) {
            group_kill('TERM', $pid);
        }
        pause(0.01);
    }
}

# The process and whatever it left behind.
sub group_kill {
    my ($signal, $pid) = @_;

    return kill $signal, -$pid;
}

# What a log has to say about a failure: its last line that is not empty.
sub last_line {
    my ($file, $from) = @_;

    open my $fh, '<', $file or return '';
    seek $fh, $from // 0, 0;
    my @lines = grep { /\S/ } <$fh>;
    chomp @lines;

    return $lines[-1] // '';
}

1;
