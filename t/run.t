# "make run": starts, stays up, ends, finds its data again, and says in a line
# what is wrong.

use strict;
use warnings;

use lib 't/lib';
use CSChat::File qw(write_file);
use CSChat::Server;
use CSChat::HTTP;
use CSChat::Process qw(wait_until);
use File::Temp ();
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'the supervisor runs what is not sanitized'
    if $ENV{SANITIZE};

my $top = File::Temp::tempdir('cs-chat-t-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $dir = "$top/run";
my $address = CSChat::Server::address(0);
my $make = $CSChat::Server::root;

chmod 0755, $top;
delete @ENV{
    qw(JWT_SECRET DATABASE_URL REDIS_URL CORS_ENABLED CORS_ALLOWED_ORIGINS
        SERVER_MODE MAKELEVEL MAKEFLAGS)
};
$ENV{LISTEN} = $address;
$ENV{PORT} = 8080;
$ENV{RUN_DIR} = $dir;
$ENV{CHAT_WORKERS} = 1;
$ENV{NGINX_WORKERS} = 2;

# A "make run" of its own process group: {pid, out}.
sub start {
    my (%env) = @_;
    my $out = "$top/out-" . time;

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp 0, 0;
        %ENV = (%ENV, %env);
        open STDOUT, '>', $out;
        open STDERR, '>&', \*STDOUT;
        exec 'make', '-s', '-C', $make, 'run';
    }
    return {pid => $pid, out => $out};
}

sub output {
    my ($run) = @_;

    open my $fh, '<', $run->{out} or return '';
    local $/;
    return scalar(<$fh>) // '';
}

# Its status once it has ended, undef while it has not.
sub ended {
    my ($run, $seconds) = @_;

    return wait_until(
        $seconds // 30,
        sub {
            return undef if waitpid($run->{pid}, 1) != $run->{pid};
            return {status => $?};
        }
    );
}

sub wait_ready {
    my ($run) = @_;

    return wait_until(120,
        sub { output($run) =~ /^ready /m || waitpid($run->{pid}, 1) > 0 })
        && output($run) =~ m{^ready http://\Q$address\E:8080$}m;
}

sub call {
    my ($method, $path, %o) = @_;

    return eval {
        CSChat::HTTP->new($address, 8080)->request(
            $method, $path,
            body => $o{body},
            headers => [
                'Content-Type' => 'application/json',
                $o{token} ? (Authorization => "Bearer $o{token}") : ()
            ]
        );
    } // {status => 0, body => ''};
}

sub is_up {
    return wait_until(20, sub { call(GET => '/health/ready')->{status} == 200 });
}

sub login {
    my $answer = call(
        POST => '/api/auth/login',
        body => '{"username":"customer1","password":"password123"}'
    );
    return $answer->{body} =~ /"token":"([^"]+)"/ ? $1 : undef;
}

sub pid_of {
    my ($file) = @_;

    open my $fh, '<', "$dir/$file" or return undef;
    my ($pid) = (<$fh> // '') =~ /^(\d+)/;
    return $pid;
}

# The child of make.
sub supervisor {
    my ($run) = @_;

    open my $fh, '<', "/proc/$run->{pid}/task/$run->{pid}/children"
        or die "children of make: $!";
    return split ' ', <$fh>;
}

# Processes that have to do with this directory.
sub left {
    my $left = 0;

    for my $file (glob '/proc/[0-9]*/cmdline') {
        open my $fh, '<', $file or next;
        $left++ if (<$fh> // '') =~ /\Q$dir\E/;
    }
    return $left;
}

my @files = qw(nginx.pid redis.pid worker-1.pid pg/postmaster.pid);

my $run = start();
ok(wait_ready($run), 'it gets ready') or diag output($run);
like(output($run), qr/customer2\s+password123/, 'and shows who can log in');
is(scalar(() = output($run) =~ /^\s+(?:\w+=\$\()?curl /mg), 3,
    'and three lines of curl');
ok(pid_of($_), "$_ is there") for @files;

my $token = login();
ok($token, 'login');
my $chat = call(POST => '/api/chats', token => $token, body => '{}');
is($chat->{status}, 201, 'a chat');
my ($id) = $chat->{body} =~ /"data":\{"id":"([^"]+)"/;
is(system("redis-cli -s $dir/redis.sock ping >/dev/null"), 0,
    'redis-cli gets in');
is(`psql -h $dir -U postgres -XAtc "SELECT count(*) FROM chats WHERE id = '$id'" cs_socket`,
    "1\n", 'psql gets in');

my $second = start();
is(ended($second)->{status} >> 8, 2, 'the port is taken');
like(output($second), qr/^run: port 8080 of \S+ can't be had/m,
    'which it says');
$second = start(PORT => 8081);
is(ended($second)->{status} >> 8, 2, 'the directory is taken');
like(output($second), qr/^run: already running in /m, 'which it says');

for my $file (@files) {
    my $pid = pid_of($file);
    kill 'KILL', $pid;
    ok(wait_until(20, sub { (pid_of($file) // $pid) != $pid }),
        "$file: killed and started again");
    ok(is_up(), 'and ready');
}

is(system("make -s -C $make reset-db >$top/reset 2>&1"), 0,
    'reset-db while it runs');
is(`psql -h $dir -U postgres -XAtc "SELECT count(*) FROM chats WHERE id = '$id'" cs_socket`,
    "0\n", 'has emptied the database');
$token = login();
$chat = call(POST => '/api/chats', token => $token, body => '{}');
($id) = $chat->{body} =~ /"data":\{"id":"([^"]+)"/;

kill 'TERM', $run->{pid};
ok(ended($run), 'SIGTERM ends it');
ok(wait_until(10, sub { !left() }), 'and all it has started');
ok(!grep({ -e "$dir/$_" } @files), 'no pid file stays');

$run = start();
ok(wait_ready($run), 'it starts again');
is(call(GET => "/api/chats/$id", token => $token)->{status},
    200, 'the chat is there, and the token still good');
kill 'INT', -$run->{pid};
ok(ended($run), 'Ctrl-C ends it');
ok(wait_until(10, sub { !left() }), 'and all it has started');

for my $delay (0.2, 0.8) {
    $run = start();
    select undef, undef, undef, $delay;
    kill 'TERM', $run->{pid};
    ok(ended($run), "stopped after $delay s");
    ok(wait_until(10, sub { !left() }), 'nothing is left');
}

is(system("make -s -C $make reset-db >$top/reset 2>&1"), 0,
    'reset-db while nothing runs');
ok(!left(), 'nothing is left');

$run = start();
wait_ready($run);
kill 'KILL', supervisor($run);
ok(ended($run), 'a supervisor that is killed');
ok(wait_until(10, sub { !left() }), 'takes everything along');

my $nginx = write_file("$top/nginx",
    "#!/bin/sh\necho 'this nginx does not start' >&2\nexit 1\n");
chmod 0755, $nginx;
$run = start(NGINX => $nginx);
is(ended($run)->{status} >> 8, 2, 'a part that fails');
like(output($run), qr/^run: .*this nginx does not start/m, 'is named');
ok(!left(), 'and nothing is left');

END {
    my $status = $?;
    kill 'TERM', $run->{pid} if $run && $run->{pid};
    if (defined $dir && -l "$dir/pg") {
        system 'rm', '-rf', readlink("$dir/pg") =~ m{^(/var/tmp/cs-chat-\w+)};
    }
    $? = $status;
}

done_testing;
