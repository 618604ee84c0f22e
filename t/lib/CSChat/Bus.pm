# Talks to chat workers over Redis as an NGINX process does.
#
#   my $bus = CSChat::Bus->new($server, 'test');   # listens to its replies
#   $bus->listen_events;                           # and to events
#   my $reply = $bus->ask("op=users.me user=$id role=agent", shard => $id);
#
# A message is a hash of its fields, with "kind" and "body".

package CSChat::Bus;

use strict;
use warnings;

use CSChat::Server;  # which finds scripts/lib
use CSChat::Process qw(wait_until);
use Time::HiRes qw(time);

sub new {
    my ($class, $server, $name) = @_;
    my $self = bless {
        server => $server,
        name => $name,
        redis => $server->redis_connection,
        id => 0,
        messages => [],
    }, $class;

    $self->listen("cs_chat:rep:$name");
    return $self;
}

sub listen {
    my ($self, @channels) = @_;

    $self->{redis}->command('SUBSCRIBE', $_) for @channels;
    return $self;
}

sub listen_events { return $_[0]->listen('cs_chat:events') }

# The shard of a chat or user: FNV-1a modulo their number.
sub shard {
    my $hash = 2166136261;

    $hash = (($hash ^ ord) * 16777619) % 2**32 for split //, shift;
    return $hash % 64;
}

# Sends a request to the shard of an id: how many hear it.
sub tell {
    my ($self, $fields, %o) = @_;
    my $shard = shard($o{shard});

    return $self->{server}->redis('PUBLISH', "cs_chat:req:$shard",
        "CSC1 Q $fields\n" . ($o{body} // ''));
}

# The same with a number, for a reply: the number.
sub request {
    my ($self, $fields, %o) = @_;
    my $id = ++$self->{id};

    $self->tell(sprintf('id=%x from=%s %s', $id, $self->{name}, $fields), %o);
    return $id;
}

# The reply to a request, undef when none came in time.
sub reply {
    my ($self, $id, $seconds) = @_;

    return $self->next(
        $seconds // 10,
        sub { $_[0]{kind} eq 'R' && hex $_[0]{id} == $id }
    );
}

sub ask {
    my ($self, $fields, %o) = @_;

    return $self->reply($self->request($fields, %o), $o{seconds});
}

# A chat that a customer opens, as soon as a worker serves: its id.
sub new_chat {
    my ($self, $customer) = @_;

    return wait_until(
        20,
        sub {
            my $reply = $self->ask("op=chats.create user=$customer role=customer",
                shard => $customer, seconds => 1, body => '{}');
            return if !$reply || $reply->{status} != 201;
            return $reply->{body} =~ /"id":"([^"]+)"/ ? $1 : undef;
        }
    );
}

# The next event with these fields.
sub event {
    my ($self, $seconds, %fields) = @_;

    return $self->next(
        $seconds,
        sub {
            my ($message) = @_;
            return $message->{kind} eq 'E'
                && !grep { ($message->{$_} // '') ne $fields{$_} } keys %fields;
        }
    );
}

# The events up to now: joins a chat that the user sees, which the worker does
# behind all that it was told for that shard before.
sub settled {
    my ($self, $user, $chat) = @_;
    my $id = $self->request(
        "op=chats.join user=$user role=agent chat=$chat as=ws",
        shard => $chat,
        body => "{\"type\":\"join_chat\",\"data\":{\"chatId\":\"$chat\"}}"
    );
    my @events;

    while (1) {
        my $message = $self->next(10, sub {1}) or die "no reply\n";
        return @events if $message->{kind} eq 'R' && hex $message->{id} == $id;
        push @events, $message if $message->{kind} eq 'E';
    }
}

# The next message that is wanted; those that are not stay for later.
sub next {
    my ($self, $seconds, $wanted) = @_;
    my $messages = $self->{messages};
    my $end = time + $seconds;

    for my $i (0 .. $#$messages) {
        return splice @$messages, $i, 1 if $wanted->($messages->[$i]);
    }

    while ((my $left = $end - time) > 0) {
        my $got = $self->{redis}->reply($left) or next;
        next if $got->[0] ne 'message';
        my $known = @$messages;
        push @$messages, map { decode($_) } unbundle($got->[2]);
        for my $i ($known .. $#$messages) {
            return splice @$messages, $i, 1 if $wanted->($messages->[$i]);
        }
    }
    return;
}

# The messages of a bundle, or the one that is none.
sub unbundle {
    my ($bytes) = @_;
    my @messages;

    return $bytes if $bytes !~ s/^CSC1 B\n//;
    while ($bytes =~ s/^(\d+)\n//) {
        push @messages, substr $bytes, 0, $1, '';
    }
    die "a damaged bundle\n" if $bytes ne '';
    return @messages;
}

# What has come up to now and was not asked for yet.
sub all {
    my ($self) = @_;

    $self->next(0.01, sub {0});
    return splice @{$self->{messages}};
}

sub decode {
    my ($head, $body) = split /\n/, $_[0], 2;
    my ($version, $kind, @fields) = split / /, $head;

    return {
        kind => $kind,
        body => $body,
        map { split /=/, $_, 2 } @fields
    };
}

1;
