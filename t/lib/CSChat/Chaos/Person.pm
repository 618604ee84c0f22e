# A client as a good client should be.  It
#
#   - sends with a clientId, by WebSocket or by HTTP, and repeats until it has
#     an acknowledgement, after a back-off with jitter;
#   - reconnects with exponential back-off and jitter, to any machine;
#   - after a connect and after a resync resumes every chat from what it has.

package CSChat::Chaos::Person;

use strict;
use warnings;

use JSON::PP ();

use CSChat::Chaos::Reactor qw(clock);
use CSChat::Chaos::Reader;
use CSChat::Chaos::Request;
use CSChat::Chaos::Socket;

my $answer_time = $ENV{SANITIZE} ? 20 : 8;  # seconds for an answer to anything
my $silence = 8;  # seconds without a frame until it asks whether one is there
my $at_once = 3;  # messages that may await their acknowledgement
my $page = 200;  # messages that one HTTP request brings

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# reactor, journal, name, token, hosts, api (prefix), chats (ids), and for one
# who writes: chat, interval (seconds from message to message), http (how many
# of 1 go by HTTP)
sub new {
    my ($class, %o) = @_;
    my $self = bless {
        http => 0.2,
        %o,
        readers => {},
        unanswered => {},  # clientId => message
        numbers => 0,
        attempt => 0,
        want => {},  # chats to resume
        fetches => 0,
        resyncs => 0,
    }, $class;

    $self->{readers}{$_}
        = CSChat::Chaos::Reader->new($self->{journal}, $self->{name}, $_)
        for @{$self->{chats}};
    return $self;
}

sub start {
    my ($self) = @_;

    $self->connect;
    $self->{reactor}->after(rand $self->{interval}, sub { $self->tick })
        if $self->{interval};
    return;
}

# Sends nothing new any more.
sub hush { $_[0]{quiet} = 1; return }
sub speak { $_[0]{quiet} = 0; return }

# Whether each attempt is made twice at once.
sub stammer { $_[0]{twice} = $_[1]; return }

sub is_at_rest { return !keys %{$_[0]{unanswered}} }

# Connected, and nothing known to be missing.
sub is_up_to_date {
    my ($self) = @_;

    return $self->{ready} && !keys %{$self->{want}} && !$self->{fetches};
}

# When the message that waits longest was sent first.
sub oldest {
    my ($self) = @_;
    my ($oldest) = sort { $a <=> $b }
        map { $_->{first} } values %{$self->{unanswered}};

    return $oldest;
}

sub host {
    my ($self) = @_;
    my $hosts = $self->{hosts};

    return $hosts->[rand @$hosts];
}

# ---- the connection --------------------------------------------------------

sub connect {
    my ($self) = @_;

    $self->{heard} = clock();
    $self->{socket} = CSChat::Chaos::Socket->open(
        $self->{reactor},
        host => $self->host,
        path => "$self->{api}ws",
        token => $self->{token},
        on_event => sub { $self->event(@_) },
        on_end => sub { $self->lost(@_) }
    );
    $self->watch($self->{socket}, $answer_time);
    return;
}

# A connection that says nothing is asked, then given up.
sub watch {
    my ($self, $socket, $seconds) = @_;

    $self->{reactor}->after(
        $seconds,
        sub {
            return if $socket->{ended};
            my $idle = clock() - $self->{heard};
            return $socket->end('silent')
                if !$self->{ready} || $idle > $silence + $answer_time;
            $socket->send('ping') if $idle > $silence;
            $self->watch($socket, 1);
        }
    );
    return;
}

sub lost {
    my ($self, $why) = @_;

    $self->{ready} = 0;
    $self->{journal}->count("ended: $why") if !$self->{stopped};
    $_->uncertain($why) for values %{$self->{readers}};
    $self->{reactor}->cancel($self->{resume_timer});
    delete $self->{asked};
    for my $message ($self->awaited('socket')) {
        $self->{reactor}->cancel($message->{timer});
        $message->{way} = 'waits';
    }
    return if $self->{stopped};

    my $longest = 0.1 * 2**$self->{attempt}++;
    $longest = 2 if $longest > 2;
    $longest = 0.3 if $why eq 'close 1012';
    $self->{reactor}->after(rand $longest, sub { $self->connect });
    return;
}

sub stop {
    my ($self) = @_;

    $self->{stopped} = 1;
    $self->{socket}->send_close(1000) if $self->{socket}->is_open;
    $self->{socket}->end('left');
    return;
}

# ---- what comes ------------------------------------------------------------

my %handlers = (
    connected => \&connected,
    message_ack => \&message_ack,
    resumed => \&resumed,
    resync => \&resync,
    error => \&refused,
);

sub event {
    my ($self, $type, $text) = @_;

    $self->{heard} = clock();
    return $self->new_message($text) if $type eq 'new_message';
    my $handler = $handlers{$type} or return;
    my $event = $json->decode($text);
    $handler->($self, $event->{data}, $event);
    return;
}

# By far the most that comes: taken by patterns, as nothing in the texts of
# these messages looks like a field.
sub new_message {
    my ($self, $text) = @_;
    my ($data) = $text =~ /"data":\{([^{}]*)/;
    my ($id) = $data =~ /"id":"([^"]+)"/;
    my ($chat) = $data =~ /"chatId":"([^"]+)"/;
    my ($content) = $data =~ /"content":"([^"]*)"/;
    my ($seq) = $data =~ /"seq":(\d+)/;
    my ($client_id) = $data =~ /"clientId":"([^"]*)"/;
    my $reader = $self->{readers}{$chat // ''} or return;

    $self->{journal}->violation("a message mixed up: $text")
        if $content !~ /^\Q$client_id\E /;
    $reader->live($seq, $id, $client_id);
    return;
}

sub connected {
    my ($self) = @_;

    $self->{ready} = 1;
    $self->{attempt} = 0;
    $self->{journal}->count('connects');
    $self->want(keys %{$self->{readers}});
    $self->transmit($_)
        for sort { $a->{first} <=> $b->{first} } $self->awaited('waits');
    return;
}

sub resync {
    my ($self, $data, $event) = @_;
    my $readers = $self->{readers};
    my @chats = $event->{chatId} ? $event->{chatId} : keys %$readers;

    $self->{journal}->count('resyncs');
    $self->{resyncs}++;
    $readers->{$_}->uncertain('resync') for @chats;
    $self->want(@chats);
    return;
}

sub refused {
    my ($self, $data) = @_;
    my ($code, $to) = ($data->{code}, $data->{replyTo} // '');

    $self->{journal}->count("error: $code");
    return $self->want_later if $to eq 'resume' && $code =~ /^BACKEND_/;
    my $message = $self->{unanswered}{$data->{clientId} // ''};
    if ($to ne 'send_message' || !$data->{clientId} || $code !~ /^BACKEND_/) {
        $self->{journal}->violation("$self->{name}: $to was refused: $code "
            . ($data->{clientId} // "without a clientId"));
        return;
    }
    $self->later($message) if $message && $message->{way} eq 'socket';
    return;
}

# ---- what is missing -------------------------------------------------------

# Asks for what is behind the last message of these chats.
sub want {
    my ($self, @chats) = @_;

    $self->{want}{$_} = 1 for @chats;
    $self->resume;
    return;
}

# One at a time: what a resync makes doubtful while one is under way is asked
# for after it.
sub resume {
    my ($self) = @_;
    my @chats = sort keys %{$self->{want}};

    return if !$self->{ready} || !@chats || $self->{asked};
    $self->{reactor}->cancel($self->{resume_timer});
    $self->{asked_after} = $self->{resyncs};
    $self->{asked} = {map { $_ => $self->{readers}{$_}->have } @chats};
    $self->{readers}{$_}->trace("resume from $self->{asked}{$_}") for @chats;
    $self->{socket}->send(
        resume => {
            chats => [
                map { {chatId => $_, afterSeq => $self->{asked}{$_}} } @chats
            ]
        }
    );
    $self->{resume_timer}
        = $self->{reactor}->after($answer_time, sub { $self->unresumed });
    return;
}

# The contract: never silence.
sub unresumed {
    my ($self) = @_;

    $self->{journal}->violation("$self->{name}: no answer to resume");
    $self->{socket}->end('silent');
    return;
}

sub want_later {
    my ($self) = @_;

    $self->{reactor}->cancel($self->{resume_timer});
    delete $self->{asked};
    $self->{resume_timer}
        = $self->{reactor}->after(0.1 + rand 0.4, sub { $self->resume });
    return;
}

sub resumed {
    my ($self, $data) = @_;
    my $asked = delete $self->{asked};

    $self->{journal}->count('resumes');
    $self->{reactor}->cancel($self->{resume_timer});
    # a resync on the way: what was answered is from before it
    return $self->resume if $self->{asked_after} != $self->{resyncs};

    $self->resumed_chat($_, $asked->{$_->{chatId}}) for @{$data->{chats}};
    $self->want_later if keys %{$self->{want}};
    return;
}

sub resumed_chat {
    my ($self, $chat, $after) = @_;
    my $id = $chat->{chatId};
    my $reader = $self->{readers}{$id};

    return $self->{journal}->count("not resumed: $chat->{error}")
        if $chat->{error};
    delete $self->{want}{$id};
    if (!$chat->{recovered}) {
        $reader->skip_to($chat->{lastSeq});
        $self->{fetches}++;
        return $self->fetch($reader, $chat->{lastSeq});
    }
    $self->{journal}->violation("$self->{name}: resumed from"
            . " $chat->{fromSeq}, not from behind $after")
        if $chat->{fromSeq} != $after + 1;
    $reader->certain($chat->{toSeq});
    return;
}

# What is too much for a resume, a page at a time.
sub fetch {
    my ($self, $reader, $last) = @_;

    if ($reader->have >= $last) {
        $self->{fetches}--;
        return;
    }
    $self->{journal}->count('pages');
    CSChat::Chaos::Request::start(
        $self->{reactor},
        host => $self->host,
        token => $self->{token},
        method => 'GET',
        path => "$self->{api}chats/$reader->{chat}/messages?limit=$page&after="
            . $reader->have,
        seconds => $answer_time,
        done => sub {
            my ($status, $answer) = @_;
            if ($status == 200) {
                $reader->take(@$_{qw(seq id clientId)})
                    for @{$answer->{data}};
            }
            $self->{reactor}->after($status == 200 ? 0 : 0.1 + rand 0.4,
                sub { $self->fetch($reader, $last) });
        }
    );
    return;
}

# ---- what goes -------------------------------------------------------------

sub tick {
    my ($self) = @_;
    my $waiting = keys %{$self->{unanswered}};

    return if $self->{stopped};
    $self->say if !$self->{quiet} && $waiting < $at_once;
    $self->{reactor}->after($self->{interval} * (0.5 + rand),
        sub { $self->tick });
    return;
}

sub say {
    my ($self, $length) = @_;
    my $client_id = "$self->{name}-" . ++$self->{numbers};
    my $message = {
        client_id => $client_id,
        content => "$client_id " . 'x' x ($length // 20),
        first => clock(),
        attempt => 0,
    };

    $self->{journal}->sent($client_id, $self->{chat}, $self->{name});
    $self->{unanswered}{$client_id} = $message;
    $self->transmit($message);
    return;
}

# The messages that went, or wait to go, by some way.
sub awaited {
    my ($self, $way) = @_;

    return grep { $_->{way} eq $way } values %{$self->{unanswered}};
}

# Each attempt goes its own way.
sub transmit {
    my ($self, $message) = @_;

    $self->{journal}->count($message->{attempt}++ ? 'repeats' : 'sends');
    $self->transmit_copy($message) if $self->{twice};
    return $self->transmit_http($message) if rand() < $self->{http};
    return $message->{way} = 'waits' if !$self->{ready};

    $message->{way} = 'socket';
    $message->{timer} = $self->{reactor}->after(
        $answer_time,
        sub {
            $self->{journal}->violation("$self->{name}: no answer to"
                    . " $message->{client_id}");
            $self->later($message);
        }
    );
    $self->{socket}->send(
        send_message => {
            chatId => $self->{chat},
            content => $message->{content},
            clientId => $message->{client_id},
        }
    );
    return;
}

sub transmit_http {
    my ($self, $message) = @_;

    $message->{way} = 'http';
    $self->post($message, sub { $self->answered($message, @_) });
    return;
}

# The same at the same instant elsewhere: whatever comes first is stored, and
# both are told the same.
sub transmit_copy {
    my ($self, $message) = @_;

    $self->post(
        $message,
        sub {
            my ($status) = @_;
            $self->answered($message, @_) if $status == 200 || $status == 201;
        }
    );
    return;
}

sub post {
    my ($self, $message, $done) = @_;

    CSChat::Chaos::Request::start(
        $self->{reactor},
        host => $self->host,
        token => $self->{token},
        method => 'POST',
        path => "$self->{api}chats/$self->{chat}/messages",
        headers => ['Idempotency-Key' => $message->{client_id}],
        body => {content => $message->{content}},
        seconds => $answer_time,
        done => $done
    );
    return;
}

sub answered {
    my ($self, $message, $status, $json) = @_;

    $self->{journal}->count("http $status");
    if ($status == 200 || $status == 201) {
        my $data = $json->{data};
        $self->acknowledged($message->{client_id}, @$data{qw(id seq)});
        return;
    }
    $self->{journal}->violation("$self->{name}: HTTP answered $status "
            . $json->{code})
        if $status != 0 && $status != 503 && $status != 504;
    $self->later($message);
    return;
}

sub message_ack {
    my ($self, $data) = @_;

    $self->{journal}->count('duplicates') if $data->{duplicate};
    $self->acknowledged(@$data{qw(clientId id seq)});
    return;
}

sub acknowledged {
    my ($self, $client_id, $id, $seq) = @_;
    my $message = delete $self->{unanswered}{$client_id};

    $self->{reactor}->cancel($message->{timer}) if $message;
    $self->{acknowledged} = $message->{first}
        if $message && $message->{first} > ($self->{acknowledged} // 0);
    $self->{journal}
        ->acknowledged($client_id, $message && $message->{first}, $id, $seq);
    return;
}

# Once more, after a back-off; an answer may still come before.
sub later {
    my ($self, $message) = @_;
    my $longest = 0.1 * 2**($message->{attempt} < 3 ? $message->{attempt} : 3);

    $self->{reactor}->cancel($message->{timer});
    return if !$self->{unanswered}{$message->{client_id}};
    $message->{way} = 'later';
    $message->{timer} = $self->{reactor}->after(
        $longest / 4 + rand $longest,
        sub { $self->transmit($message) }
    );
    return;
}

1;
