# The database moves to another host: a standby takes over from a primary that
# dies under load. What was acknowledged is there, and the chat worker finds
# the new primary by itself.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Sender;
use CSChat::Server;
use CSChat::Postgres;
use CSChat::Process qw(spawn_and_wait wait_until);
use Test::More;

my $server = CSChat::Server->new(only => [qw(redis postgres)]);
$server->seed if !$server->{from_template};

my $primary = $server->{pg};
my $standby = CSChat::Postgres->new(
    dir => "$server->{dir}/pg2",
    log => $server->log_file('postgres-2'),
    settings => $primary->{settings},
);
mkdir $standby->{dir}, 0700 or die "$standby->{dir}: $!\n";
$primary->own($standby->{dir});
is(
    spawn_and_wait(
        user => CSChat::Postgres::user(),
        log => $server->log_file('postgres-2'),
        dir => '/',
        command => [
            $primary->bindir . '/pg_basebackup', '-h', $primary->{dir}, '-U',
            'postgres', '-D', $standby->{dir}, '-R', '-c', 'fast'
        ],
    ),
    0,
    'a copy of the database'
);
unlink "$standby->{dir}/.s.PGSQL.5432.lock";  # it is the primary's
$server->{parts}{'postgres-2'} = {
    log => $server->log_file('postgres-2'),
    signal => 'QUIT',
    pid => $standby->start,
};
$server->sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
$server->sql('SELECT pg_reload_conf()');
ok(
    wait_until(
        20,
        sub {
            $server->sql(q{SELECT count(*) FROM pg_stat_replication}
                    . q{ WHERE sync_state = 'sync'});
        }
    ),
    'every commit waits for it'
);

$server->start_worker(1, DATABASE_URL => 'user=postgres dbname=cs_socket'
        . " host=$standby->{dir},$primary->{dir}");
my $sender = CSChat::Sender->new($server);
$sender->send(100);
is_deeply($sender->settle('before'), {201 => 100}, 'messages are stored');

$sender->send(500);
ok(wait_until(10, sub { $sender->answers(0.001)->{201} }), 'some of many are');
$server->kill_part('postgres');
$server->{pg} = $standby;
$server->sql('SELECT pg_promote()');
my $statuses = $sender->answers(2);
note(join ', ', map {"$statuses->{$_} x $_"} sort keys %$statuses);

my %stored = map { split /\|/ }
    $server->sql('SELECT client_id, seq FROM messages WHERE client_id <> $$$$');
is(join(' ', grep { ($stored{$_} // '') ne $sender->{acked}{$_} }
        sort keys %{$sender->{acked}}), '',
    'all that was acknowledged is on the new primary');
$sender->settle('after', seconds => 0.1);
$sender->send(100);
is_deeply($sender->settle('later'), {201 => 100}, 'and it goes on there');

$server->finish;
done_testing;
