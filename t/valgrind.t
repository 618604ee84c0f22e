# One nginx process and the chat worker under valgrind: a login, a message over
# a WebSocket and the end of both, with no error and nothing definitely lost
# by our own code.  CS_CHAT_VALGRIND=0 leaves it out.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Server;
use CSChat::Process qw(spawn wait_until);
use Test::More;

plan skip_all => 'CS_CHAT_VALGRIND is 0'
    if ($ENV{CS_CHAT_VALGRIND} // '') eq '0';
plan skip_all => 'valgrind is not installed'
    unless grep { -x "$_/valgrind" } split /:/, $ENV{PATH};
plan skip_all => 'not together with sanitizers' if $ENV{SANITIZE};

$CSChat::HTTP::timeout = $CSChat::WebSocket::timeout = 60;
my $server = CSChat::Server->new(
    only => [qw(redis postgres)],
    nginx_workers => 1,
    main => 'master_process off;',
    directives => 'cs_chat_request_timeout 1m;',
    worker_env => {CS_CHAT_STATEMENT_TIMEOUT => '1m'},
);
my $report = "$server->{dir}/valgrind";
my @valgrind = (
    'valgrind', '--quiet', '--leak-check=full', '--show-leak-kinds=definite',
    '--errors-for-leak-kinds=definite', '--num-callers=30',
    '--keep-debuginfo=yes',
    '--suppressions=t/valgrind.supp', "--log-file=$report.%p"
);

# Starts a part of the server under valgrind instead.
sub start {
    my ($name, $command, %env) = @_;

    $server->{parts}{$name} = {
        log => $server->log_file($name),
        pid => spawn(
            command => [@valgrind, @$command],
            env => \%env,
            log => $server->log_file($name),
        ),
    };
    return;
}

# Stops a part: what valgrind says of it must not be about our code.
sub report {
    my ($name, $ours) = @_;
    my $pid = $server->pid($name);
    my $status = $server->stop_part($name, $name =~ /nginx/ ? 'QUIT' : 'TERM');

    is($status, 0, "$name ends well");
    open my $fh, '<', "$report.$pid" or die "$report.$pid: $!\n";
    local $/;
    my @reports = split /^==\d+== *\n/m, <$fh> // '';
    is(join("\n", grep {/$ours/} @reports), '',
        "$name: valgrind has nothing to say");
    note(grep { !/$ours/ } @reports);
    return;
}

$server->seed if !$server->{from_template};
mkdir "$server->{dir}/nginx-0";
$server->write_nginx_conf(0);
start('worker-1', [CSChat::Server::worker_program()],
    %{$server->worker_environment});
start('nginx-0', $server->nginx_command(0));
ok(
    wait_until(
        60,
        sub {
            my ($status)
                = eval { $server->client->get('/health/ready') } or return;
            return $status == 200;
        }
    ),
    'ready'
);

my $customer = $server->client('customer1');
my $agent = $server->client('agent1');
my $chat = $customer->new_chat(agentId => $agent->id);
my $here = $customer->websocket;
my $there = $agent->websocket;

is($here->ask(send_message => {chatId => $chat, content => 'hello'})->{type},
    'message_ack', 'a message is acknowledged');
is($there->expect('new_message')->{data}{content}, 'hello', 'and comes');
is($here->ask(send_message => {chatId => 'x'})->{type}, 'error',
    'a bad one is refused');
is(($agent->get("chats/$chat/messages"))[0], 200, 'the history');
is(($agent->post('chats', '{'))[0], 400, 'a bad request');
is(($server->client(undef, token => 'x')->get('users/me'))[0], 401,
    'a bad token');
is($here->close, 1000, 'one WebSocket is closed');
$there->drop;
is(($customer->post('auth/logout'))[0], 200, 'a logout');
is($server->websocket('agent1')->close, 1000, 'another WebSocket');

my $last = $server->websocket('agent1');
report('nginx-0', qr/cs_chat|csc_/);
report('worker-1', qr/./);
$server->finish;
done_testing;
