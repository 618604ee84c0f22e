# What "make run" goes by: the environment, then the file .env, then defaults.
# Dies with one line that names what is wrong and what would be right.

package CSChat::Settings;

use strict;
use warnings;

use Cwd ();

my %defaults = (
    RUN_DIR => 'run',
    PORT => 8080,
    LISTEN => '127.0.0.1',
    NGINX_WORKERS => 2,
    CHAT_WORKERS => 1,
    JWT_SECRET => '',
    SERVER_MODE => 'development',
    CORS_ENABLED => 'true',
    CORS_ALLOWED_ORIGINS =>
        'http://localhost:3000,http://localhost:3001',
    DATABASE_URL => '',
    REDIS_URL => '',
    NGINX => 'nginx',
);

# PostgreSQL's socket in RUN_DIR/pg must fit into 107 bytes.
my $max_run_dir = 107 - length '/pg/.s.PGSQL.5432.lock';

sub load {
    my ($root) = @_;
    my %file = read_env("$root/.env");
    my %s;

    for my $name (keys %defaults) {
        $s{$name} = $defaults{$name};
        for my $value ($file{$name}, $ENV{$name}) {
            $s{$name} = $value if defined $value && $value ne '';
        }
    }

    check_numbers(\%s);
    check_words(\%s);
    $s{RUN_DIR} = run_dir($root, $s{RUN_DIR});
    $s{origins} = origins(\%s);
    $s{redis} = redis($s{REDIS_URL}) if $s{REDIS_URL} ne '';

    return \%s;
}

# NAME=value lines, with comments, quotes and "export" as shells have them.
sub read_env {
    my ($path) = @_;
    my %values;

    open my $fh, '<', $path or return;

    while (my $line = <$fh>) {
        $line =~ s/\s+\z//;
        next if $line =~ /^\s*(?:#|\z)/;

        $line =~ /^\s*(?:export\s+)?(\w+)\s*=\s*(.*)\z/
            or die "$path:$.: not NAME=value\n";
        my ($name, $value) = ($1, $2);

        if ($value =~ /^"([^"]*)"/ || $value =~ /^'([^']*)'/) {
            $value = $1;
        } else {
            $value =~ s/(?:^|\s+)#.*//;
        }

        $values{$name} = $value;
    }

    return %values;
}

sub check_numbers {
    my ($s) = @_;
    my %range = (
        PORT => [1, 65535],
        NGINX_WORKERS => [1, 512],
        CHAT_WORKERS => [1, 64],
    );

    for my $name (sort keys %range) {
        my ($min, $max) = @{$range{$name}};
        next if $s->{$name} =~ /^\d{1,5}\z/
            && $s->{$name} >= $min
            && $s->{$name} <= $max;
        die "$name=$s->{$name} must be a number from $min to $max\n";
    }

    return;
}

sub check_words {
    my ($s) = @_;

    die "SERVER_MODE=$s->{SERVER_MODE} must be development or production\n"
        unless $s->{SERVER_MODE} =~ /^(?:development|production)\z/;
    die "CORS_ENABLED=$s->{CORS_ENABLED} must be true or false\n"
        unless $s->{CORS_ENABLED} =~ /^(?:true|false|1|0|on|off|yes|no)\z/i;
    die "LISTEN=$s->{LISTEN} must be an IPv4 address, such as 0.0.0.0\n"
        unless $s->{LISTEN} =~ /^\d{1,3}(?:\.\d{1,3}){3}\z/;
    die "JWT_SECRET has fewer than 16 bytes\n"
        if $s->{JWT_SECRET} ne '' && length $s->{JWT_SECRET} < 16;

    return;
}

# Absolute; relative to where "make run" was called.
sub run_dir {
    my ($root, $dir) = @_;

    $dir = Cwd::getcwd() . "/$dir" if $dir !~ m{^/};
    $dir =~ s{/+\z}{};

    die "RUN_DIR=$dir must have no spaces, quotes or other special"
        . " characters\n"
        unless $dir =~ m{^[\w./+,@%=:~-]+\z};
    die "RUN_DIR=$dir is too long for Unix sockets, which allow"
        . " $max_run_dir bytes here: set a shorter RUN_DIR\n"
        if length $dir > $max_run_dir;

    return $dir;
}

# The argument of cs_chat_cors_origins.
sub origins {
    my ($s) = @_;
    my @origins = grep { $_ ne '' } split /[\s,]+/, $s->{CORS_ALLOWED_ORIGINS};

    return 'off' if $s->{CORS_ENABLED} =~ /^(?:false|0|off|no)\z/i || !@origins;

    for my $origin (@origins) {
        $origin =~ s{/\z}{};
        die "CORS_ALLOWED_ORIGINS: $origin is no origin, such as"
            . " https://example.com\n"
            unless $origin =~ m{^https?://[\w.\[\]:-]+\z};
    }

    return join ' ', @origins;
}

# Takes REDIS_URL apart: {address, user, password, database, tls}.
sub redis {
    my ($url) = @_;
    my %redis;

    if ($url =~ m{^(?:unix://(?:([^/@]*)@)?)?(/.*)\z}) {
        $redis{address} = "unix:$2";
        credentials(\%redis, $1);
    } elsif ($url =~ m{^redis(s?)://(?:([^/@]*)@)?([\w.-]+|\[[0-9a-fA-F:.]+\])
        (?::(\d+))?(?:/(\d*))?\z}x)
    {
        $redis{tls} = 1 if $1 ne '';
        $redis{address} = "$3:" . ($4 // 6379);
        $redis{database} = $5 if defined $5 && $5 ne '';
        credentials(\%redis, $2);
    } else {
        die "REDIS_URL must be redis://[[user]:password\@]host[:port] or"
            . " unix://[[user]:password\@]/path\n";
    }

    die "REDIS_URL must have no spaces or quotes\n"
        if join('', $redis{address}, $redis{user} // '') =~ /[\s"'\\;{}\$]/;

    return \%redis;
}

sub credentials {
    my ($redis, $text) = @_;

    return unless defined $text && $text ne '';

    my ($user, $password) = $text =~ /:/ ? split(/:/, $text, 2) : ('', $text);
    s/%([0-9a-fA-F]{2})/chr hex $1/ge for $user, $password;

    $redis->{user} = $user if $user ne '';
    $redis->{password} = $password if $password ne '';
    return;
}

1;
