# Pairs that chat on a server of two machines while faults are put into it.
#
#   my $chaos = CSChat::Chaos->new(pairs => 20, seed => 1);
#   $chaos->fault($_) for CSChat::Chaos::Faults::named('worker');
#   my $judge = $chaos->judge;
#   $chaos->finish;
#
# The people live in a process of their own (CSChat::Chaos::Crowd).

package CSChat::Chaos;

use strict;
use warnings;

use CSChat::Server;  # which finds scripts/lib
use CSChat::Chaos::Crowd;
use CSChat::Chaos::Faults;
use CSChat::Chaos::Judge;
use CSChat::Chaos::Reactor qw(clock);
use CSChat::Expect;
use CSChat::Process qw(pause wait_until);

our $patience = $ENV{SANITIZE} ? 90 : 40;  # seconds to be well again
my $statement_timeout = 1;  # seconds

# All optional:
#   pairs     people who chat in twos (20)
#   interval  seconds between two messages of one of them (0.5)
#   seed      of what is random
#   long      faults take their time
#   say       called with a line for each fault
#   server    {further arguments of CSChat::Server}
sub new {
    my ($class, %o) = @_;
    my $self = bless {
        pairs => 20,
        interval => 0.5,
        seed => 1,
        say => sub { },
        complaints => [],
        faults => {},
        %o,
    }, $class;

    $self->{server} = $self->server_with(%{$o{server} // {}});
    $self->{random} = \(my $state = $self->{seed} & 0x7fffffff);
    $self->gather;
    return $self;
}

sub server { return $_[0]{server} }
sub crowd { return $_[0]{crowd} }

sub server_with {
    my ($self, %o) = @_;

    return CSChat::Server->new(
        machines => 2,
        workers => 3,
        directives => 'cs_chat_request_timeout 3s; cs_chat_drain_time 1s;',
        redis_args => CSChat::Chaos::Faults::redis_args(),
        worker_env => {
            CS_CHAT_STATEMENT_TIMEOUT => "${statement_timeout}s",
            CS_CHAT_CONNECT_TIMEOUT => '2s',
        },
        %o
    );
}

# Numbers that depend on the seed and on nothing else.
sub random {
    my ($self, $below) = @_;
    my $state = $self->{random};

    $$state = ($$state * 1103515245 + 12345) & 0x7fffffff;
    return ($$state >> 8) % $below;
}

sub shuffled {
    my ($self, @list) = @_;

    return map { splice @list, $self->random(scalar @list), 1 } 1 .. @list;
}

# ---- the people ------------------------------------------------------------

sub gather {
    my ($self) = @_;
    my $server = $self->{server};
    my @people;

    for my $n (1 .. $self->{pairs}) {
        my $customer = new_user($server);
        my $agent = new_user($server, 'agent');
        my $chat = $customer->new_chat(agentId => $agent->{id});
        push @{$self->{chats}}, $chat;
        $self->{reader}{$chat} = $customer;
        push @people,
            map { {
                name => $_->{username},
                token => $_->token,
                chats => [$chat],
                chat => $chat,
                interval => $self->{interval}
            } } $customer, $agent;
    }

    # one who looks on
    push @people,
        {
        name => 'looker-on',
        token => $server->token('agent2'),
        chats => $self->{chats},
        };
    $self->{crowd} = CSChat::Chaos::Crowd->start(
        hosts => [map { $server->host($_) } 0 .. $server->{machines} - 1],
        api => $server->{api_prefix},
        people => \@people,
        seed => $self->{seed},
    );
    $self->await_recovery('start');
    return;
}

# ---- faults ----------------------------------------------------------------

# Puts one fault in, or several at once, and waits until everyone is well
# again: true when that came in time.
sub fault {
    my ($self, @faults) = @_;
    my $began = clock();
    my $name = join ' + ', map { $_->{name} } @faults;
    my $kind = @faults > 1 ? scalar(@faults) . ' at once' : $name;

    $self->{crowd}->tell('kind', kind => $kind);
    my $done = eval { $self->put_in(@faults); 1 };
    $self->complain("$name: $@") if !$done;
    my $ended = clock();
    my $well = $self->await_recovery($name);

    $self->{faults}{$kind}++;
    $self->{say}->(sprintf '%-36s %5.1f s, well again after %4.1f s', $name,
        $ended - $began, clock() - $ended);
    return $done && $well;
}

# They begin with those that need the others' parts, and end the other way
# round.  What one remembers is its own.
sub put_in {
    my ($self, @faults) = @_;
    my ($hold) = sort { $b <=> $a }
        map { ref $_->{hold} ? $_->{hold}->($self) : $_->{hold} } @faults;
    my @order = CSChat::Chaos::Faults::in_order(@faults);
    my %own = map { $_->{name} => bless {%$self}, ref $self } @order;

    $_->{inject}->($own{$_->{name}}) for @order;
    pause($hold);
    for my $step (qw(end well)) {
        for my $fault (reverse @order) {
            $fault->{$step}->($own{$fault->{name}}) if $fault->{$step};
        }
    }
    return;
}

sub await_recovery {
    my ($self, $name) = @_;
    my $wrong = $self->{crowd}->ask('recovered', $patience) or return 1;

    splice @$wrong, 5;
    $self->complain("$name: not well again: " . join ', ', @$wrong);
    return 0;
}

sub complain { push @{$_[0]{complaints}}, $_[1]; return }
sub complaints { return @{$_[0]{complaints}} }

# Until so many workers hold all shards, each its part, each heard once.
sub await_shards {
    my ($self, $workers) = @_;
    my $server = $self->{server};
    my @channels = map {"cs_chat:req:$_"} 0 .. 63;

    return wait_until(
        $patience,
        sub {
            my @held = eval { held($server) };
            return 0 if @held != $workers;
            my %heard = @{$server->redis('PUBSUB', 'NUMSUB', @channels)};
            return !grep { $_ != 1 } values %heard;
        }
    ) || die "the shards are not held by $workers workers\n";
}

# The sessions that hold shards.
sub held {
    my ($server) = @_;

    return $server->sql(
        'SELECT DISTINCT pid FROM pg_locks'
            . " WHERE locktype = 'advisory' AND granted AND objid < 64"
            . ' AND classid = (SELECT classid FROM pg_locks'
            . "  WHERE locktype = 'advisory' AND objid = 64 LIMIT 1)"
    );
}

# ---- the end ---------------------------------------------------------------

# Silence; then everyone is to have everything.
sub judge {
    my ($self) = @_;
    my $crowd = $self->{crowd};

    $crowd->tell('hush');
    $self->unless_done($crowd->ask('settled', $patience));
    my $history = $self->history;
    my %last = map { $_ => scalar @{$history->{$_}} } keys %$history;
    $self->unless_done($crowd->ask('caught_up', $patience, last => \%last));
    $self->compare_over_http($history);

    $self->{report} = $crowd->stop;
    return $self->{judge} = CSChat::Chaos::Judge->new(
        report => $self->{report},
        history => $history
    );
}

sub unless_done {
    my ($self, $wrong) = @_;

    return if !$wrong;
    splice @$wrong, 5;
    $self->complain("at the end: $_") for @$wrong;
    return;
}

sub history {
    my ($self) = @_;
    my %history = map { $_ => [] } @{$self->{chats}};

    for my $row ($self->{server}->sql('SELECT chat_id, seq, id, client_id,'
            . ' sender_id FROM messages ORDER BY chat_id, seq'))
    {
        my ($chat, @message) = split /\|/, $row;
        push @{$history{$chat}}, \@message if $history{$chat};
    }
    return \%history;
}

# The API shows the same.
sub compare_over_http {
    my ($self, $history) = @_;

    for my $chat (@{$self->{chats}}) {
        my @shown;
        while (1) {
            my $page = $self->{reader}{$chat}->get(
                "chats/$chat/messages?limit=200&after=" . @shown);
            last if !@{$page->{data} // []};
            push @shown, map {"$_->{seq} $_->{id}"} @{$page->{data}};
        }
        my @stored = map {"$_->[0] $_->[1]"} @{$history->{$chat}};
        $self->complain("the API shows another history of $chat")
            if "@shown" ne "@stored";
    }
    return;
}

# What there is to say against it all; nothing when all went as promised.
sub wrong {
    my ($self) = @_;
    my $judge = $self->{judge};

    return (
        $self->complaints,
        map {
            my $what = $_;
            map {"$what: $_"} @{$judge->wrong($what)}
        } qw(lost doubled order)
    );
}

# For a test file: runs these faults and says whether all was well.
sub run_test {
    my ($self, @faults) = @_;

    for my $fault (@faults) {
        my $well = $self->fault($fault);
        Test::More::ok($well, "$fault->{name}: all are well again");
    }
    $self->judge;
    my @wrong = $self->wrong;
    Test::More::ok(!@wrong, 'nothing is lost, doubled or out of order')
        or Test::More::diag(join "\n", splice @wrong, 0, 20);
    Test::More::note($_) for $self->table;
    $self->{server}->finish;
    return;
}

# ---- what it says ----------------------------------------------------------

sub table {
    my ($self) = @_;
    my ($report, $judge) = @$self{qw(report judge)};
    my $messages = $report->{messages};
    my $acknowledged = grep { defined $_->{id} } values %$messages;
    my $counts = $report->{counts};

    return (
        $self->table_of_faults,
        '',
        line('messages sent', scalar keys %$messages),
        line('messages acknowledged', $acknowledged),
        line('attempts repeated', $counts->{repeats}),
        line('acknowledged as duplicates', $counts->{duplicates}),
        line('connections made', $counts->{connects}),
        line('resumes, resyncs', $counts->{resumes}, $counts->{resyncs}),
        line('seen before, recognised by id', $counts->{repeated}),
        line('lost', scalar @{$judge->wrong('lost')}),
        line('doubled after the check by id',
            scalar @{$judge->wrong('doubled')}),
        line('order violations', scalar @{$judge->wrong('order')}),
        line('time to ack, p50, p99', $self->percentiles),
        '',
        'answers and ends:',
        map { sprintf '  %-34s %s', $_, $counts->{$_} }
            grep {/^(?:http|error|ended|no|not)\b/} sort keys %$counts
    );
}

sub line {
    my ($name, @values) = @_;

    return sprintf '%-36s %s', $name, join ' / ', map { $_ // 0 } @values;
}

sub table_of_faults {
    my ($self) = @_;
    my $kinds = $self->{report}{kinds};
    my @lines = sprintf '%-36s %5s %9s %9s %9s %9s', 'fault', 'times', 'acked',
        'pause', 'pair', 'to ack';

    for my $name ('start', sort keys %{$self->{faults}}) {
        my $kind = $kinds->{$name} // {};
        push @lines, sprintf '%-36s %5s %9d %7.2f s %7.2f s %7.2f s', $name,
            $self->{faults}{$name} // '', $kind->{acks} // 0,
            map { $_ // 0 } @$kind{qw(gap pair_gap ack)};
    }
    return @lines;
}

sub percentiles {
    my ($self) = @_;
    my @all = sort { $a <=> $b } @{$self->{report}{latencies}};

    return map { sprintf '%.1f ms', 1000 * ($all[$_ * $#all] // 0) } 0.5, 0.99;
}

1;
