# Protects the limit of sockets of one address: it holds over all processes, is
# about the client's address and not that of a proxy in between, and nothing
# that is gone is counted.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(
    directives => '
        cs_chat_sockets_per_address 3;
        cs_chat_drain_time 4s;
        set_real_ip_from 127.0.0.0/8;
        real_ip_header X-Client;',
    locations => 'location = /free {
        cs_chat_websocket;
        cs_chat_sockets_per_address 0;
    }',
);
my $last = 0;

# Of a new client each time.
sub address { return '192.0.2.' . ++$last }

sub socket_of {
    my ($address, %o) = @_;

    return $server->websocket('customer1', %o,
        headers => ['X-Client' => $address]);
}

sub refused {
    my ($address, $name, %o) = @_;
    my $answer = CSChat::WebSocket->try(
        $server, %o,
        token => $server->token('customer1'),
        headers => ['X-Client' => $address]
    )->{answer};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $answer->{status}, 429, $name;
    return $answer;
}

sub room {
    my ($address, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok wait_until(10, sub {
        CSChat::WebSocket->try(
            $server,
            token => $server->token('customer1'),
            headers => ['X-Client' => $address]
        )->{answer}{status} == 101;
    }), $name;
    return;
}

subtest 'over all processes' => sub {
    my $address = address();
    my @places = map { {pid => $_} } $server->nginx_pids;
    my @sockets = map { socket_of($address, %$_) } @places[0, 1, 0];

    my $answer = refused($address, 'one too many', %{$places[1]});
    like $answer->{body}, qr/"code":"RATE_LIMITED"/, 'in the form of the API';
    is $answer->{headers}{'retry-after'}, 1, 'with Retry-After';

    ok socket_of(address()), 'another address has a count of its own';
    ok socket_of($address, path => '/free'), 'a location without the limit';
    ok $_->ask(ping => 1), 'those that are open stay' for @sockets;

    $sockets[0]->close;
    room($address, 'one that is closed makes room');
    $sockets[1]->drop;
    room($address, 'so does one that breaks');
};

subtest 'what is refused is not counted' => sub {
    my $address = address();

    for (1 .. 4) {
        my $answer = CSChat::WebSocket->try($server, token => 'x',
            headers => ['X-Client' => $address])->{answer};
        is $answer->{status}, 401, 'no token';
    }
    my @sockets = map { socket_of($address) } 1 .. 3;
    refused($address, 'those that are open are') for 1 .. 3;
    $sockets[0]->close;
    room($address, 'and those that were refused took no place');
};

subtest 'IPv6' => sub {
    my @sockets = map { socket_of("2001:db8:1:2:$_") }
        qw(:1 aaaa:bbbb:cccc:dddd ffff::1);

    refused('2001:db8:1:2::2', 'what one client may have counts together');
    ok socket_of('2001:db8:1:3::1'), 'the next network is another client';

    @sockets = (socket_of('192.0.2.250'),
        map { socket_of('::ffff:192.0.2.250') } 1, 2);
    refused('192.0.2.250', 'an IPv4 address in IPv6 form is the same');
};

subtest 'the error log tells whose a socket is' => sub {
    my $address = address();
    my $socket = socket_of($address);
    my $id = $socket->{connected}{data}{connectionId};
    my $user = $socket->{connected}{data}{userId};

    $socket->close;
    ok $server->wait_log('nginx-0',
        qr/WebSocket ends with 1000 after \d+ ms, \d+ bytes sent while serving a WebSocket, client: \Q$address\E, user: $user, socket: $id, server: /),
        'behind a proxy, and after its request has ended';
};

subtest 'a reload' => sub {
    my $address = address();
    my @sockets = map { socket_of($address) } 1 .. 3;
    my @before = $server->reload_nginx(0);

    wait_until(30, sub {
        my %now = map { $_ => 1 } $server->nginx_pids(0);
        return !grep { $now{$_} } @before;
    });
    $server->wait_ready(0);
    is $_->close_code(20), 1012, 'the old ones leave' for @sockets;
    $_->drop for @sockets;
    room($address, 'and make room');
};

subtest 'a process that is killed' => sub {
    my $address = address();
    my ($victim) = $server->nginx_pids;
    my @sockets = map { socket_of($address, pid => $victim) } 1 .. 3;

    refused($address, 'it has all there may be');
    $server->allow(qr/exited on signal 9/);
    kill 'KILL', $victim;
    room($address, 'its successor counts them no more');
};

$server->finish;
done_testing;
