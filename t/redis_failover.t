# Redis moves to another address under the same name: nginx and the chat worker
# follow by themselves, whatever the server of names does meanwhile.

use strict;
use warnings;

use IO::Socket::IP;
use Test::More;

use lib 't/lib';
use CSChat::DNS;
use CSChat::Server;
use CSChat::Process qw(spawn spawn_and_wait wait_until);

my $port = 16379;
my $name = 'redis.cs-chat.test';
my ($first, $second, $names) = map { CSChat::Server::address($_) } 1 .. 3;
my $dns = CSChat::DNS->new($names, 10053, $name);
my $message = 0;

$dns->set($first);

my $server = CSChat::Server->new(
    only => [qw(postgres)],
    redis_args => ['--port', $port, '--bind', $first, '--protected-mode', 'no'],
    directives => <<"END",
    resolver $names:10053 valid=1s;
    resolver_timeout 1s;
    cs_chat_redis $name:$port;
    cs_chat_request_timeout 2s;
END
);
my @ipv6 = ipv6() ? '::1' : ();
my %at = (redis => $first, 'redis-2' => $second);

# Whether this machine speaks IPv6 to itself.
sub ipv6 {
    return IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
}

# Servers of Redis beyond the one that CSChat::Server knows.
sub start_other_redis {
    my ($part) = @_;
    my $dir = "$server->{dir}/$part";

    mkdir $dir;
    $server->{parts}{$part} = {
        log => $server->log_file($part),
        pid => spawn(
            log => $server->log_file($part),
            command => [
                'redis-server', '--port', $port, '--bind', $at{$part}, @ipv6,
                '--unixsocket', "$dir/redis.sock", '--dir', $dir,
                '--save', '', '--protected-mode', 'no'
            ]
        )
    };
    wait_until(10, sub { eval { redis_of($part)->command('PING') } })
        or die "$part does not answer\n";
    return;
}

sub redis_of {
    my ($part) = @_;

    return CSChat::Redis->new($part eq 'redis'
        ? $server->redis_socket
        : "$server->{dir}/$part/redis.sock");
}

# To be called before something that a log is to tell of: what is returned
# waits for it.
sub hears {
    my ($part, $pattern) = @_;
    my $length = length $server->log_text($part);

    return sub {
        wait_until(15,
            sub { substr($server->log_text($part), $length) =~ $pattern });
    };
}

# Until nginx and the chat worker are at a Redis with all of their links.
sub found_at {
    my ($part) = @_;

    return wait_until(15, sub {
        my %links;
        $links{$_}++ for eval { redis_of($part)->command('CLIENT', 'LIST') }
            =~ /name=cs-chat-(\S+)/g;
        return keys %links == 4;
    });
}

sub start_worker_at {
    my ($address) = @_;

    $server->stop_part('worker-1');
    $server->start_worker(1, REDIS_URL => "redis://$address:$port");
    return;
}

# A message from one to another goes through.
sub talk {
    my ($from, $to, $chat, $what) = @_;
    my $content = 'Message ' . ++$message;
    my $ack;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    wait_until(
        15,
        sub {
            $ack = $from->ask(send_message =>
                    {chatId => $chat, clientId => $content, content => $content});
            $ack->{type} eq 'message_ack';
        }
    );
    my $event = $to->expect('new_message', undef,
        sub { $_[0]{content} eq $content });
    is $event->{data}{seq} // 'not heard',
        $ack->{data}{seq} // $ack->{data}{code}, $what;
    return;
}

$server->seed if !$server->{from_template};
$server->start_redis;
$server->start_worker(1, REDIS_URL => "redis://$first:$port");
$server->start_nginx(0);
$server->wait_ready;
pass 'a name that only the resolver knows will do';

my $customer = $server->client('customer1');
my $agent = $server->client('agent1');
my $chat = $customer->new_chat(agentId => $agent->id);
my ($here, $there) = map { $_->websocket } $customer, $agent;

talk($here, $there, $chat, 'messages go through the first Redis');

subtest 'the name moves' => sub {
    my $token = $server->signed_token('customer2');
    my $gone = $server->client(undef, token => $token);

    is(($gone->post('auth/logout'))[0], 200, 'somebody logs out');
    start_other_redis('redis-2');
    $dns->set($second);
    $server->stop_part('redis');
    ok $_->expect('resync', 15), 'a socket is told to look again'
        for $here, $there;
    start_worker_at($second);
    $server->wait_ready;
    talk($here, $there, $chat, 'messages go through the second one');
    is(redis_of('redis-2')->command('ZCARD', 'cs_chat:revoked'), 1,
        'which is told who had logged out');
    ok $here->none('resync') && $there->none('resync'), 'one resync is enough';
    like $server->log_text('nginx-0'),
        qr/\[notice\].*Redis at "\Q$name:$port\E" is sought at \Q$second\E/,
        'the log says where it is';
};

subtest 'the server of names is gone' => sub {
    $dns->stop;
    $server->stop_part('redis-2');
    ok $server->wait_log('nginx-0',
        qr/name of Redis at "\Q$name:$port\E" could not be resolved .*: its last address is used/),
        'the log says so';
    start_other_redis('redis-2');
    ok $_->expect('resync', 15), 'the last address is tried again'
        for $here, $there;
    $server->wait_ready;
    talk($here, $there, $chat, 'and all goes on');
    $dns->start;
};

subtest 'a name with several addresses' => sub {
    $dns->set($first, '::1', $second);
    $server->start_redis;
    $server->stop_part('redis-2');
    start_worker_at($first);
    ok $_->expect('resync', 15), 'the one that is alive is found'
        for $here, $there;
    $server->wait_ready;
    talk($here, $there, $chat, 'and all goes on');
};

subtest 'an IPv6 address' => sub {
    plan skip_all => 'no IPv6 here' unless @ipv6;

    start_other_redis('redis-2');
    $dns->set('::1');
    $server->stop_part('redis');
    start_worker_at('[::1]');
    ok $_->expect('resync', 15), 'is found' for $here, $there;
    $server->wait_ready;
    talk($here, $there, $chat, 'and all goes on');

    $server->start_redis;
    $dns->set($first, $second);
    start_worker_at($first);
    $server->stop_part('redis-2');
    ok $_->expect('resync', 15), 'and left again' for $here, $there;
    $server->wait_ready;
};

subtest 'Redis is made a replica' => sub {
    start_other_redis('redis-2');
    my @heard = (
        hears('nginx-0', qr/is given up: it is a replica/),
        hears('worker-1', qr/"reason":"it is a replica"/)
    );
    redis_of('redis')->command('REPLICAOF', $second, $port);
    ok $heard[0]->(), 'it is left';
    ok $heard[1]->(), 'by the chat worker too';
    start_worker_at($second);
    ok $_->expect('resync', 15), 'its master is found' for $here, $there;
    $server->wait_ready;
    talk($here, $there, $chat, 'and all goes on');
    is(($server->client(undef, token => $server->signed_token('customer2'))
                ->post('auth/logout'))[0], 200, 'logging out too');
};

subtest 'the end, while a name is asked for' => sub {
    $dns->freeze;
    my @before = $server->nginx_pids(0);
    $server->stop_part($_) for qw(redis redis-2);
    $server->wait_log('nginx-0', qr/subscriptions was lost/);
    $server->reload_nginx(0);
    $_->close_code(10), $_->send_close(1012) for $here, $there;
    ok wait_until(15, sub { !grep { kill 0, $_ } @before }),
        'old processes end at a reload';
    is $server->stop_part('nginx-0', 'QUIT'), 0, 'and all when nginx is stopped';
    $dns->thaw;
};

# The chat worker asks the system: /etc/hosts can be another one for it alone.
sub may_mount {
    return spawn_and_wait(
        command => ['unshare', '-m', 'mount', '--bind', '/etc/hosts', '/etc/hosts'],
        log => '/dev/null'
    ) == 0;
}

my $hosts = "$server->{dir}/hosts";

sub set_hosts {
    open my $fh, '>', $hosts or die "$hosts: $!\n";
    print $fh "$_ $name\n" for @_;
    close $fh or die "$hosts: $!\n";
    return;
}

sub start_worker_with_hosts {
    $server->stop_part('worker-1');
    $server->{parts}{'worker-1'} = {
        log => $server->log_file('worker-1'),
        pid => spawn(
            command => [
                'unshare', '-m', 'sh', '-c',
                'mount --bind "$0" /etc/hosts && exec "$@"', $hosts,
                $server->worker_program
            ],
            env => {
                %{$server->worker_environment},
                REDIS_URL => "redis://$name:$port"
            },
            log => $server->log_file('worker-1'),
        ),
    };
    return;
}

subtest 'the chat worker follows the name' => sub {
    plan skip_all => 'no mounts of its own for a process here'
        unless may_mount();

    set_hosts($first);
    $dns->set($first);
    $server->start_redis;
    $server->start_nginx(0);
    start_worker_with_hosts();
    $server->wait_ready;
    ($here, $there) = map { $_->websocket } $customer, $agent;
    talk($here, $there, $chat, 'the first Redis');

    start_other_redis('redis-2');
    set_hosts($second);
    $dns->set($second);
    $server->stop_part('redis');
    ok $_->expect('resync', 15), 'a socket is told to look again'
        for $here, $there;
    $server->wait_ready;
    talk($here, $there, $chat, 'the second one');

    set_hosts($first, '::1', $second);
    $dns->set($first, '::1', $second);
    $server->start_redis;
    $server->stop_part('redis-2');
    ok found_at('redis'), 'the one of several that is alive is found';
    $server->wait_ready;
    talk($here, $there, $chat, 'and serves');

    start_other_redis('redis-2');
    my $heard = hears('worker-1', qr/"reason":"it is a replica"/);
    redis_of('redis')->command('REPLICAOF', $second, $port);
    ok $heard->(), 'one that became a replica is left';
    ok found_at('redis-2'), 'for its master';
    $server->wait_ready;
    talk($here, $there, $chat, 'which serves');

    # the name can't be resolved, but the address is still right
    set_hosts();
    $server->stop_part('redis-2');
    start_other_redis('redis-2');
    ok found_at('redis-2'), 'the last one is found while there is no name';
    $server->wait_ready;
    talk($here, $there, $chat, 'and serves');

    # nothing tells the two that their Redis is gone
    redis_of('redis')->command('REPLICAOF', 'NO', 'ONE');
    $_->drain for $here, $there;
    set_hosts($first);
    $dns->set($first);
    $server->freeze_part('redis-2');
    ok $_->expect('resync', 20), 'one that hangs is left'
        for $here, $there;
    ok found_at('redis'), 'for the one that the name leads to now';
    $server->wait_ready;
    talk($here, $there, $chat, 'which serves');
    $server->thaw_part('redis-2');
};

$server->finish;
$dns->stop;
done_testing;
