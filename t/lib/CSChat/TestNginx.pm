# For files that use Test::Nginx: Redis, PostgreSQL and a chat worker, and what
# Test::Nginx has to know.  To be used before it:
#
#   use lib 't/lib';
#   use CSChat::TestNginx;
#   use Test::Nginx::Socket;
#
#   run_tests();
#   __DATA__
#   === TEST 1: ...
#   --- http_config eval: $::HttpConfig
#   --- config eval: $::Config
#
# $CSChat::TestNginx::server is the CSChat::Server.  The whole file is skipped
# where Test::Nginx is not installed.

package CSChat::TestNginx;

use strict;
use warnings;

use IO::Socket::INET;

use CSChat::Server;

our $server;

# Arguments are those of CSChat::Server::new; "only" leaves nginx out anyway.
sub import {
    my ($class, %o) = @_;

    if (!grep { -e "$_/Test/Nginx/Socket.pm" } @INC) {
        print "1..0 # SKIP Test::Nginx is not installed\n";
        exit 0;
    }

    $server = CSChat::Server->new(only => [qw(redis postgres worker)], %o);
    $server->wait_log('worker-1', qr/"message":"shards"/, 20)
        or die "the chat worker is not ready\n"
        if $server->pid('worker-1');
    %ENV = (%ENV, %{environment()});

    no warnings 'once';
    $main::HttpConfig = <<"END";
    cs_chat_redis unix:@{[ $server->redis_socket ]};
    cs_chat_jwt_key '$CSChat::Server::key';
END
    $main::Config = <<'END';
    location /api/ {
        cs_chat_api;
    }
    location /health {
        cs_chat_health;
    }
END
    return;
}

# What Test::Nginx looks at as it is loaded.
sub environment {
    my %env = (
        TEST_NGINX_BINARY => $ENV{NGINX} || find_nginx(),
        TEST_NGINX_LOAD_MODULES => CSChat::Server::module(),
        TEST_NGINX_PORT => free_port(),
        TEST_NGINX_SERVROOT => "$server->{dir}/servroot",
    );
    my %sanitizer = %{$server->nginx_env};

    $env{TEST_NGINX_LD_PRELOAD} = delete $sanitizer{LD_PRELOAD}
        if %sanitizer;
    return {%env, %sanitizer};
}

sub find_nginx {
    my ($nginx) = grep { -x } map {"$_/nginx"} split /:/, $ENV{PATH};

    return $nginx // 'nginx';
}

# Two of them, as Test::Nginx takes the next one too.
sub free_port {
    for my $try (0 .. 50) {
        my $port = 10000 + ($$ * 4 + $try * 2) % 20000;
        my @sockets = map {
            IO::Socket::INET->new(
                LocalAddr => '127.0.0.1',
                LocalPort => $_,
                Listen => 1,
                ReuseAddr => 1
            )
        } $port, $port + 1;
        return $port if @sockets == 2;
    }

    die "no free port\n";
}

# The header with a token of a seeded user, for "--- more_headers eval".
sub bearer {
    my ($username) = @_;

    return 'Authorization: Bearer ' . $server->signed_token($username);
}

END {
    my $status = $?;

    if ($server && $$ == $server->{owner}) {
        $server->stop_parts;
        my @complaints = $server->complaints;
        if (@complaints) {
            print STDERR "# $_\n" for @complaints;
            $status ||= 1;
        }
        $server->{finished} = 1;
        $server->stop;
    }
    $? = $status;
}

1;
