# The chat as it is measured: a private PostgreSQL (durable: fsync and
# synchronous_commit on), Redis, a chat worker and nginx.  As for tests, but
# with room for connections, without an access log, and with users in it.

package CSChat::Bench::Product;

use strict;
use warnings;

use parent 'CSChat::Server';

use CSChat::Bench::Machine;
use CSChat::JWT;

my @kinds = qw(nginx redis worker postgres);
my %part = (
    nginx => 'nginx-0',
    redis => 'redis',
    worker => 'worker-1',
    postgres => 'postgres',
);

our $pairs = 100;  # chats, each with a customer and an agent of its own
our $users = 1000;  # of those who only hold sockets
our $logins = 200;  # of those who log in; the password of each is its name

sub new {
    my ($class) = @_;
    my $self = $class->SUPER::new(
        nginx_workers => 2,
        main => 'worker_rlimit_nofile ' . CSChat::Bench::Machine::descriptors()
            . ';',
        directives => 'keepalive_requests 10000000;'
            . ' cs_chat_sockets_per_user 1000;',
        # what is counted is part of the cost
        locations => 'location = /metrics { cs_chat_metrics; }',
        postgres => [
            'fsync=on', 'full_page_writes=on', 'synchronous_commit=on',
            'shared_buffers=256MB', 'autovacuum=on', 'max_wal_size=2GB',
            'min_wal_size=1GB'
        ],
    );

    $self->add_users;
    $self->add_chats;
    $self->fill_wal;
    return $self;
}

# A database that has been running writes its log into files of before; a new
# one would make them while it is measured.
sub fill_wal {
    my ($self) = @_;

    $self->sql(join ';', ("SELECT pg_logical_emit_message(false, '', '')",
            'SELECT pg_switch_wal()') x 60);
    $self->sql('CHECKPOINT');
    return;
}

sub name { return 'this chat' }

# A sentence about the programs that make it up.
sub versions {
    my ($self) = @_;
    my ($nginx) = `nginx -v 2>&1` =~ m{nginx/(\S+)};
    my ($redis) = `redis-server --version` =~ /v=(\S+)/;

    return sprintf 'nginx %s (2 processes), Redis %s, PostgreSQL %s (fsync and'
        . ' synchronous_commit on), 1 chat worker; access log off',
        $nginx, $redis, (split ' ', $self->sql('SHOW server_version'))[0];
}

sub kinds { return @kinds }

# Arguments of the generator.
sub watch {
    my ($self) = @_;

    return map { ('--watch', "$_=" . $self->pid($part{$_})) } @kinds;
}

sub target { return ('--to', $_[0]->host) }

sub write_nginx_conf {
    my ($self, $machine) = @_;
    my $file = "$self->{dir}/nginx-$machine/nginx.conf";

    $self->SUPER::write_nginx_conf($machine);
    my $text = CSChat::Bench::Machine::text($file);
    $text =~ s/worker_connections \K\d+;/16384; multi_accept on;/
        && $text =~ s/access_log \K\S+;/off;/
        && $text =~ s/^(error_log \S+) info;/$1 warn;/m
        or die "$file is not as expected\n";

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
    return;
}

# nginx anew, with processes that have had no sockets before.
sub restart_nginx {
    my ($self, $processes) = @_;

    $self->{nginx_workers} = $processes // 2;
    $self->stop_part('nginx-0');
    $self->start_nginx(0);
    $self->wait_ready;
    return;
}

sub end {
    my ($self) = @_;

    $self->{finished} = 1;
    $self->stop;
    return;
}

# ---- users and chats -------------------------------------------------------

# A file for the generator.
sub file { return $_[0]->dir . "/bench-$_[1]" }

sub write_lines {
    my ($self, $name, @lines) = @_;

    open my $out, '>', $self->file($name) or die "$name: $!\n";
    print $out map {"$_\n"} @lines;
    close $out or die "$name: $!\n";
    return;
}

# A token with the known key, of a row "id|username|role".
sub token_of {
    my ($row) = @_;
    my ($id, $name, $role) = split /\|/, $row;

    return CSChat::JWT::sign(
        $CSChat::Server::key,
        {   userID => $id,
            username => $name,
            role => $role,
            iat => int time,
            exp => int(time + 7200),
            jti => CSChat::JWT::random_id(),
        }
    );
}

# Straight into the database: nobody but the last kind has a password.
sub add_users {
    my ($self) = @_;
    my $chatting = 99 + $pairs;
    my $idle = 9999 + $users;

    $self->sql(<<"END");
INSERT INTO public.users (username, email, password_hash, name, role)
SELECT p.role || n, p.role || n || '\@bench.example', '!', p.role || ' ' || n,
       p.role
  FROM (VALUES ('customer', 100, $chatting + 1), ('agent', 101, $chatting + 1),
               ('super-agent', 100, 199),
               ('customer', 10000, $idle)) AS p (role, a, b),
       generate_series(p.a, p.b) AS n
END

    for my $row ($self->sql('SELECT id, username, role FROM public.users')) {
        my ($id, $name) = split /\|/, $row;
        $self->{ids}{$name} = $id;
        $self->{tokens}{$name} = token_of($row);
    }
    $self->write_lines('users',
        map { $self->{tokens}{"customer$_"} } 10000 .. $idle);
    $self->write_lines('supers',
        map { $self->{tokens}{"super-agent$_"} } 100 .. 199);
    return;
}

# More users than the others, "NAME1" and so on, each of them once online: a
# file of that name gets their tokens.
sub add_crowd {
    my ($self, $name, $n) = @_;

    $self->sql(<<"END");
INSERT INTO public.users (username, email, password_hash, name, role)
SELECT '$name' || n, '$name' || n || '\@bench.example', '!', '$name', 'customer'
  FROM generate_series(1, $n) AS n
END
    $self->write_lines($name, map { token_of($_) } $self->sql(
        "SELECT id, username, role FROM public.users WHERE name = '$name'"));
    return;
}

# Users with a real hash, of the kind that the worker makes.
sub add_logins {
    my ($self) = @_;
    my @names = map {"login$_"} 1 .. $logins;
    my $hash = crypt 'a good password', '$y$j9T$LJ1SKHmHnTWHdsOjRcvUl0$';

    die "crypt(3) knows no yescrypt\n" if !defined $hash || $hash !~ /^\$y/;
    $self->sql(<<"END");
INSERT INTO public.users (username, email, password_hash, name, role)
SELECT 'login' || n, 'login' || n || '\@bench.example', '$hash', 'login',
       'customer'
  FROM generate_series(1, $logins) AS n
END
    $self->write_lines('logins', map {"$_ a good password"} @names);
    return;
}

# Through the API: a chat for each pair, and one customer with 20 chats and 50
# messages in the first of them.
sub add_chats {
    my ($self) = @_;
    my @lines;

    for my $n (101 .. 100 + $pairs) {
        my $chat = $self->client("customer$n")
            ->post('chats', {agentId => $self->{ids}{"agent$n"}})->{data}{id};
        push @lines, join ' ', @{$self->{tokens}}{"customer$n", "agent$n"},
            $chat;
    }
    $self->write_lines('pairs', @lines);

    my $client = $self->client('customer100');
    my @chats = map { $client->post('chats', {})->{data}{id} } 1 .. 20;
    for my $n (1 .. 50) {
        $client->post("chats/$chats[0]/messages",
            {content => "Message $n, which is of an ordinary length."});
    }
    $self->write_lines('reader', $self->{tokens}{customer100});
    $self->{reader_chat} = $chats[0];
    return;
}

1;
