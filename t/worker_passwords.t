# Passwords are hashed by processes of their own: at most so many, set back
# behind everybody else, with nothing of the worker's but their socket.  One
# that dies takes no more than its own login with it, and none outlives its
# worker.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;

my $nice = getpriority 0, 0;
my $server = CSChat::Server->new(
    worker_env =>
        {CS_CHAT_PASSWORD_PROCESSES => 2, CS_CHAT_PASSWORD_QUEUE => 4},
);

# The pids of the processes that hash for the worker.
sub hashing {
    my $worker = $server->pid('worker-1');
    my @pids;

    opendir my $proc, '/proc' or die "/proc: $!";
    for my $pid (grep {/^\d+$/} readdir $proc) {
        push @pids, $pid
            if read_proc($pid, 'stat') =~ /\) \S $worker /
            && read_proc($pid, 'cmdline') =~ /hash-passwords/;
    }
    return sort { $a <=> $b } @pids;
}

sub read_proc {
    my ($pid, $name) = @_;

    open my $in, '<', "/proc/$pid/$name" or return '';
    local $/;
    return scalar(<$in>) // '';
}

# Connections that have asked to log in, so many at once.
sub begin_logins {
    my ($n) = @_;
    my @connections = map { $server->connection } 1 .. $n;

    for my $connection (@connections) {
        $connection->write($connection->request_text('POST', '/api/auth/login',
            headers => ['Content-Type' => 'application/json'],
            body => '{"username":"customer1","password":"password123"}'));
    }
    return @connections;
}

# The status of each answer, in order.
sub statuses {
    my @statuses = sort map { $_->answer->{status} } @_;

    return \@statuses;
}

sub logins { return statuses(begin_logins(@_)) }

is_deeply([hashing()], [], 'nobody logs in: there is none');

is_deeply(logins(4), [(200) x 4], 'four logins at once');
my @pids = hashing();
is(scalar @pids, 2, 'two processes hash');

for my $pid (@pids) {
    # its end of the socket, nothing to write to, the log
    opendir my $dir, "/proc/$pid/fd" or die "/proc/$pid/fd: $!";
    my @open = sort grep {/^\d+$/} readdir $dir;
    is_deeply(\@open, [0, 1, 2], 'a process has no other file of the worker');
    is(read_proc($pid, 'environ'), '', 'nor what is in its environment');
    is(getpriority(0, $pid), $nice > 10 ? $nice : 10,
        'and steps back behind the others');
}

# Both hang, each with a login, and two wait: what is too much is refused, so
# that its answer says where the others are.
kill 'STOP', @pids;
my @waiting = begin_logins(5);
wait_until(10, sub { grep { readable($_) } @waiting });
my @refused = grep { readable($_) } @waiting;
is_deeply(statuses(@refused), [503], 'the fifth is too much: 503');

kill 'KILL', $pids[0];
kill 'CONT', $pids[1];
my %refused = map { $_ => 1 } @refused;
is_deeply(statuses(grep { !$refused{$_} } @waiting), [200, 200, 200, 503],
    'one whose process died: 503; the others: 200');
is_deeply(logins(4), [(200) x 4], 'the next ones: 200');
is(scalar(() = hashing()), 2, 'two processes again');

# Whether an answer, or a part of it, is here.
sub readable {
    my ($connection) = @_;
    my $bits = '';

    vec($bits, fileno($connection->{socket}), 1) = 1;
    return select $bits, undef, undef, 0;
}

@pids = hashing();
$server->kill_part('worker-1');
ok(wait_until(5, sub { !grep { kill 0, $_ } @pids }),
    'none outlives a worker that was killed');
$server->start_worker(1);
$server->wait_ready;
is_deeply(logins(2), [200, 200], 'a new worker has its own');
@pids = hashing();
is($server->stop_part('worker-1'), 0, 'it ends by itself');
ok(wait_until(5, sub { !grep { kill 0, $_ } @pids }), 'and so do they');

$server->allow(qr/hashes passwords ended/);
$server->finish;
done_testing;
