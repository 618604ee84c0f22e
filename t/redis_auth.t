# Redis with passwords, ACL users and databases, over TCP and a Unix socket:
# what is wrong stands in the logs without the password, and once Redis allows
# it, all goes on by itself.

use strict;
use warnings;

use lib 't/lib';
use CSChat::File qw(write_file);
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;

my $password = 'swordfish/40%@:x';
my $escaped = 'swordfish%2F40%25%40%3Ax';
my $wrong = 'halibut-in-the-sea';
my $port = 16379;
my $address = CSChat::Server::address(0);
my $place;

my $server = CSChat::Server->new(
    only => [qw(redis postgres)],
    nginx_workers => 1,
    redis_args => ['--port', $port, '--bind', $address, '--protected-mode', 'no'],
    directives => sub {"cs_chat_redis $place; cs_chat_request_timeout 2s;"},
);
my $socket = $server->redis_socket;
my $good = write_file("$server->{dir}/good", "$password\n");
my $bad = write_file("$server->{dir}/bad", "$wrong\n");
my ($nginx_log, $worker_log) = ('', '');

$server->seed if !$server->{from_template};
$server->redis('PING');    # the connection that stays the administrator's

sub start {
    ($place, my %worker_env) = @_;

    unlink map { $server->log_file($_) } qw(nginx-0 worker-1);
    $server->start_worker(1, %worker_env);
    $server->start_nginx(0);
    return;
}

# Stops both and keeps what they have logged.
sub stop {
    $server->stop_part($_) for qw(nginx-0 worker-1);
    $nginx_log .= $server->log_text('nginx-0');
    $worker_log .= $server->log_text('worker-1');
    $server->{tokens} = {};
    return;
}

# A message from one to another and a logout go through.
sub works {
    my ($name) = @_;

    ok(eval { $server->wait_ready; 1 }, "$name: ready") or diag($@);
    my $agent = $server->client('agent1');
    my $customer = $server->client('customer1');
    my $chat = $customer->new_chat(agentId => $agent->id);
    my $there = $agent->websocket;
    $customer->post("chats/$chat/messages", {content => 'hello'});
    ok($there->expect('new_message'), "$name: a message goes through");
    $there->close;
    is(($customer->post('auth/logout'))[0], 200, "$name: a logout too");
    return;
}

sub refused {
    my ($name, $nginx, $worker) = @_;

    ok($server->wait_log('nginx-0', $nginx), "$name: NGINX logs why")
        or diag(substr $server->log_text('nginx-0'), -2000);
    ok($server->wait_log('worker-1', $worker), "$name: the chat worker too")
        or diag(substr $server->log_text('worker-1'), -2000);
    my ($status, $json) = $server->client->get('/health/ready');
    is("$status $json->{redis}", '503 unavailable', "$name: not ready");
    return;
}

subtest 'a password, over a Unix socket' => sub {
    $server->redis('CONFIG', 'SET', 'requirepass', $password);
    start("unix:$socket password_file=$good",
        REDIS_URL => "unix://:$escaped\@$socket");
    works('with the password');
    stop();

    my $user = "user=default password_file=$good";
    start("$address:$port $user", REDIS_URL => "redis://$address:$port",
        CS_CHAT_REDIS_PASSWORD_FILE => $good);
    works('over TCP, for the user "default"');
    stop();
};

subtest 'no password where one is needed' => sub {
    start("unix:$socket", REDIS_URL => "unix://$socket");
    refused('no password',
        qr/\[error\].*Redis at "unix:\Q$socket\E" refused the connection for commands: NOAUTH/,
        qr/"level":"error".*"message":"Redis refuses".*"reason":"NOAUTH/);
    stop();
};

subtest 'a wrong password' => sub {
    start("unix:$socket password_file=$bad",
        REDIS_URL => "unix://:$wrong\@$socket");
    refused('a wrong password',
        qr/\[error\].*refused the connection for subscriptions: (?:WRONGPASS|ERR)/,
        qr/"message":"Redis refuses".*"reason":"(?:WRONGPASS|ERR)/);
    is_deeply([map { ($server->client->get('/health'))[0] } 1 .. 3],
        [200, 200, 200], 'nginx serves all the same');

    $server->redis('CONFIG', 'SET', 'requirepass', $wrong);
    works('once it is right');
    $server->redis('CONFIG', 'SET', 'requirepass', '');
    stop();
};

subtest 'an ACL user, over TCP' => sub {
    $server->redis('ACL', 'SETUSER', 'chat', 'on', ">$password", '~one:*',
        '&one:*', '+@all', '-@dangerous', '-@scripting');
    $server->redis('ACL', 'SETUSER', 'default', 'off');
    start("$address:$port user=chat password_file=$good database=3; cs_chat_prefix one:",
        REDIS_URL => "redis://chat:$escaped\@$address:$port/3",
        CS_CHAT_PREFIX => 'one:');
    works('with just its own channels and keys');
    $server->redis('SELECT', 3);
    is($server->redis('EXISTS', 'one:revoked'), 1,
        'keys lie in the database that was selected');
    $server->redis('SELECT', 0);
    is($server->redis('EXISTS', 'one:revoked'), 0, 'and in no other');
    stop();
};

subtest 'an ACL user who may not subscribe' => sub {
    $server->redis('ACL', 'SETUSER', 'chat', 'resetchannels');
    start("unix:$socket user=chat password_file=$good; cs_chat_prefix one:",
        REDIS_URL => "unix://chat:$escaped\@$socket", CS_CHAT_PREFIX => 'one:');
    refused('no channels',
        qr/\[error\].*subscri.*: NOPERM/,
        qr/"level":"(?:error|warn)".*NOPERM/);
    $server->redis('ACL', 'SETUSER', 'chat', '&one:*');
    works('once it may');
    stop();
};

subtest 'an ACL user who may not write keys' => sub {
    $server->redis('ACL', 'SETUSER', 'chat', 'resetkeys');
    start("unix:$socket user=chat password_file=$good; cs_chat_prefix one:",
        REDIS_URL => "unix://chat:$escaped\@$socket", CS_CHAT_PREFIX => 'one:');
    ok(
        $server->wait_log('nginx-0',
            qr/\[error\].*which tokens are revoked: NOPERM/),
        'NGINX logs why'
    );
    my ($status, $json) = $server->client->get('/health/ready');
    is("$status $json->{status}", '503 unavailable', 'not ready');
    $server->redis('ACL', 'SETUSER', 'chat', '~one:*');
    works('once it may');
    stop();
};

subtest 'a database that there is not' => sub {
    start("unix:$socket user=chat password_file=$good database=99; cs_chat_prefix one:",
        REDIS_URL => "unix://chat:$escaped\@$socket", CS_CHAT_PREFIX => 'one:');
    ok($server->wait_log('nginx-0',
            qr/\[error\].*refused the connection for commands: ERR DB index/),
        'NGINX logs why');
    my ($status, $json) = $server->client->get('/health/ready');
    is("$status $json->{redis}", '503 unavailable', 'not ready');
    stop();
};

subtest 'the logs' => sub {
    for ([NGINX => $nginx_log], ['the chat worker' => $worker_log]) {
        my ($who, $log) = @$_;

        cmp_ok(length $log, '>', 100, "$who has logged");
        unlike($log, qr/swordfish|halibut/, "$who shows no password");
        cmp_ok(() = $log =~ /refuse|NOAUTH|NOPERM/g, '<', 100,
            "$who does not flood its log");
    }
};

$server->finish;
done_testing;
