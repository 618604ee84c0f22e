# Protects what a change of role means: it takes effect at once, on open sockets
# and for tokens that are out, on all machines, whoever is away meanwhile.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(machines => 2);
my $customer = $server->client('customer1');
my $person = new_user($server, 'agent');
my $bystander = new_user($server, 'agent');
my $watch = $bystander->websocket;

sub becomes {
    my ($role) = @_;

    $server->sql("UPDATE users SET role = '$role' WHERE id = '@{[ $person->id ]}'");
    return;
}

# A client of the person with a token of now.
sub logged_in {
    my ($status, $json) = $server->client->post('auth/login',
        {username => $person->{username}, password => 'password123'});

    die "login: $status\n" if $status != 200;
    my $client = $server->client(undef, token => $json->{token});
    $client->{role} = $json->{user}{role};
    return $client;
}

# Until the token is, or is not, taken by all processes.
sub taken {
    my ($client, $want, $name) = @_;
    my %pids = map { $_ => $server->pid("nginx-$_") ? 1 : 0 } 0, 1;
    my @places = map {
        my $machine = $_;
        map { {machine => $machine, pid => $_} } $server->nginx_pids($machine)
    } grep { $pids{$_} } 0, 1;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = 0;
    for my $place (@places) {
        my $here = $server->client(undef, token => $client->token, %$place);
        $n++ if wait_until(10, sub { ($here->get('users/me'))[0] == $want });
    }
    is($n, scalar @places, "$name: $want by every process");
    return;
}

subtest 'an agent becomes a customer' => sub {
    my @sockets = map { $person->websocket(%$_) } {machine => 0}, {machine => 1};
    my $ticket = $person->post('auth/ws-ticket')->{data}{ticket};

    becomes('customer');
    is($_->close_code, 4002, 'an open socket is closed') for @sockets;
    taken($person, 401, 'the token');
    refused([$person->get('users/me')], 401, 'INVALID_TOKEN', 'what it says');
    refused([$person->post('auth/refresh')], 401, 'INVALID_TOKEN',
        'it can not be exchanged');
    is(CSChat::WebSocket->try($server, query => "ticket=$ticket")
            ->{answer}{status}, 401, 'nor its ticket used');
    ok($watch->none('resync'), 'others have nothing to do with it');

    my $now = logged_in();
    is($now->{role}, 'customer', 'a login gives the new role');
    my $socket = $now->websocket(machine => 1);
    my $chat = $customer->new_chat;
    is($watch->expect('new_chat', undef, sub { $_[0]{id} eq $chat })->{type},
        'new_chat', 'agents hear of a chat in the queue');
    ok($socket->none('new_chat'), 'a former one does not');
    my $error = $socket->ask(auth => {token => $person->token});
    is($error->{data}{code}, 'INVALID_TOKEN',
        'a socket does not take the old token');
    $socket->close;
};

subtest 'and an agent again' => sub {
    my $customer_token = logged_in();

    becomes('agent');
    taken($customer_token, 401, 'the token of a customer');
    taken($person, 200, 'that of an agent');
    my $socket = $person->websocket;
    my $chat = $customer->new_chat;
    ok($socket->expect('new_chat', undef, sub { $_[0]{id} eq $chat }),
        'they hear of the queue again');
    $socket->close;
};

subtest 'other changes' => sub {
    my $socket = $person->websocket;

    $server->sql("UPDATE users SET name = 'Somebody', role = role"
            . " WHERE id = '@{[ $person->id ]}'");
    taken($person, 200, 'another name');
    ok($socket->ask('ping', 1), 'the socket stays');
    $socket->close;
};

subtest 'with no worker there' => sub {
    my $socket = $person->websocket;

    $server->stop_part('worker-1');
    becomes('super-agent');
    $server->start_worker(1);
    is($socket->close_code(15), 4002, 'it is told when there is one');
    taken($person, 401, 'the token');
};

subtest 'an nginx that starts later' => sub {
    $server->stop_part('nginx-1');
    $server->start_nginx(1);
    $server->wait_ready(1);
    taken($person, 401, 'the token');
};

subtest 'with no Redis there' => sub {
    my $super = logged_in();
    is($super->{role}, 'super-agent', 'a super-agent');
    my $socket = $super->websocket;

    $server->stop_part('redis');
    becomes('agent');
    $server->start_redis;
    is($socket->close_code(20), 4002, 'it is told when there is one');
    $server->wait_ready;
    taken($super, 401, 'the token');
    taken($person, 200, 'that of an agent');
};

$server->finish;
done_testing;
