# The chat worker's command line: settings from file, environment and flags,
# what each mode does, exit codes, and that no password is ever shown.

use strict;
use warnings;

use lib 't/lib';
use CSChat::File qw(write_file);
use CSChat::Server;
use Test::More;

my $server = CSChat::Server->new(only => [qw(redis postgres)]);
my $secret = 'swordfish';
my @outputs;

$server->seed if !$server->{from_template};
$server->sql('CREATE DATABASE fresh');

# Runs the worker: (exit status, output).  %$env goes beside what the server
# sets, undef takes a variable away.
sub run {
    my ($env, @arguments) = @_;
    local $server->{worker_env} = {map { $_ => $env->{$_} // '' } keys %$env};
    my ($status, $output) = $server->run_worker(@arguments);

    push @outputs, $output;
    return ($status, $output);
}

sub succeeds {
    my ($name, $pattern, $env, @arguments) = @_;
    my ($status, $output) = run($env, @arguments);

    is($status, 0, "$name: exit status 0") or diag($output);
    like($output, $pattern, "$name: what it says");
    return $output;
}

sub fails {
    my ($name, $pattern, $env, @arguments) = @_;
    my ($status, $output) = run($env, @arguments);

    is($status, 1, "$name: exit status 1") or diag($output);
    like($output, $pattern, "$name: what it says");
    return $output;
}

sub file {
    my ($content) = @_;

    return write_file("$server->{dir}/worker.conf", $content);
}

# SQL in the new database.
sub fresh {
    my ($sql) = @_;

    open my $psql, '-|', $server->{pg}->bindir . '/psql', '-XqAt', '-h',
        $server->{pg}{dir}, '-U', 'postgres', '-d', 'fresh', '-c', $sql
        or die "psql: $!\n";
    chomp(my $row = <$psql> // '');
    return $row;
}

# With only what the file says of these.
my %by_file = (DATABASE_URL => undef, REDIS_URL => undef);
my $places = 'database_url ' . $server->database_url . "\n"
    . 'redis_url ' . $server->redis_url . "\n";

subtest 'help and version' => sub {
    my $help = succeeds('--help', qr/\AUsage: cs-chat-worker /, {}, '--help');
    like($help, qr/^  \Q$_\E /m, "it names $_")
        for qw(--check --migrate --seed --reset --help --version);
    like($help, qr/^  \w+  \(\Q$_\E\)$/m, "and $_")
        for qw(DATABASE_URL REDIS_URL LOG_LEVEL SERVER_MODE);

    succeeds('-h', qr/\AUsage: /, {}, '-h');
    succeeds('--version', qr/\Acs-chat-worker \d+\.\d+\.\d+\n\z/, {},
        '--version');
    succeeds('-V', qr/\Acs-chat-worker \d/, {}, '-V');
    succeeds('--help with settings that are wrong', qr/\AUsage: /,
        {LOG_LEVEL => 'loud', CS_CHAT_CONFIG => '/nowhere'}, '--help');
};

subtest '--check' => sub {
    my $good = succeeds('all well', qr/^ok +settings: valid$/m, {}, '--check');
    like($good, qr/^ok +Redis: unix:\Q$server->{dir}\E\/redis\.sock$/m,
        'Redis by its address');
    like($good, qr/^ok +PostgreSQL: version \d+\.\d+, database cs_socket$/m,
        'PostgreSQL by its version');
    like($good, qr/^ok +migrations: 0 to be applied/m, 'all is migrated');
    like($good, qr/^ok +rights in $_: all that are needed$/m, "it may all in $_")
        for qw(Redis PostgreSQL);

    my $fresh = $server->{pg}->url('fresh');
    succeeds('a new database',
        qr/^ok +migrations: [1-9]\d* to be applied at the next start$/m,
        {DATABASE_URL => $fresh}, '--check');
    is(fresh("SELECT to_regclass('users') IS NULL"), 't',
        'of which it changes nothing');

    my $bad = fails(
        'no Redis', qr/^error Redis: 127\.0\.0\.1:1: Connection refused$/m,
        {REDIS_URL => "redis://chat:$secret\@127.0.0.1:1"}, '--check'
    );
    like($bad, qr/^ok +PostgreSQL: /m, 'the rest is checked all the same');
    fails('a Redis that wants no password',
        qr/^error Redis: .*(?:AUTH|password)/mi,
        {REDIS_URL => "unix://:$secret\@" . $server->redis_socket}, '--check');
    $server->redis('REPLICAOF', '127.0.0.1', 1);
    fails('a replica', qr/^error Redis: .*: it is a replica$/m, {}, '--check');
    $server->redis('REPLICAOF', 'NO', 'ONE');
    fails('no PostgreSQL', qr/^error PostgreSQL: .*refused/m,
        {DATABASE_URL => "postgres://chat:$secret\@127.0.0.1:1/chat"},
        '--check');
    fails('no such database', qr/^error PostgreSQL: .*"nonsense" does not exist/m,
        {DATABASE_URL => $server->{pg}->url('nonsense')}, '--check');
};

subtest 'addresses that are none' => sub {
    for my $url ("chat:$secret\@db.example/chat", "postgres://chat:$secret\@h:99999999/x",
        "postgres://chat:$secret\@h/x?nonsense=1", "host=/nowhere password='$secret",
        "postgres://chat:$secret%zz\@h/x", "mysql://chat:$secret\@h/x",
        "password = $secret nonsense")
    {
        fails('DATABASE_URL=' . $url =~ s/$secret/***/r,
            qr/^(?:error PostgreSQL: \S|cs-chat-worker: database_url: must be )/m,
            {DATABASE_URL => $url}, '--check');
    }

    for my $url ("http://chat:$secret\@h", "chat:$secret\@h:6379",
        "redis://chat:$secret\@h:0", "redis://chat:$secret\@h:99999",
        "redis://chat:$secret%zz\@h", "redis://chat:$secret\@h/nonsense",
        "redis://chat:$secret\@[::1", "unix://chat:$secret\@relative",
        "rediss://chat:$secret\@h", "redis://:" . $secret x 200 . '@h')
    {
        fails('REDIS_URL=' . $url =~ s/(?:$secret)+/***/r,
            qr/\Acs-chat-worker: .*(?:redis|password|path)/, {REDIS_URL => $url}, '--check');
    }

    fails('a password file that is not there',
        qr{redis_password_file /nowhere: No such file},
        {CS_CHAT_REDIS_PASSWORD_FILE => '/nowhere'}, '--check');
    fails('an empty password file', qr/redis_password_file .*first line/,
        {CS_CHAT_REDIS_PASSWORD_FILE => file('')}, '--check');
    fails('a password file with an empty line',
        qr/redis_password_file .*first line/,
        {CS_CHAT_REDIS_PASSWORD_FILE => file("\n$secret\n")}, '--check');
};

subtest 'the file' => sub {
    succeeds('names and values', qr/^ok +PostgreSQL/m, {%by_file}, '--config',
        file("# a comment\n\n  $places log-level\t debug \r\nreaders 2\n"),
        '--check');
    succeeds('--config=FILE', qr/^ok +Redis/m, {%by_file},
        '--config=' . file($places), '--check');
    succeeds('CS_CHAT_CONFIG', qr/^ok +Redis/m,
        {%by_file, CS_CHAT_CONFIG => file($places)}, '--check');
    succeeds('sizes', qr/^ok +settings/m, {}, '--config',
        file("max_queue_size 1024k\nredis_buffer 65536\n"), '--check');
    succeeds('large ones', qr/^ok +settings/m, {}, '--config',
        file("max_queue_size 1024g\nredis_buffer 1048576m\n"), '--check');
    succeeds('no line feed at its end', qr/^ok +settings/m, {}, '--config',
        file('log_level error'), '--check');

    my @bad = (
        "readers 2\nnonsense 1\n" => qr/:2: "nonsense" is no setting$/m,
        "\n\nreaders 0\n" => qr/:3: "readers" must be a number from 1 to 64$/m,
        "readers 65\n" => qr/:1: "readers" must be a number from 1 to 64$/m,
        "readers two\n" => qr/:1: "readers" must be a number/,
        "readers\n" => qr/:1: "readers" must be a number/,
        "presence_grace 1h\n" =>
            qr/:1: "presence_grace" must be .* ms \(units: ms, s, m\)$/m,
        "metrics_interval 11m\n" =>
            qr/:1: "metrics_interval" must be a number from 0 to 600000 ms/,
        "presence_interval 61s\n" =>
            qr/:1: "presence_interval" must be a number from 0 to 60000 ms/,
        "hang_timeout 2s\n" =>
            qr/:1: "hang_timeout" must be a number from 3000 to 3600000 ms/,
        "hang_timeout 61m\n" => qr/:1: "hang_timeout" must be a number/,
        "statement_timeout 99ms\n" =>
            qr/:1: "statement_timeout" must be a number from 100 /,
        "max_queue_size 1023k\n" =>
            qr/:1: "max_queue_size" must be .* from 1048576 to 1099511627776 bytes \(units: k, m, g\)$/m,
        "max_queue_size 1025g\n" => qr/:1: "max_queue_size" must be /,
        "max_queue_size 9s\n" => qr/:1: "max_queue_size" must be /,
        "max_queue_size 99999999999g\n" => qr/:1: "max_queue_size" must be /,
        "redis_buffer 63k\n" => qr/:1: "redis_buffer" must be .* from 65536 /,
        "redis_buffer 2048g\n" => qr/:1: "redis_buffer" must be /,
        "log_level loud\n" =>
            qr/"loud" must be debug, info, warn, error or off/,
        "server_mode test\n" => qr/"test" must be development or production/,
        "prefix a b\n" => qr/prefix: "a b" must be printable ASCII/,
        'prefix ' . 'x' x 65 . "\n" => qr/prefix: .* must have 1 to 64/,
        'log_level ' . 'x' x 5000 . "\n" => qr/:1: "line" is too long/,
        "\0\0\0\nreaders\0 2\n" => qr/:1: "line" .*NUL/,
        "\xff\xfe binary\n" => qr/:1: .* is no setting/,
    );
    while (my ($content, $message) = splice @bad, 0, 2) {
        my ($name) = $content =~ /(\w[\w ]{0,20})/;
        fails("\"$name\"", $message, {}, '--config', file($content),
            '--check');
    }

    fails('a file that is not there',
        qr{configuration file /nowhere: No such file}, {},
        '--config', '/nowhere', '--check');
    fails('a directory', qr{configuration file /tmp }, {}, '--config', '/tmp',
        '--check');
};

subtest 'environment over file, flags over environment' => sub {
    my $file = file("${places}log_level loud\n");

    fails('by the file', qr/"loud"/, {%by_file}, '--config', $file, '--check');
    succeeds('environment', qr/^ok +settings/m,
        {%by_file, LOG_LEVEL => 'warn'}, '--config', $file, '--check');
    fails('a flag', qr/"noisy"/, {%by_file, LOG_LEVEL => 'warn'}, '--config',
        $file, '--log_level', 'noisy', '--check');
    succeeds('a flag that is right', qr/^ok +settings/m,
        {%by_file, LOG_LEVEL => 'noisy'}, '--config', $file,
        '--log-level=warn', '--check');
    succeeds('a variable that is empty counts for nothing', qr/^ok +settings/m,
        {CS_CHAT_READERS => ''}, '--check');
    fails('a variable that is wrong',
        qr/environment: "readers" must be a number/,
        {CS_CHAT_READERS => 'many'}, '--check');
};

subtest 'flags that are none' => sub {
    fails('unknown', qr/"--nonsense" is not known.* \(see --help\)/, {},
        '--nonsense');
    fails('unknown, with a value', qr/"--nonsense" is not known/, {},
        "--nonsense=$secret");
    fails('unknown, with the next as value', qr/"--nonsense" is not known/, {},
        '--nonsense', $secret, '--check');
    fails('a word', qr/"nonsense" is not known/, {}, 'nonsense');
    fails('one dash', qr/"-x" is not known/, {}, '-x');
    fails('no value', qr/"--log_level" /, {}, '--check', '--log_level');
    fails('a value that is wrong', qr/argument: "readers" must be a number/,
        {}, '--readers', '0', '--check');
};

subtest 'modes' => sub {
    my %fresh = (DATABASE_URL => $server->{pg}->url('fresh'));
    my $users = sub { fresh('SELECT count(*) FROM users') };

    succeeds('--migrate', qr/"message":"migration"/, \%fresh, '--migrate');
    is($users->(), 0, 'makes the tables and nobody');
    succeeds('--migrate again', qr/\A(?!.*"message":"migration")/s, \%fresh,
        '--migrate');
    succeeds('--seed', qr/"message":"sample data added"/, \%fresh, '--seed');
    is($users->(), 4, 'adds four people');
    succeeds('--seed again', qr/"message":"no sample data added/, \%fresh,
        '--seed');
    is($users->(), 4, 'adds nobody');

    my @row = $server->sql('SELECT count(*) FROM users');
    fails('--reset in production', qr/in production it needs --force/,
        {SERVER_MODE => 'production'}, '--reset');
    is_deeply([$server->sql('SELECT count(*) FROM users')], \@row,
        'deletes nothing');
    $server->sql("INSERT INTO users (username, email, password_hash, name)
        VALUES ('x', 'x\@example.com', '*', 'X')");
    succeeds('--reset', qr/sample data added/, {}, '--reset');
    is($server->sql('SELECT count(*) FROM users'), 4,
        'leaves the sample people');
    succeeds('--reset --force in production', qr/sample data added/,
        {SERVER_MODE => 'production'}, '--reset', '--force');

    fails('--seed without PostgreSQL', qr/refused/,
        {DATABASE_URL => "postgres://chat:$secret\@127.0.0.1:1/chat"},
        '--seed');
};

subtest 'the log' => sub {
    my @lines = grep {/^\{/} map { split /\n/ } @outputs;

    cmp_ok(@lines, '>', 5, 'has lines');
    is_deeply(
        [   grep {
                !/^\{"level":"(?:debug|info|warn|error)","time":"\d{4}-\d\d-\d\dT[\d:.]+Z","message":"[^"]+"/
            } @lines
        ],
        [],
        'each structured JSON'
    );
    is_deeply([grep {/$secret/} @outputs], [], 'no password is shown anywhere');
};

$server->finish;
done_testing;
