# A server whose Redis can be at one of two addresses under the same name.
#
#   my $failover = CSChat::Failover->new;
#   $failover->start(sub { ... });           # which starts a chat worker
#   $failover->start_second;                # a Redis beside the first one
#   $failover->names($failover->{second});  # the name moves

package CSChat::Failover;

use strict;
use warnings;

use IO::Socket::IP;
use Test::More;

use CSChat::DNS;
use CSChat::Server;  # which finds scripts/lib
use CSChat::Process qw(spawn wait_until);
use CSChat::Redis;

our $name = 'redis.cs-chat.test';

sub new {
    my ($class) = @_;
    my ($first, $second, $names) = map { CSChat::Server::address($_) } 1 .. 3;
    my $port = 16384 + $$ % 16384;  # there is one ::1 for all tests
    my $self = bless {
        first => $first,
        second => $second,
        port => $port,
        dns => CSChat::DNS->new($names, 10053, $name),
        messages => 0,
    }, $class;

    $self->names($first);
    $self->{server} = CSChat::Server->new(
        only => [qw(postgres)],
        redis_args => [
            '--port', $port, '--bind', $first, '--protected-mode', 'no'
        ],
        directives => <<"END",
    resolver $names:10053 valid=1s;
    resolver_timeout 1s;
    cs_chat_redis $name:$port;
    cs_chat_request_timeout 2s;
END
    );
    return $self;
}

# What the name is from now on.
sub names { my $self = shift; return $self->{dns}->set(@_) }

# The first Redis, a chat worker that a code reference starts,
# nginx, and two people with a socket each.
sub start {
    my ($self, $start_worker) = @_;
    my $server = $self->{server};

    $server->seed if !$server->{from_template};
    $server->start_redis;
    $start_worker->();
    $server->start_nginx(0);
    $server->wait_ready;

    my ($customer, $agent)
        = map { $server->client($_) } qw(customer1 agent1);
    $self->{chat} = $customer->new_chat(agentId => $agent->id);
    @$self{qw(here there)} = map { $_->websocket } $customer, $agent;
    return;
}

sub sockets { return @{$_[0]}{qw(here there)} }

# Whether this machine speaks IPv6 to itself.
sub ipv6 {
    return IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
}

# The second Redis, which has an IPv6 address as well.
sub start_second {
    my ($self) = @_;
    my $server = $self->{server};
    my $dir = "$server->{dir}/redis-2";

    mkdir $dir;
    $server->{parts}{'redis-2'} = {
        log => $server->log_file('redis-2'),
        pid => spawn(
            log => $server->log_file('redis-2'),
            command => [
                'redis-server', '--port', $self->{port}, '--bind',
                $self->{second}, (ipv6() ? '::1' : ()), '--unixsocket',
                "$dir/redis.sock", '--dir', $dir, '--save', '',
                '--protected-mode', 'no'
            ]
        )
    };
    wait_until(10, sub { eval { $self->redis_of('redis-2')->command('PING') } })
        or die "the second Redis does not answer\n";
    return;
}

# A connection to one of them.
sub redis_of {
    my ($self, $part) = @_;

    return CSChat::Redis->new($part eq 'redis'
        ? $self->{server}->redis_socket
        : "$self->{server}{dir}/redis-2/redis.sock");
}

# To be called before something that a log is to tell of: what is returned
# waits for it.
sub hears {
    my ($self, $part, $pattern) = @_;
    my $text = sub { $self->{server}->log_text($part) };
    my $length = length $text->();

    return sub {
        wait_until(15, sub { substr($text->(), $length) =~ $pattern });
    };
}

# Until nginx and the chat worker are at a Redis with all of their links.
sub found_at {
    my ($self, $part) = @_;

    return wait_until(15, sub {
        my %links;
        $links{$_}++ for eval { $self->redis_of($part)->command('CLIENT', 'LIST') }
            =~ /name=cs-chat-(\S+)/g;
        return keys %links == 4;
    });
}

# Both sockets are told to look again.
sub resynced {
    my ($self, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok $_->expect('resync', 20), $what for $self->sockets;
    return;
}

# All goes on: a message from one to the other goes through.
sub goes_on {
    my ($self, $what) = @_;
    my ($from, $to) = $self->sockets;
    my $content = 'Message ' . ++$self->{messages};
    my $ack;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->{server}->wait_ready;
    wait_until(
        15,
        sub {
            $ack = $from->ask(send_message => {
                chatId => $self->{chat},
                clientId => $content,
                content => $content
            });
            $ack->{type} eq 'message_ack';
        }
    );
    my $event = $to->expect('new_message', undef,
        sub { $_[0]{content} eq $content });
    is $event->{data}{seq} // 'not heard',
        $ack->{data}{seq} // $ack->{data}{code}, $what;
    return;
}

sub finish {
    my ($self) = @_;

    $self->{server}->finish;
    $self->{dns}->stop;
    return;
}

1;
