# Many people in one process of their own, so that they go on while a test
# waits for something.  The test talks to it in lines of JSON:
#
#   my $crowd = CSChat::Chaos::Crowd->start(hosts => [...], api => '/api/',
#       people => [{name, token, chats, chat, interval}, ...]);
#   $crowd->ask('recovered', 20)    # undef, or why not
#
# Questions are answered once they can be answered with yes, or with the reasons
# why not when the time is up.

package CSChat::Chaos::Crowd;

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Storable ();

use CSChat::Chaos::Journal;
use CSChat::Chaos::Person;
use CSChat::Chaos::Reactor qw(clock);
use CSChat::Chaos::Socket;

my $json = JSON::PP->new->utf8->canonical;

# ---- the test's side -------------------------------------------------------

sub start {
    my ($class, %o) = @_;

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        close $ours;
        eval { run($theirs, %o); 1 } or print STDERR "the crowd: $@";
        POSIX::_exit(1);
    }

    close $theirs;
    $ours->autoflush(1);
    return bless {pid => $pid, pipe => $ours, in => ''}, $class;
}

# Says what to do; the answer comes when it is done.
sub tell {
    my ($self, $do, %o) = @_;

    return $self->exchange({do => $do, %o}, 30);
}

# Waits for something to be so, for so many seconds: undef when it is, else
# what is not.
sub ask {
    my ($self, $do, $seconds, %o) = @_;
    my $answer
        = $self->exchange({do => $do, seconds => $seconds, %o}, $seconds + 30);

    return @{$answer->{wrong}} ? $answer->{wrong} : undef;
}

sub exchange {
    my ($self, $question, $seconds) = @_;
    my $end = clock() + $seconds;

    syswrite $self->{pipe}, $json->encode($question) . "\n"
        or die "the crowd is gone: $!\n";
    until ($self->{in} =~ /\n/) {
        my $ready = '';
        vec($ready, fileno $self->{pipe}, 1) = 1;
        my $left = $end - clock();
        die "the crowd does not answer\n" if $left <= 0;
        next if select($ready, undef, undef, $left) <= 0;
        sysread $self->{pipe}, $self->{in}, 1 << 20, length $self->{in}
            or die "the crowd is gone\n";
    }
    (my $line, $self->{in}) = split /\n/, $self->{in}, 2;
    return $json->decode($line);
}

# Everyone leaves: the journal, and what each has read.
sub stop {
    my ($self) = @_;
    my $file = File::Temp->new;

    $self->exchange({do => 'stop', file => $file->filename}, 60);
    waitpid delete $self->{pid}, 0;
    return Storable::retrieve($file->filename);
}

sub DESTROY {
    my ($self) = @_;

    local $?;
    return if !$self->{pid};
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# ---- the crowd's side ------------------------------------------------------

sub run {
    my ($pipe, %o) = @_;
    my $reactor = CSChat::Chaos::Reactor->new;
    my $self = bless {
        %o,
        pipe => $pipe,
        in => '',
        reactor => $reactor,
        journal => CSChat::Chaos::Journal->new,
        waits => [],
    }, __PACKAGE__ . '::Process';

    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    srand $o{seed} if defined $o{seed};
    $reactor->watch($pipe, read => sub { $self->commanded });
    $self->{people} = [
        map {
            CSChat::Chaos::Person->new(
                reactor => $reactor,
                journal => $self->{journal},
                hosts => $o{hosts},
                api => $o{api},
                %$_
            )
        } @{$o{people}}
    ];
    $_->start for @{$self->{people}};
    $reactor->run(sub { $self->look; return $self->{over} });
    POSIX::_exit(0);
}

package CSChat::Chaos::Crowd::Process;

BEGIN { *clock = \&CSChat::Chaos::Reactor::clock }

# What the crowd can be told, and asked.
my %commands = (
    kind => sub { $_[0]{journal}->kind($_[1]{kind}); return },
    hush => sub { $_->hush for @{$_[0]{people}}; return },
    speak => \&speak,
    stammer =>
        sub { $_->stammer($_[1]{on}) for @{$_[0]{people}}; return },
    burst => \&burst,
    cut => \&cut,
    visitors => \&visitors,
    stop => \&leave,
);
my %questions = (
    recovered => \&not_recovered,
    settled => \&not_settled,
    caught_up => \&not_caught_up,
    visited => \&not_visited,
);

sub commanded {
    my ($self) = @_;

    sysread $self->{pipe}, $self->{in}, 65536, length $self->{in}
        or POSIX::_exit(1);  # the test is gone
    while ($self->{in} =~ s/^(.*)\n//) {
        my $said = $json->decode($1);
        my $do = $said->{do};
        if (my $command = $commands{$do}) {
            $self->answer($command->($self, $said) // {});
        } else {
            my $question = $questions{$do} or die "$do is no command\n";
            my $now = clock();
            push @{$self->{waits}},
                {
                wrong => sub { $question->($self, $said, $now) },
                end => $now + $said->{seconds},
                };
        }
    }
    return;
}

sub answer {
    my ($self, $answer) = @_;
    my $text = $json->encode($answer) . "\n";

    syswrite $self->{pipe}, $text or POSIX::_exit(1);
    return;
}

# Whether what is waited for has come.
sub look {
    my ($self) = @_;
    my $waits = $self->{waits};
    my $now = clock();

    return if !@$waits || $now < ($self->{next_look} // 0);
    $self->{next_look} = $now + 0.02;
    for my $wait (splice @$waits) {
        my @wrong = $wait->{wrong}->();
        if (@wrong && $now < $wait->{end}) {
            push @$waits, $wait;
        } else {
            $self->answer({wrong => \@wrong});
        }
    }
    return;
}

sub writers { return grep { $_->{chat} } @{$_[0]{people}} }

sub some {
    my ($self, $number) = @_;
    my @people = @{$self->{people}};

    return map { splice @people, rand @people, 1 } 1 .. $number;
}

sub speak {
    my ($self) = @_;

    $self->{journal}->forget_times;
    $_->speak for @{$self->{people}};
    return;
}

# So many messages at once.
sub burst {
    my ($self, $o) = @_;
    my @writers = $self->writers;

    $writers[$_ % @writers]->say($o->{length}) for 1 .. $o->{number};
    return;
}

# So many sockets end without a word.
sub cut {
    my ($self, $o) = @_;

    $_->{socket}->reset for grep { $_->{socket} } $self->some($o->{number});
    return;
}

# So many further sockets at once, of people who are here already.
sub visitors {
    my ($self, $o) = @_;
    my @people = $self->writers;

    $self->{visitors} = {map { $_ => 1 } 1 .. $o->{number}};
    $self->visitor($_, $people[$_ % @people], $o->{keep})
        for 1 .. $o->{number};
    return;
}

sub visitor {
    my ($self, $n, $person) = @_;
    my $socket;

    $socket = CSChat::Chaos::Socket->open(
        $self->{reactor},
        host => $person->host,
        path => "$self->{api}ws",
        token => $person->{token},
        on_event => sub {
            return if $_[0] ne 'connected';
            delete $self->{visitors}{$n};
            $socket->send_close(1000);
            $self->{reactor}->after(1, sub { $socket->end('left') });
        },
        on_end => sub {
            return if !$self->{visitors}{$n};
            $self->{reactor}
                ->after(rand 0.5, sub { $self->visitor($n, $person) });
        }
    );
    return;
}

sub not_visited {
    my ($self) = @_;
    my $left = keys %{$self->{visitors}};

    return $left ? "$left visitors did not get in" : ();
}

# Since it was asked, everyone has been acknowledged something new.
sub not_recovered {
    my ($self, $o, $since) = @_;
    my @wrong;

    for my $person (@{$self->{people}}) {
        my $name = $person->{name};
        push @wrong, "$name is not up to date" if !$person->is_up_to_date;
        next if !$person->{chat};
        push @wrong, "$name got nothing through"
            if ($person->{acknowledged} // 0) < $since;
        my $oldest = $person->oldest;
        push @wrong, "$name waits for an answer"
            if defined $oldest && $oldest < $since;
    }
    return @wrong;
}

# Everything is acknowledged.
sub not_settled {
    my ($self) = @_;

    return map {"$_->{name} waits for answers"}
        grep { !$_->is_at_rest } @{$self->{people}};
}

# Everyone has everything up to these numbers.
sub not_caught_up {
    my ($self, $o) = @_;
    my @wrong;

    for my $person (@{$self->{people}}) {
        for my $reader (values %{$person->{readers}}) {
            my $last = $o->{last}{$reader->{chat}} // 0;
            push @wrong, "$person->{name} has chat $reader->{chat} up to "
                . $reader->have . " of $last"
                if $reader->have < $last;
        }
    }
    return @wrong;
}

sub leave {
    my ($self, $o) = @_;
    my $journal = $self->{journal};
    my %read;

    for my $person (@{$self->{people}}) {
        my $readers = $person->{readers};
        $person->stop;
        $read{$person->{name}}
            = {map { $_ => $readers->{$_}{seen} } keys %$readers};
    }
    Storable::nstore(
        {   read => \%read,
            map { $_ => $journal->{$_} }
                qw(messages violations counts kinds latencies)
        },
        $o->{file}
    );
    $self->{over} = 1;
    return;
}

1;
