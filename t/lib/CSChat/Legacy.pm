# A client that knows only what the former server's web client knows.  It posts
# over HTTP, sends no frame of its own, shows a message when new_message brings
# it (its own as well, as often as it comes), and reads chatId, userId and
# username beside the data.
#
#   my $client = CSChat::Legacy->login($server, 'agent1', machine => 1);
#   $client->open;
#   $client->say($chat, 'Hello');
#   $client->wait_for(sub { $client->shown($chat) == 1 });

package CSChat::Legacy;

use strict;
use warnings;

use Time::HiRes qw(time);

use CSChat::Client;
use CSChat::WebSocket;

my %knows = (
    new_message => sub {
        my ($self, $event) = @_;
        push @{$self->{shown}{$event->{chatId}}}, $event->{data}{content};
    },
    new_chat => sub {
        my ($self, $event) = @_;
        push @{$self->{new}}, $event->{chatId};
        $self->{chats}{$event->{chatId}} = $event->{data};
    },
    user_connected => sub { presence(@_, 'online') },
    user_disconnected => sub { presence(@_, 'offline') },
);

# machine and pid as in CSChat::Server
sub login {
    my ($class, $server, $username, %where) = @_;
    my $http = CSChat::Client->new($server, %where);
    my ($status, $answer) = $http->post('auth/login',
        {username => $username, password => 'password123'});

    die "login: $status\n" if $status != 200;
    $http->{token} = $answer->{data}{token};
    return bless {
        server => $server,
        where => \%where,
        http => $http,
        answer => $answer,
        user => $answer->{data}{user},
        presence => [],
        new => [],
        ignored => {},
    }, $class;
}

sub id { return $_[0]{user}{id} }
sub http { return $_[0]{http} }
sub socket { return $_[0]{socket} }

# Opens the page, or connects again: the socket, then the lists.
sub open {
    my ($self) = @_;

    $self->{socket} = CSChat::WebSocket->connect($self->{server},
        query => "token=$self->{http}{token}", %{$self->{where}});
    $self->{online}{$_->{id}} = $_->{isOnline} ? 'online' : 'offline'
        for @{$self->http->get('users')->{data}};
    $self->load;
    return;
}

# The list of chats, and what stands in each.
sub load {
    my ($self) = @_;
    my $chats = $self->http->get('chats')->{data};

    $self->{chats} = {map { $_->{id} => $_ } @$chats};
    for my $chat (keys %{$self->{chats}}) {
        my $messages = $self->http->get("chats/$chat/messages")->{data};
        $self->{shown}{$chat} = [map { $_->{content} } @$messages];
    }
    return;
}

sub shown { return @{$_[0]{shown}{$_[1]} // []} }

# The status of its code; nothing is shown by it.
sub say {
    my ($self, $chat, $content) = @_;
    my ($status) = $self->http->post("chats/$chat/messages",
        {content => $content, type => 'text'});

    return $status;
}

sub presence {
    my ($self, $event, $is) = @_;

    push @{$self->{presence}}, "$event->{username} $is";
    $self->{online}{$event->{userId}} = $is;
    return;
}

sub take {
    my ($self, $event) = @_;
    my $known = $knows{$event->{type}};

    $known ? $known->($self, $event) : $self->{ignored}{$event->{type}}++;
    return;
}

# Takes what came up to now, as it is known to have come (CSChat::Audience).
sub take_all {
    my ($self) = @_;

    $self->take($_) for splice @{$self->{socket}{events}};
    return;
}

# Takes events until something is true: whether it is in time.
sub wait_for {
    my ($self, $true) = @_;
    my $end = time + $CSChat::WebSocket::timeout;

    until ($true->()) {
        my $event = $self->{socket}->next($end - time) or return 0;
        $self->take($event);
    }
    return 1;
}

# Takes events until the server closes the socket, and closes it as a browser
# does: the code.
sub wait_closed {
    my ($self) = @_;
    my $code = $self->{socket}->close_code(30);

    $self->take_all;
    $self->{socket}->send_close($code);
    $self->{socket}->drop;
    return $code;
}

# The page is left.
sub leave { return $_[0]{socket}->close(1001) }

1;
