# What operators get: the example configuration, "make install", the compose
# file, the settings of "make run".

use strict;
use warnings;

use lib 't/lib';
use CSChat::File qw(read_file write_file);
use CSChat::Server;
use File::Temp ();
use Test::More;

my $root = $CSChat::Server::root;
my $dir = File::Temp::tempdir('cs-chat-t-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chdir $root or die "$root: $!";

# nginx -t on a configuration: true when it passes, its words in $said.
my $said = '';

sub nginx_accepts {
    my ($conf) = @_;
    my $nginx = $ENV{NGINX} || 'nginx';
    my %env = %{CSChat::Server::nginx_env_in($dir)};

    local %ENV = (%ENV, %env);
    mkdir "$dir/sanitizer";
    write_file("$dir/nginx.conf", $conf);
    $said = `$nginx -t -q -p $dir -e $dir/error.log -c $dir/nginx.conf 2>&1`;
    return $? == 0;
}

# Only what can't be the same here: files of the system, and the user.
sub adapted_example {
    my $conf = read_file('nginx.conf.example');
    my $module = CSChat::Server::module();
    my $temp = join '', map {"    ${_}_temp_path $dir/$_;\n"}
        qw(client_body proxy fastcgi uwsgi scgi);

    $conf =~ s{modules/ngx_http_cs_chat_module\.so}{$module};
    $conf =~ s{/etc/cs-chat/jwt\.key}{$dir/jwt.key}g;
    $conf =~ s{/var/log/nginx/}{$dir/}g;
    $conf =~ s{/run/nginx\.pid}{$dir/nginx.pid};
    $conf = web_files($conf);
    $conf =~ s{^user .*}{}m;
    $conf =~ s{^worker_rlimit_nofile .*}{}m;
    $conf =~ s/^(http .)$/$1\n$temp/m;
    return $conf;
}

# Those of nginx's folder and of ours, as they are here.
sub web_files {
    my ($conf) = @_;
    $conf =~ s{include mime\.types}{include /etc/nginx/mime.types};
    $conf =~ s{/usr/share/cs-chat/web-headers}{$root/packaging/nginx/web-headers};
    return $conf;
}

write_file("$dir/jwt.key", 'k' x 32);
ok(nginx_accepts(adapted_example()), 'nginx.conf.example passes nginx -t')
    or diag $said;

# the commented-out parts are right as well
my $tls = adapted_example();
SKIP: {
    system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=chat"
            . " -keyout $dir/chat.key -out $dir/chat.pem 2>/dev/null") == 0
        or skip 'no openssl', 1;
    $tls =~ s/^(\s*)listen 8080 reuseport;//m;
    $tls =~ s{^\s*#\s+(listen 443|ssl_certificate)}{$1}mg;
    $tls =~ s{/etc/ssl/\w+/chat}{$dir/chat}g;
    $tls =~ s{listen 443}{listen 127.0.0.1:8443};
    ok(nginx_accepts($tls), 'with TLS and HTTP/2 too') or diag $said;
}

# as the container's start fills it in
my $container = read_file('packaging/docker/nginx.conf.in');
my %filled = (
    RESOLVER => 'resolver 127.0.0.11 valid=5s;',
    REDIS => 'redis.invalid:6379',  # nobody knows it yet
    KEY_FILE => "$dir/jwt.key",
    ORIGINS => 'off',
);
$container =~ s/\@(\w+)\@/$filled{$1}/g;
$container =~ s{modules/(ngx_http_cs_chat_module\.so)}{CSChat::Server::module()}e;
$container =~ s{/dev/std\w+}{$dir/container.log}g;
$container =~ s{^user .*|^worker_rlimit_nofile .*}{}mg;
$container =~ s{/run/nginx\.pid}{$dir/nginx.pid};
$container = web_files($container);
ok(nginx_accepts($container), 'so does that of the container') or diag $said;

ok(nginx_accepts("load_module @{[CSChat::Server::module()]};\n"
            . "error_log $dir/error.log;\npid $dir/nginx.pid;\n"
            . "events {}\n"),
    'the module loads where nothing uses it') or diag $said;

my $installed = `make -s install DESTDIR=$dir/root 2>&1`;
is($?, 0, 'make install') or diag $installed;
for my $file (
    'usr/lib/nginx/modules/ngx_http_cs_chat_module.so',
    'usr/sbin/cs-chat-worker',
    'lib/systemd/system/cs-chat-worker.service',
    'etc/cs-chat/worker.conf',
    'usr/share/cs-chat/web/widget.js',
    'usr/share/cs-chat/web/client/cs-chat.js',
    'usr/share/cs-chat/web/client/agent.js',
    'usr/share/cs-chat/web/dist/cs-chat.global.min.js',
    'usr/share/cs-chat/web-headers.conf',
    'usr/share/doc/cs-chat/examples/nginx.conf.example',
    'usr/share/doc/cs-chat/examples/grafana-dashboard.json',
    'usr/share/doc/cs-chat/examples/prometheus-alerts.yml'
    )
{
    ok(-s "$dir/root/$file", $file);
}
ok(!-e "$dir/root/etc/cs-chat/jwt.key", 'no key in a package');

$installed = `make -s install DESTDIR=$dir/other PREFIX=/opt/chat 2>&1`;
like(read_file("$dir/other/lib/systemd/system/cs-chat-worker.service"),
    qr{^ExecStart=/opt/chat/sbin/cs-chat-worker }m,
    'the unit follows PREFIX');

SKIP: {
    my ($compose) = grep { system("$_ version >/dev/null 2>&1") == 0 }
        'docker compose', 'docker-compose';
    skip 'no docker compose', 1 unless $compose;
    my $config = `$compose -f docker-compose.yml config -q 2>&1`;
    is($?, 0, 'docker-compose.yml is valid') or diag $config;
}

require CSChat::Settings;
mkdir "$dir/env";
delete @ENV{qw(PORT RUN_DIR JWT_SECRET CORS_ALLOWED_ORIGINS REDIS_URL)};

sub settings {
    my ($text) = @_;

    write_file("$dir/env/.env", $text);
    my $settings = eval { CSChat::Settings::load("$dir/env") };
    return $settings // $@;
}

is(settings(read_file('.env.example'))->{PORT}, 8080, '.env.example is read');
my $seed = settings(<<'END');
PORT=9090
SERVER_MODE=development  # or "production"
JWT_SECRET=your-super-secret-jwt-key-here
CORS_ENABLED=true
CORS_ALLOWED_ORIGINS=http://localhost:3000,http://localhost:3001
export QUOTED="a b" # c
END
is($seed->{PORT}, 9090, 'a value of .env');
is($seed->{SERVER_MODE}, 'development', 'without its comment');
is($seed->{origins}, 'http://localhost:3000 http://localhost:3001', 'origins');
{
    local $ENV{PORT} = 9191;
    is(settings("PORT=9090\n")->{PORT}, 9191, 'the environment wins');
}
is_deeply(
    settings("REDIS_URL=redis://me:p%40ss\@redis.example:6380/2\n")->{redis},
    {   address => 'redis.example:6380',
        user => 'me',
        password => 'p@ss',
        database => 2
    },
    'REDIS_URL is taken apart'
);
is_deeply(settings("REDIS_URL=unix:///run/redis.sock\n")->{redis},
    {address => 'unix:/run/redis.sock'}, 'a Unix socket');

for my $bad (
    ['PORT=70000', qr/PORT=70000 must be a number from 1 to 65535/],
    ['JWT_SECRET=short', qr/JWT_SECRET has fewer than 16 bytes/],
    ['SERVER_MODE=test', qr/must be development or production/],
    ['CORS_ALLOWED_ORIGINS=example.com', qr/example\.com is no origin/],
    ['CORS_ALLOWED_ORIGINS="http://a; evil"', qr/is no origin/],
    ['REDIS_URL=http://x', qr/REDIS_URL must be/],
    ['RUN_DIR=/tmp/a b', qr/no spaces/],
    ['RUN_DIR=/' . 'x' x 120, qr/too long for Unix sockets/],
    ['what is this', qr/not NAME=value/],
    )
{
    my ($line, $error) = @$bad;
    like(settings("$line\n"), $error, "refused: " . substr $line, 0, 40);
}

done_testing;
