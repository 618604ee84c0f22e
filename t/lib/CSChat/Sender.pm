# Sends messages to chat workers as a good client does, through whatever
# happens, and tests what became of them.
#
#   my $sender = CSChat::Sender->new($server, chats => 4);
#   $sender->send(100);       # on their way
#   ...                       # something happens
#   $sender->settle('name');  # answers, then repeats until all are acknowledged
#
# Every message has a clientId, under which it is repeated.

package CSChat::Sender;

use strict;
use warnings;

use CSChat::Bus;
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More ();
use Time::HiRes qw(time);

my $patience = $ENV{SANITIZE} ? 60 : 20;  # seconds until all is acknowledged
my $senders = 0;

# chats: how many (4), user: who sends ("customer1")
sub new {
    my ($class, $server, %o) = @_;
    my $self = bless {
        chats => 4,
        user => 'customer1',
        %o,
        server => $server,
        bus => CSChat::Bus->new($server, 'sender' . ++$senders),
        sent => 0,
        pending => {},   # number of the request => clientId
        acked => {},     # clientId => [chat, seq]
        refused => {},   # clientId => status of its last answer
        messages => {},  # clientId => {chat, content}
    }, $class;

    $self->{id} = $server->sql(
        "SELECT id FROM users WHERE username = '$self->{user}'");
    $self->{chats} = [map { $self->new_chat } 1 .. $self->{chats}];
    return $self;
}

sub bus { return $_[0]{bus} }
sub chats { return @{$_[0]{chats}} }

sub new_chat {
    my ($self) = @_;
    my $reply;

    wait_until(
        $patience,
        sub {
            $reply = $self->{bus}->ask(
                "op=chats.create user=$self->{id} role=customer",
                shard => $self->{id},
                seconds => 1,
                body => '{}'
            );
            return $reply && $reply->{status} == 201;
        }
    ) or die "no chat\n";
    my ($id) = $reply->{body} =~ /"data":\{"id":"([^"]+)"/;
    return $id;
}

# Sends so many messages, spread over the chats: their clientIds.
sub send {
    my ($self, $count, %o) = @_;
    my @ids;

    for (1 .. $count) {
        my $n = ++$self->{sent};
        my $id = "s$senders-$n";
        $self->{messages}{$id} = {
            chat => $o{chat} // $self->{chats}[$n % @{$self->{chats}}],
            content => $o{content} // "message $n",
        };
        $self->put($id);
        push @ids, $id;
    }
    return @ids;
}

sub put {
    my ($self, $id) = @_;
    my ($chat, $content) = @{$self->{messages}{$id}}{qw(chat content)};

    my $request = $self->{bus}->request(
        "op=messages.send user=$self->{id} role=customer chat=$chat as=ws",
        shard => $chat,
        body => '{"type":"send_message","data":{"chatId":"' . $chat
            . "\",\"content\":\"$content\",\"clientId\":\"$id\"}}"
    );
    $self->{pending}{$request} = $id;
    return;
}

# Reads answers until there are all, or none came for so many seconds: how many
# of each status.
sub answers {
    my ($self, $seconds) = @_;
    my $pending = $self->{pending};
    my %statuses;

    while (%$pending) {
        my $reply = $self->{bus}->next(
            $seconds // 10,
            sub { $_[0]{kind} eq 'R' && $pending->{hex $_[0]{id}} }
        ) or last;
        my $id = delete $pending->{hex $reply->{id}};
        $statuses{$reply->{status}}++;
        $self->answered($id, $reply);
    }
    return \%statuses;
}

sub answered {
    my ($self, $id, $reply) = @_;

    if ($reply->{status} =~ /^20[01]$/) {
        my ($named) = $reply->{body} =~ /"clientId":"([^"]+)"/;
        my ($seq) = $reply->{body} =~ /"seq":(\d+)/;
        my $before = $self->{acked}{$id};
        push @{$self->{wrong}}, "$id: acknowledged as $named" if $named ne $id;
        push @{$self->{wrong}}, "$id: seq $seq, was $before"
            if defined $before && $before != $seq;
        $self->{acked}{$id} = $seq;
        delete $self->{refused}{$id};
    } else {
        $self->{refused}{$id} = $reply->{status};
        $self->{last_refusal} = $reply->{body};
    }
    return;
}

# What was stored of those that were refused with 503, which says that nothing
# was: should be none.
sub stored_though_refused {
    my ($self) = @_;
    my @ids = grep { $self->{refused}{$_} == 503 } keys %{$self->{refused}};

    return '' if !@ids;
    return join ' ', $self->{server}->sql(
        'SELECT client_id FROM messages WHERE client_id IN ('
            . join(',', map {"'$_'"} @ids) . ')');
}

# Repeats what was not acknowledged until it is, and tests what is stored.
sub settle {
    my ($self, $name, %o) = @_;
    my $start = time;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $statuses = $self->answers($o{seconds});
    Test::More::note("$name: ",
        join(', ', map {"$statuses->{$_} x $_"} sort keys %$statuses),
        '; without an answer: ', scalar keys %{$self->{pending}});
    Test::More::is(join(' ', grep { !/^(?:20[01]|503|504)$/ } keys %$statuses),
        '', "$name: acknowledged or 503 or 504");
    wait_until($patience, sub { eval { $self->{server}->sql('SELECT 1'); 1 } });
    Test::More::is($self->stored_though_refused, '',
        "$name: what was refused with 503 is not stored");

    my $all = wait_until($patience, sub { $self->repeat });
    Test::More::ok($all, "$name: all are acknowledged in the end");
    Test::More::note(sprintf '%.1f s', time - $start);
    $self->check($name);
    return $statuses;
}

# One more attempt for each: true when all are acknowledged.
sub repeat {
    my ($self) = @_;
    my @left = grep { !defined $self->{acked}{$_} } sort keys %{$self->{messages}};

    $self->{pending} = {};
    $self->put($_) for @left;
    $self->answers(1);
    return !grep { !defined $self->{acked}{$_} } keys %{$self->{messages}};
}

# Every acknowledged message is stored once, under the number that was told,
# and there is nothing else; numbers have no gap.
sub check {
    my ($self, $name) = @_;
    my $chats = join ',', map {"'$_'"} @{$self->{chats}};
    my %stored;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $row ($self->{server}->sql('SELECT client_id, seq FROM messages'
                . " WHERE chat_id IN ($chats)"))
    {
        my ($id, $seq) = split /\|/, $row;
        push @{$stored{$id}}, $seq;
    }
    my @wrong = @{$self->{wrong} // []};
    for my $id (sort keys %{$self->{messages}}) {
        my $seqs = join ' ', @{delete $stored{$id} // []};
        my $acked = $self->{acked}{$id} // '';
        push @wrong, "$id: acknowledged '$acked', stored '$seqs'"
            if $seqs ne $acked;
    }
    push @wrong, "$_: nobody sent it" for sort keys %stored;
    Test::More::is_deeply(\@wrong, [], "$name: each is stored once");
    Test::More::is(
        scalar $self->{server}->sql('SELECT count(*) FROM chats c'
                . " WHERE id IN ($chats) AND (SELECT row(c.last_seq, c.last_seq)"
                . ' <> row(count(*), coalesce(max(seq), 0)) FROM messages m'
                . ' WHERE m.chat_id = c.id)'),
        0,
        "$name: numbered without a gap"
    );
    return;
}

1;
