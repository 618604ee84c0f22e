# A whole chat for a test file: private Redis, PostgreSQL, chat workers and one
# or more instances of nginx ("machines"), in a temporary directory and on a
# loopback address of its own.
#
#   my $server = CSChat::Server->new(machines => 2, directives => '...');
#   my $agent = $server->client('agent1');
#   ...
#   $server->finish;    # stops it and tests that the logs hold no complaint
#   done_testing;
#
# Under "make test" the database comes from a template that is made once.

package CSChat::Server;

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use Test::More ();
use Time::HiRes qw(time);

our $root;

BEGIN {
    $root = dirname(dirname(dirname(dirname(Cwd::abs_path(__FILE__)))));
    unshift @INC, "$root/scripts/lib";
}

use CSChat::Client;
use CSChat::File qw(write_file);
use CSChat::HTTP;
use CSChat::JWT;
use CSChat::Postgres;
use CSChat::Process qw(spawn spawn_and_wait wait_until last_line group_kill);
use CSChat::Redis;
use CSChat::WebSocket;

our $key = 'a key for tests that is long enough';

my $database = 'cs_socket';
my $patience = $ENV{SANITIZE} ? 60 : 20;  # seconds for a part to be up
my $servers = 0;

$ENV{PATH} .= ':/usr/sbin:/sbin' unless $ENV{PATH} =~ m{(?:^|:)/usr/sbin};

# All optional:
#   machines       instances of nginx (1)
#   nginx_workers  processes of each (2)
#   workers        chat workers (1)
#   main, directives, server, api, locations
#                  nginx configuration, at the top, in http, in server, in the
#                  API's location, and further locations; code references get
#                  the machine's number
#   api_prefix     ("/api/")
#   daemon         nginx leaves its parent, as an upgrade on the fly needs
#   worker_env     {NAME => value} for the chat workers
#   nginx_extra_env
#                  code that gives {NAME => value} for a machine's number
#   redis_args     [...] for redis-server
#   postgres       [...] settings ("name=value")
#   allow          pattern of lines of error logs that are meant to be there
#   only           [qw(redis postgres worker nginx)] to start fewer parts
sub new {
    my ($class, %o) = @_;

    my $self = bless {
        machines => 1,
        nginx_workers => 2,
        workers => 1,
        api_prefix => '/api/',
        worker_env => {},
        redis_args => [],
        postgres => [],
        allow => [],
        only => [qw(redis postgres worker nginx)],
        %o,
        owner => $$,
        parts => {},
        tokens => {},
    }, $class;

    $self->{dir} = File::Temp::tempdir('cs-chat-t-XXXXXXXX', TMPDIR => 1);
    chmod 0755, $self->{dir};
    mkdir "$self->{dir}/$_" for qw(logs redis sanitizer);
    chmod 01777, "$self->{dir}/sanitizer";
    $self->{address} = address($servers++);

    eval { $self->start; 1 } or do {
        my $error = $@;
        $self->show_logs;
        $self->stop;
        die $error;
    };
    return $self;
}

# All of 127/8 is this machine: each process takes an address by its pid, so
# that no two tests share a port.
sub address {
    my ($n) = @_;

    return join '.', 127, 64 + (($$ >> 14) & 63), ($$ >> 6) & 255,
        ($$ & 63) << 2 | ($n & 3);
}

sub start {
    my ($self) = @_;
    my %wanted = map { $_ => 1 } @{$self->{only}};

    $self->start_redis(wait => 0) if $wanted{redis};
    $self->start_postgres(wait => 0) if $wanted{postgres};
    $self->wait_redis if $wanted{redis};
    $self->wait_postgres if $wanted{postgres};
    if ($wanted{worker}) {
        $self->seed if !$self->{from_template};
        $self->start_worker($_) for 1 .. $self->{workers};
    }
    if ($wanted{nginx}) {
        $self->start_nginx($_, wait => 0) for 0 .. $self->{machines} - 1;
        $self->wait_nginx($_) for 0 .. $self->{machines} - 1;
        if ($wanted{worker} && $wanted{redis} && $wanted{postgres}) {
            $self->wait_ready;
        }
    }
    return;
}

# ---- what a test asks ------------------------------------------------------

sub dir { return $_[0]{dir} }

# http://address:port of a machine
sub url { return 'http://' . $_[0]->host($_[1]) }

# address:port of a machine
sub host { return "$_[0]{address}:" . $_[0]->port($_[1]) }

sub port { return 8080 + ($_[1] // 0) }

# The file that a part logs to: "redis", "postgres", "worker-1", "nginx-0"
# (its error log), "access-0".
sub log_file { return "$_[0]{dir}/logs/$_[1].log" }

sub log_text {
    my ($self, $name) = @_;

    open my $fh, '<', $self->log_file($name) or return '';
    local $/;
    return scalar(<$fh>) // '';
}

# Waits until a log matches; true when it does.
sub wait_log {
    my ($self, $name, $pattern, $seconds) = @_;

    return wait_until($seconds // 5,
        sub { $self->log_text($name) =~ $pattern });
}

# The pid of a part: "redis", "postgres", "worker-1", "nginx-0" (the master).
sub pid { return $_[0]{parts}{$_[1]} && $_[0]{parts}{$_[1]}{pid} }

# The pids of the processes that serve a machine's clients, the newest last.
sub nginx_pids {
    my ($self, $machine) = @_;
    my $master = $self->pid('nginx-' . ($machine // 0)) or return;
    my @pids;

    opendir my $proc, '/proc' or die "/proc: $!";
    for my $pid (grep { /^\d+$/ } readdir $proc) {
        open my $stat, '<', "/proc/$pid/stat" or next;
        my ($parent) = (<$stat> // '') =~ /\) \S (\d+)/ or next;
        next if $parent != $master;
        open my $cmdline, '<', "/proc/$pid/cmdline" or next;
        push @pids, $pid
            if (<$cmdline> // '') =~ /worker process(?! is shutting)/;
    }

    return sort { $a <=> $b } @pids;
}

# A command to this server's Redis: the reply, arrays as references.
sub redis {
    my ($self, @command) = @_;

    $self->{redis} //= CSChat::Redis->new($self->redis_socket);
    my $reply = eval { $self->{redis}->command(@command) };
    return $reply unless $@;

    # Redis was started again since
    $self->{redis} = CSChat::Redis->new($self->redis_socket);
    return $self->{redis}->command(@command);
}

# A connection to Redis of one's own, for SUBSCRIBE.
sub redis_connection { return CSChat::Redis->new($_[0]->redis_socket) }

sub redis_socket { return "$_[0]{dir}/redis.sock" }

# Runs SQL: the rows as lines, columns separated by '|'; dies on an error.
sub sql {
    my ($self, $sql) = @_;

    open my $psql, '-|', $self->psql, '-c', $sql or die "psql: $!\n";
    my @rows = <$psql>;
    close $psql or die "SQL failed: $sql\n";
    chomp @rows;
    return wantarray ? @rows : $rows[0];
}

# The command that opens the database.  %o: host => another socket's directory
sub psql {
    my ($self, %o) = @_;

    return (
        $self->{pg}->bindir . '/psql', '-X', '-q', '-A', '-t', '-v',
        'ON_ERROR_STOP=1', '-h', $o{host} // $self->{pg}{dir}, '-U',
        'postgres', '-d', $database
    );
}

sub database_url { return $_[0]{pg}->url($database) }
sub redis_url { return 'unix://' . $_[0]->redis_socket }

# ---- clients ---------------------------------------------------------------

# A REST client, logged in when there is a user name.
#   machine => 0, pid => of the NGINX process that is to serve it,
#   password => 'password123', token => one that is there already
sub client {
    my ($self, $username, %o) = @_;
    my $client = CSChat::Client->new($self, %o);

    $client->{username} = $username;
    if (defined $username && !defined $client->{token}) {
        $client->{token} = $self->token($username, $o{password});
    }
    return $client;
}

# A token of a user, fetched once.
sub token {
    my ($self, $username, $password) = @_;

    return $self->{tokens}{$username} //= do {
        my $client = CSChat::Client->new($self);
        my ($status, $json) = $client->post(
            'auth/login',
            {   username => $username,
                password => $password // 'password123'
            }
        );
        die "login of $username: $status\n" if $status != 200;
        $json->{token};
    };
}

# A token of a user that is made here, with further or other claims.
sub signed_token {
    my ($self, $username, %claims) = @_;
    my ($id, $role) = split /\|/,
        $self->sql("SELECT id, role FROM users WHERE username = '$username'");

    return CSChat::JWT::sign(
        $key,
        {   userID => $id,
            username => $username,
            role => $role,
            iat => int time,
            exp => int(time + 3600),
            jti => CSChat::JWT::random_id(),
            %claims
        }
    );
}

# A WebSocket of a user that has had its "connected".
sub websocket {
    my ($self, $username, %o) = @_;
    my $socket = CSChat::WebSocket->connect(
        $self,
        token => $self->token($username),
        %o
    );

    $socket->{connected} = $socket->expect('connected');
    return $socket;
}

# An HTTP connection to a machine, to a process of it if that is given.
sub connection {
    my ($self, %o) = @_;

    return CSChat::HTTP->new($self->{address}, $self->port($o{machine}))
        unless $o{pid};

    my $found = wait_until(
        $patience,
        sub {
            die "process $o{pid} is gone\n" unless kill 0, $o{pid};
            my $connection
                = CSChat::HTTP->new($self->{address}, $self->port($o{machine}));
            my $answer = $connection->request('GET', '/pid');
            return $answer->{body} == $o{pid} ? $connection : undef;
        }
    );
    return $found // die "no connection came to process $o{pid}\n";
}

# ---- Redis -----------------------------------------------------------------

sub start_redis {
    my ($self, %o) = @_;
    my $socket = $self->redis_socket;

    unlink $socket;
    $self->{parts}{redis} = {
        log => $self->log_file('redis'),
        pid => spawn(
            log => $self->log_file('redis'),
            command => [
                'redis-server', '--port', 0, '--unixsocket', $socket,
                '--dir', "$self->{dir}/redis", '--save', '',
                '--appendonly', 'no', @{$self->{redis_args}}
            ]
        )
    };
    $self->wait_redis if $o{wait} // 1;
    return;
}

sub wait_redis {
    my ($self) = @_;

    $self->wait_part('redis',
        sub { eval { $self->redis_connection->command('PING') } });
    return;
}

# ---- PostgreSQL ------------------------------------------------------------

sub start_postgres {
    my ($self, %o) = @_;

    $self->{pg} //= CSChat::Postgres->new(
        dir => "$self->{dir}/pg",
        log => $self->log_file('postgres'),
        settings => [
            'fsync=off', 'full_page_writes=off', 'shared_buffers=32MB',
            'autovacuum=off', @{$self->{postgres}}
        ],
    );
    $self->make_cluster if !$self->{pg}->exists;
    $self->{parts}{postgres} = {
        log => $self->log_file('postgres'),
        signal => 'QUIT',
        pid => $self->{pg}->start,
    };
    $self->wait_postgres if $o{wait} // 1;
    return;
}

sub make_cluster {
    my ($self) = @_;
    my $template = $ENV{CSC_TEST_TEMPLATE};

    if (defined $template && -d $template && !$self->{empty_database}) {
        system('cp', '-a', $template, $self->{pg}{dir}) == 0
            or die "the template of the database can't be copied\n";
        $self->{from_template} = 1;
        return;
    }

    die "$self->{dir} is out of PostgreSQL's reach: set TMPDIR\n"
        unless CSChat::Postgres::reaches($self->{dir});
    $self->{pg}->init;
    return;
}

sub wait_postgres {
    my ($self) = @_;

    $self->wait_part('postgres', sub { $self->{pg}->answers });
    return if $self->{pg}->has_database($database);
    $self->{pg}->sql('postgres', "CREATE DATABASE $database") == 0
        or die "CREATE DATABASE failed\n";
    return;
}

# ---- chat workers ----------------------------------------------------------

sub worker_program { return "$root/" . build_dir() . '/cs-chat-worker' }
sub module { return "$root/" . build_dir() . '/ngx_http_cs_chat_module.so' }

sub build_dir {
    return $ENV{BUILD} || ($ENV{SANITIZE} ? 'build-asan' : 'build');
}

sub worker_environment {
    my ($self) = @_;

    return {
        $self->sanitizer_env('detect_leaks=' . ($ENV{CSC_TEST_LEAKS} // 0)),
        DATABASE_URL => $self->{pg} ? $self->database_url : '',
        REDIS_URL => $self->redis_url,
        %{$self->{worker_env}},
    };
}

# Reports go to files below the directory.
sub sanitizer_env {
    my ($self, $options) = @_;

    return sanitizer_env_in($self->{dir}, $options);
}

sub sanitizer_env_in {
    my ($dir, $options) = @_;
    my $log = "log_path=$dir/sanitizer/report";

    return unless $ENV{SANITIZE};
    return (
        ASAN_OPTIONS => "$options,abort_on_error=0,$log",
        UBSAN_OPTIONS => "print_stacktrace=1:$log",
    );
}

# Runs the chat worker with arguments until it ends: (status, output).
sub run_worker {
    my ($self, @arguments) = @_;
    my $out = File::Temp->new;

    my $status = spawn_and_wait(
        command => [worker_program(), @arguments],
        env => $self->worker_environment,
        log => $out->filename,
    );
    seek $out, 0, 0;
    local $/;
    return ($status & 127 ? 128 + ($status & 127) : $status >> 8,
        scalar(<$out>) // '');
}

sub seed {
    my ($self) = @_;

    my ($status, $output) = $self->run_worker('--seed');
    die "seeding failed: $output\n" if $status != 0;
    return;
}

sub start_worker {
    my ($self, $n, %env) = @_;
    my $log = $self->log_file("worker-$n");

    $self->{parts}{"worker-$n"} = {
        log => $log,
        pid => spawn(
            command => [worker_program()],
            env => {%{$self->worker_environment}, %env},
            log => $log,
        ),
    };
    return;
}

# ---- nginx -----------------------------------------------------------------

sub start_nginx {
    my ($self, $machine, %o) = @_;
    my $name = "nginx-$machine";
    my $dir = "$self->{dir}/$name";

    mkdir $dir;
    $self->write_nginx_conf($machine);
    my %how = (
        command => $self->nginx_command($machine),
        env => {
            %{$self->nginx_env},
            $self->{nginx_extra_env}
            ? %{$self->{nginx_extra_env}->($machine)}
            : ()
        },
        log => $self->log_file($name),
    );
    $self->{parts}{$name} = {
        log => $self->log_file($name),
        signal => 'TERM',
        daemon => $self->{daemon},
        pid => $self->{daemon}
            ? spawn_and_wait(%how) == 0 && $self->nginx_pid_file($machine)
            : spawn(%how),
    };
    $self->wait_nginx($machine) if $o{wait} // 1;
    return;
}

# The master's pid, as nginx wrote it.
sub nginx_pid_file {
    my ($self, $machine) = @_;
    my $pid;

    wait_until($patience, sub {
        open my $fh, '<', "$self->{dir}/nginx-$machine/nginx.pid" or return 0;
        ($pid) = (<$fh> // '') =~ /^(\d+)/;
        return $pid;
    }) or die "nginx-$machine wrote no pid\n";
    return $pid;
}

# A new master beside the old one (USR2), which becomes "nginx-0-old".
sub upgrade_nginx {
    my ($self, $machine) = @_;
    my $name = "nginx-$machine";
    my $old = $self->{parts}{$name};
    my $pid;

    kill 'USR2', $old->{pid};
    wait_until($patience, sub {
        $pid = $self->nginx_pid_file($machine);
        return $pid != $old->{pid};
    }) or die "$name has no new master\n";
    $self->{parts}{"$name-old"} = $old;
    $self->{parts}{$name}
        = {%$old, pid => $pid, group => $old->{group} // $old->{pid}};
    $self->wait_ready($machine);
    return;
}

sub nginx_command {
    my ($self, $machine) = @_;
    my $dir = "$self->{dir}/nginx-$machine";

    return [
        nginx_program(), '-p', $dir,
        '-e', $self->log_file("nginx-$machine"),
        '-c', "$dir/nginx.conf"
    ];
}

# With its path, as an upgrade on the fly looks nowhere else.
sub nginx_program {
    my $program = $ENV{NGINX} || 'nginx';

    return $program if $program =~ m{/};
    my ($found) = grep { -x } map {"$_/$program"} split /:/, $ENV{PATH};
    return $found // $program;
}

sub nginx_env { return nginx_env_in($_[0]{dir}) }

sub nginx_env_in {
    my ($dir) = @_;

    return {} unless $ENV{SANITIZE};
    return {
        sanitizer_env_in($dir, 'detect_leaks=0'),
        LD_PRELOAD => preload(),
    };
}

# A stock nginx knows nothing of sanitizers: their libraries go before it.
sub preload {
    return $ENV{CSC_TEST_PRELOAD} //= join ' ',
        map { chomp; $_ } map { scalar `gcc -print-file-name=$_` }
        qw(libasan.so libubsan.so);
}

sub wait_nginx {
    my ($self, $machine) = @_;

    $self->wait_part(
        "nginx-$machine",
        sub {
            my $answer = eval {
                CSChat::HTTP->new($self->{address}, $self->port($machine))
                    ->request('GET', '/pid');
            };
            return $answer && $answer->{status} == 200;
        }
    );
    return;
}

# Until every NGINX process of every machine says it is ready.
sub wait_ready {
    my ($self, @machines) = @_;

    @machines = 0 .. $self->{machines} - 1 unless @machines;
    for my $machine (@machines) {
        my %ready;
        my $answer;
        wait_until(
            $patience,
            sub {
                $answer = eval {
                    CSChat::HTTP->new($self->{address}, $self->port($machine))
                        ->request('GET', '/health/ready');
                } or return 0;
                $ready{$answer->{headers}{'x-pid'}} = 1
                    if $answer->{status} == 200;
                return !grep { !$ready{$_} } $self->nginx_pids($machine);
            }
        ) or die "machine $machine is not ready: ",
            $answer ? $answer->{body} : 'no answer', "\n";
    }
    return;
}

sub write_nginx_conf {
    my ($self, $machine) = @_;
    my $dir = "$self->{dir}/nginx-$machine";
    my %extra = map { $_ => $self->extra($_, $machine) }
        qw(main directives server api locations);
    my $user = $> == 0 ? 'user root;' : '';
    my $listen = $self->host($machine);

    write_file("$dir/nginx.conf", <<"END");
load_module @{[ module() ]};
$user
daemon @{[ $self->{daemon} ? 'on' : 'off' ]};
worker_processes $self->{nginx_workers};
pid $dir/nginx.pid;
error_log @{[ $self->log_file("nginx-$machine") ]} info;
$extra{main}
events {
    worker_connections 1024;
}

http {
    access_log @{[ $self->log_file("access-$machine") ]};
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    add_header X-Pid \$pid always;

    @{[ $extra{directives} =~ /cs_chat_redis\s/
        ? '' : "cs_chat_redis unix:" . $self->redis_socket . ';' ]}
    @{[ $extra{directives} =~ /cs_chat_jwt_key/
        ? '' : "cs_chat_jwt_key '$key';" ]}
    $extra{directives}

    server {
        # spreads connections over the processes, by the client's port
        listen $listen reuseport;
        $extra{server}

        location = /pid {
            access_log off;
            return 200 \$pid;
        }

        location /health {
            access_log off;
            cs_chat_health;
        }

        location $self->{api_prefix} {
            cs_chat_api;
            $extra{api}
        }

        $extra{locations}
    }
}
END
    return;
}

sub extra {
    my ($self, $name, $machine) = @_;
    my $text = $self->{$name} // '';

    return ref $text ? $text->($machine) : $text;
}

# A new configuration and SIGHUP; returns the pids that were there before.
sub reload_nginx {
    my ($self, $machine) = @_;
    my @before = $self->nginx_pids($machine);

    $self->write_nginx_conf($machine);
    kill 'HUP', $self->pid("nginx-$machine");
    return @before;
}

# ---- any part --------------------------------------------------------------

sub wait_part {
    my ($self, $name, $question) = @_;
    my $part = $self->{parts}{$name};

    my $up = wait_until(
        $patience,
        sub {
            if (waitpid($part->{pid}, 1) == $part->{pid}) {
                delete $self->{parts}{$name};
                die "$name ended at its start: ", last_line($part->{log}),
                    "\n";
            }
            return $question->();
        }
    );
    die "$name does not answer\n" unless $up;
    return;
}

# Sends a signal ("TERM" by default) and waits for the end: the status as in
# $?.  For nginx with KILL its processes go too.
sub stop_part {
    my ($self, $name, $signal) = @_;
    my $part = delete $self->{parts}{$name} or return;
    my $pid = $part->{pid};

    kill $signal // $part->{signal} // 'TERM', $pid;
    kill 'CONT', $pid;

    my $status;
    my $gone = wait_until($patience, sub { ended($part, \$status) });
    if (!$gone) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
        $status = $?;
        Test::More::diag("$name did not end in time; its last words: ",
            last_line($part->{log}));
        $self->{complaints}{"$name did not end in time"} = 1;
    }

    # a new master lives in the group of the old one
    my $group = $part->{group} // $pid;
    group_kill('KILL', $group)
        unless grep { ($_->{group} // $_->{pid}) == $group }
        values %{$self->{parts}};
    return $status;
}

# Whether it has ended, and how.
sub ended {
    my ($part, $status) = @_;

    if ($part->{daemon}) {
        $$status = 0;  # nobody knows
        open my $stat, '<', "/proc/$part->{pid}/stat" or return 1;
        return (<$stat> // '') =~ /\) Z /;
    }
    return waitpid($part->{pid}, 1) == $part->{pid} && do { $$status = $?; 1 };
}

sub kill_part { return $_[0]->stop_part($_[1], 'KILL') }

# Stops it in its tracks, and lets it go on.
sub freeze_part { return kill 'STOP', $_[0]->pid($_[1]) }
sub thaw_part { return kill 'CONT', $_[0]->pid($_[1]) }

# ---- the end ---------------------------------------------------------------

# Lines of an error log that are meant to be there.
sub allow { return push @{$_[0]{allow}}, $_[1] }

# Stops everything and tests that nothing complained.
sub finish {
    my ($self) = @_;

    $self->stop_parts;
    my @complaints = $self->complaints;
    Test::More::ok(!@complaints, 'no alert, crash or sanitizer report')
        or Test::More::diag(join "\n", @complaints[0 .. min($#complaints, 20)]);
    $self->{finished} = 1;
    $self->stop;
    return;
}

sub min { return $_[0] < $_[1] ? $_[0] : $_[1] }

sub complaints {
    my ($self) = @_;
    my @complaints = sort keys %{$self->{complaints} // {}};
    my @allow = ref $self->{allow} ? @{$self->{allow}} : $self->{allow};

    for my $file (glob "$self->{dir}/logs/*.log") {
        my ($name) = $file =~ m{([^/]+)\.log$};
        next if $name =~ /^(?:access|postgres|redis)/;
        for my $line (split /\n/, $self->log_text($name)) {
            next unless $line =~ /\[(?:alert|emerg)\]|exited\ on\ signal
                |Sanitizer|runtime\ error:|Assertion|fatal/x;
            next if grep { $line =~ $_ } @allow;
            push @complaints, "$name: $line";
        }
    }

    for my $file (glob "$self->{dir}/sanitizer/*") {
        open my $fh, '<', $file or next;
        push @complaints, map { chomp; "sanitizer: $_" } <$fh>;
    }

    return @complaints;
}

sub stop_parts {
    my ($self) = @_;

    for my $name (sort by_order keys %{$self->{parts}}) {
        $self->stop_part($name);
    }
    return;
}

# nginx, workers, Redis, PostgreSQL
sub by_order {
    my %order = (n => 0, w => 1, r => 2, p => 3);

    return $order{substr $a, 0, 1} <=> $order{substr $b, 0, 1} || $a cmp $b;
}

sub stop {
    my ($self) = @_;

    $self->stop_parts;
    if (defined $self->{dir} && !$ENV{CSC_TEST_KEEP}) {
        system 'rm', '-rf', $self->{dir};
    }
    delete $self->{dir};
    return;
}

sub show_logs {
    my ($self) = @_;

    for my $file (glob "$self->{dir}/logs/{nginx,worker}-*.log"
        . " $self->{dir}/logs/postgres.log $self->{dir}/sanitizer/*")
    {
        open my $fh, '<', $file or next;
        my @lines = grep { !/closed keepalive connection/ } <$fh>;
        splice @lines, 0, -8 if @lines > 8 && $file =~ /\.log$/;
        Test::More::diag($file, "\n", @lines) if @lines;
    }
    return;
}

# A test file that died on its way leaves nothing behind.
sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner} || !defined $self->{dir};
    local ($?, $@, $!);
    $self->show_logs unless $self->{finished};
    $self->stop;
    return;
}

1;
