# What PostgreSQL can do to a chat worker in the middle of its work: nothing
# that was acknowledged is lost, nothing that was refused with 503 is stored,
# and what is repeated with its clientId is stored once.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Psql;
use CSChat::Sender;
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;

my $server = CSChat::Server->new(
    only => [qw(redis postgres worker)],
    worker_env => {CS_CHAT_STATEMENT_TIMEOUT => '1s', CS_CHAT_MAX_BATCH => 16},
);
my $sender = CSChat::Sender->new($server);
my ($chat) = $sender->chats;

sub backend {
    return $server->sql('SELECT pid FROM pg_locks'
            . " WHERE locktype = 'advisory' AND objid = 64 AND granted");
}

# Whether the writing session waits for something.
sub waits {
    my ($for) = @_;

    ok(
        wait_until(
            10,
            sub {
                $server->sql('SELECT count(*) FROM pg_stat_activity'
                        . ' WHERE pid = ' . (backend() // 0)
                        . " AND wait_event_type || ' ' || wait_event LIKE '$for'");
            }
        ),
        "a statement is under way ($for)"
    );
    return;
}

# A session that keeps writers from a table, and a batch that waits for it.
sub locked {
    my $session = CSChat::Psql->new($server);

    $session->run('BEGIN; LOCK TABLE messages IN SHARE MODE');
    $sender->send(40);
    waits('Lock %');
    return $session;
}

sub setting {
    my ($name, $value) = @_;

    $server->sql("ALTER SYSTEM "
            . (defined $value ? "SET $name = '$value'" : "RESET $name"));
    $server->sql('SELECT pg_reload_conf()');
    wait_until(
        5,
        sub {
            return $server->sql("SELECT count(*) FROM pg_settings WHERE name ="
                    . " '$name' AND setting = "
                    . (defined $value ? "'$value'" : 'boot_val'));
        }
    );
    return;
}

$sender->send(50);
my $statuses = $sender->settle('without a fault');
is_deeply($statuses, {201 => 50}, 'all are stored at once');

subtest 'a session that ends in the middle of a batch' => sub {
    my $session = locked();
    $server->sql('SELECT pg_terminate_backend(' . backend() . ')');
    $statuses = $sender->answers(10);
    $session->end;
    cmp_ok($statuses->{504} // 0, '>', 0,
        'of what was on its way nothing is known');
    is($statuses->{201}, undef, 'nothing is acknowledged');
    $sender->settle('terminated');
};

subtest 'a session that ends after the commit' => sub {
    # the commit is there, its answer waits for a standby that there is not
    my ($first) = $sender->send(1);
    is_deeply($sender->answers, {201 => 1}, 'a message');
    setting('synchronous_standby_names', '*');
    my ($id) = $sender->send(1);
    waits('IPC SyncRep');
    $server->sql('SET synchronous_commit = local;'
            . ' SELECT pg_terminate_backend(' . backend() . ')');
    is_deeply($sender->answers, {504 => 1}, 'nothing is known of it');
    is($server->sql("SELECT count(*) FROM messages WHERE client_id = '$id'"),
        1, 'it is stored');
    setting('synchronous_standby_names', undef);
    $sender->settle('after the commit');
};

subtest 'a restart' => sub {
    for (['INT', 'fast'], ['QUIT', 'immediate']) {
        my ($signal, $name) = @$_;
        $sender->send(200);
        $server->stop_part('postgres', $signal);
        $sender->send(20);
        $server->start_postgres;
        $sender->settle($name, seconds => 2);
    }
};

subtest 'one bad message of a batch' => sub {
    $server->sql('ALTER TABLE messages ADD CONSTRAINT no_poison'
            . " CHECK (content <> 'poison')");
    my $session = CSChat::Psql->new($server);
    $session->run('BEGIN; LOCK TABLE messages IN SHARE MODE');
    $sender->send(1);
    waits('Lock %');
    my @before = $sender->send(5, chat => $chat);
    my ($bad) = $sender->send(1, chat => $chat, content => 'poison');
    my @after = $sender->send(5, chat => $chat);
    $session->end;
    is_deeply($sender->answers, {201 => 11, 500 => 1},
        'the others are stored');
    like($sender->{last_refusal},
        qr/^\{"type":"error",.*"INTERNAL_ERROR".*"clientId":"$bad"/,
        'it is refused by its name');
    my @seqs = @{$sender->{acked}}{@before, @after};
    is_deeply(\@seqs, [sort { $a <=> $b } @seqs], 'the others in order');
    is($server->sql("SELECT count(*) FROM messages WHERE client_id = '$bad'"),
        0, 'nothing of it is stored');
    unlike($server->log_text('worker-1'), qr/poison"/,
        'its content is not in the log');
    $server->sql('ALTER TABLE messages DROP CONSTRAINT no_poison');
    $sender->settle('one bad message');
};

subtest 'a full disk' => sub {
    $server->sql('CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql'
            . q{ AS $$ BEGIN RAISE EXCEPTION 'no space left'}
            . q{ USING ERRCODE = '53100'; END $$});
    $server->sql('CREATE TRIGGER full_disk BEFORE INSERT ON messages'
            . ' FOR EACH STATEMENT EXECUTE FUNCTION full_disk()');
    $sender->send(50);
    is_deeply($sender->answers, {503 => 50}, 'nothing is stored');
    $server->sql('DROP TRIGGER full_disk ON messages');
    $sender->settle('full disk');
};

my $disk = "$server->{dir}/small";

# PostgreSQL may still have a file open there.
sub unmount { return system 'umount', '-l', $disk }

END { local $?; unmount() if -d "$disk/space" }

subtest 'a disk that is really full' => sub {
    mkdir $disk;
    plan skip_all => 'a disk can be mounted by root alone, where that is allowed'
        if system("mount -t tmpfs -o size=4m,mode=1777 tmpfs $disk 2>/dev/null")
        != 0;
    mkdir "$disk/space";
    $server->{pg}->own("$disk/space");
    $server->sql("CREATE TABLESPACE small LOCATION '$disk/space'");
    $server->sql('ALTER TABLE messages SET TABLESPACE small');
    open my $filler, '>', "$disk/filler" or die "$disk: $!\n";
    while (syswrite $filler, 'x' x 4096) { }
    close $filler;

    $sender->send(400);
    $statuses = $sender->answers;
    cmp_ok($statuses->{503} // 0, '>', 0, 'what has no room is refused');
    is(join(' ', grep { !/^(?:201|503)$/ } keys %$statuses), '',
        'no other answer');
    unlink "$disk/filler";
    $sender->settle('disk full');
    $server->sql('ALTER TABLE messages SET TABLESPACE pg_default');
    $server->sql('CHECKPOINT');
    $server->sql('DROP TABLESPACE small');
    unmount();
};

subtest 'a statement that hangs' => sub {
    my $session = locked();
    my $me = $sender->bus->ask("op=users.me user=$sender->{id} role=customer",
        shard => $sender->{id});
    is($me->{status}, 200, 'others are served meanwhile');
    $statuses = $sender->answers(5);
    is_deeply([keys %$statuses], [503], 'it ends by its limit, and with it'
        . ' those that waited behind it');
    $session->end;
    $sender->settle('hangs');
};

subtest 'a backend that hangs' => sub {
    $sender->send(20);
    my $pid = backend();
    kill 'STOP', $pid;
    $sender->send(20);
    $statuses = $sender->answers(8);
    cmp_ok($statuses->{504} // 0, '>', 0, 'nothing is known after a while');
    ok($server->wait_log('worker-1', qr/no answer in time/),
        'the session is given up');
    kill 'CONT', $pid;
    $sender->settle('backend hangs');
};

subtest 'read-only' => sub {
    setting('default_transaction_read_only', 'on');
    $sender->send(20);
    $statuses = $sender->answers(3);
    is($statuses->{201}, undef, 'nothing is acknowledged');
    setting('default_transaction_read_only', undef);
    $sender->settle('read-only', seconds => 0.1);
};

$server->finish;
done_testing;
