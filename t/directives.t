# The directives: what each takes, and what "nginx -t" says about what it does
# not take.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Config;
use Test::More;

my $config = CSChat::Config->new;
my $key = "cs_chat_jwt_key '$CSChat::Server::key';";

sub valid {
    my ($name, %o) = @_;
    my ($ok, $output) = $config->try(%o);

    ok($ok, $name) or diag($output);
    unlike($output, qr/\[(?:warn|alert|emerg)\]/, "$name: without a complaint")
        unless $o{warns};
    return $output;
}

sub invalid {
    my ($name, $message, %o) = @_;
    my ($ok, $output) = $config->try(%o);

    ok(!$ok, "$name is refused");
    like($output, $message, "$name: the message says why");
    unlike($output, qr/signal|Sanitizer/, "$name: no crash");
    return $output;
}

# A file of a length, with what follows: its path.
sub secret {
    my ($length, $tail) = @_;

    return $config->file("secret-$length", 'k' x $length . ($tail // ''));
}

# Directives that take one number, time or size, wherever they stand.
my %ranges = (
    cs_chat_jwt_lifetime => {
        good => [qw(60 1m 24h 3650d 10y)],
        bad => [qw(0 59 59s 11y -1 1mm 12x)],
        right => 'a time from 1m to 10y',
    },
    cs_chat_jwt_leeway => {
        good => [qw(0 0s 30 10m)],
        bad => [qw(601 11m -1 none)],
        right => 'a time from 0s to 10m',
    },
    cs_chat_request_timeout => {
        good => [qw(100ms 5s 5m)],
        bad => [qw(99ms 0 301s 1h never)],
        right => 'a time from 100ms to 5m',
    },
    cs_chat_max_body_size => {
        good => [qw(1024 1k 256k 16m)],
        bad => [qw(0 1023 17m 1g 12q -1)],
        right => 'a size from 1k to 16m',
    },
    cs_chat_max_message_size => {
        good => [qw(1k 256k 16m)],
        bad => [qw(0 1023 17m big)],
        right => 'a size from 1k to 16m',
    },
    cs_chat_ping_interval => {
        good => [qw(1s 30s 1h)],
        bad => [qw(0 999ms 61m soon)],
        right => 'a time from 1s to 1h',
    },
    cs_chat_pong_timeout => {
        good => [qw(100ms 30s 1h)],
        bad => [qw(0 99ms 61m soon)],
        right => 'a time from 100ms to 1h',
    },
    cs_chat_drain_time => {
        good => [qw(0 5s 1h)],
        bad => [qw(-1 61m soon)],
        right => 'a time from 0s to 1h',
    },
    cs_chat_output_limit => {
        good => [qw(64k 1m 1g)],
        bad => [qw(0 65535 63k 2g all)],
        right => 'a size from 64k to 1g',
    },
    cs_chat_sockets_per_user => {
        good => [qw(1 20 100000)],
        bad => [qw(0 100001 -1 1k many)],
        right => 'a number from 1 to 100000',
    },
    cs_chat_sockets_per_address => {
        good => [qw(0 1 1000000)],
        bad => [qw(1000001 -1 1k off)],
        right => 'a number from 0 to 1000000',
    },
    cs_chat_pending_limit => {
        good => [qw(1 256 100000)],
        bad => [qw(0 100001 some)],
        right => 'a number from 1 to 100000',
    },
    cs_chat_refused_limit => {
        good => [qw(20 60 100000)],
        bad => [qw(0 19 100001 few)],
        right => 'a number from 20 to 100000',
    },
    cs_chat_min_password_length => {
        good => [qw(8 12 128)],
        bad => [qw(0 7 129 99999999999999999999 long)],
        right => 'a number from 8 to 128',
    },
);

# Further directives, with a value that is good.
my %everywhere = (
    (map { $_ => $ranges{$_}{good}[0] } keys %ranges),
    cs_chat_jwt_key => "'$CSChat::Server::key'",
    cs_chat_jwt_key_file => secret(32),
    cs_chat_jwt_algorithm => 'HS256',
    cs_chat_cors_origins => 'https://example.com',
    cs_chat_legacy_events => 'off',
);
my %ranges_in_http = (
    cs_chat_redis_buffer => {
        good => [qw(64k 16m 1g)],
        bad => [qw(0 65535 63k 2g all)],
        right => 'a size from 64k to 1g',
    },
    cs_chat_max_requests => {
        good => [qw(1 65536 10000000)],
        bad => [qw(0 10000001 -1 1k many)],
        right => 'a number from 1 to 10000000',
    },
);
$ranges_in_http{cs_chat_order_chats} = $ranges_in_http{cs_chat_max_requests};
$ranges_in_http{cs_chat_order_buffer} = $ranges_in_http{cs_chat_redis_buffer};
$ranges_in_http{cs_chat_typing_timeout} = {
    good => [qw(500ms 6s 1m)],
    bad => [qw(0 499ms 61s soon)],
    right => 'a time from 500ms to 1m',
};
$ranges_in_http{cs_chat_presence_interval} = {
    good => [qw(1s 10s 10m)],
    bad => [qw(0 999ms 601s soon)],
    right => 'a time from 1s to 10m',
};
$ranges_in_http{cs_chat_token_cache} = {
    good => [qw(0 10000 10000000)],
    bad => [qw(10000001 -1 1k many)],
    right => 'a number from 0 to 10000000',
};
$ranges_in_http{cs_chat_order_wait} = {
    good => [qw(100ms 3s 1m)],
    bad => [qw(0 99ms 61s soon)],
    right => 'a time from 100ms to 1m',
};
my %in_http = (
    (map { $_ => $ranges_in_http{$_}{good}[0] } keys %ranges_in_http),
    cs_chat_redis => '127.0.0.1:6379',
    cs_chat_prefix => 'one:',
    cs_chat_zone => 'chat:1m',
);

sub in_range {
    my ($name, $range, $place) = @_;

    valid("$name $_", $place->("$name $_;")) for @{$range->{good}};
    for my $value (@{$range->{bad}}, '""') {
        my $shown = $value eq '""' ? '' : $value;
        invalid(
            "$name $value",
            qr/invalid value "\Q$shown\E" in "$name": it must be \Q$range->{right}\E/,
            $place->("$name $value;")
        );
    }
    return;
}

subtest 'numbers, times and sizes' => sub {
    in_range($_, $ranges{$_}, sub { (location => $_[0]) })
        for sort keys %ranges;
    in_range($_, $ranges_in_http{$_}, sub { (http => "$key $_[0]") })
        for sort keys %ranges_in_http;
};

subtest 'cs_chat_sockets_per_user' => sub {
    my $name = 'cs_chat_sockets_per_user';

    valid("close=$_", location => "$name 3 close=$_;") for qw(oldest newest);
    invalid($_,
        qr/invalid parameter "\Q$_\E" in "$name": it must be "close=oldest" or "close=newest"/,
        location => "$name 3 $_;") for qw(close=none close newest 4);
    invalid('a bad number beside it', qr/invalid value "0" in "$name"/,
        location => "$name 0 close=newest;");
};

subtest 'where directives stand, and how often' => sub {
    for my $name (sort keys %everywhere) {
        my $line = "$name $everywhere{$name};";
        my $other = $name =~ /^cs_chat_jwt_key/ ? '' : $key;

        valid("$name in http", http => "$other $line");
        valid("$name in server", http => '', server => "$other $line");
        valid("$name in a location", http => '', location => "$other $line");
        valid("$name everywhere", http => "$other $line", server => $line,
            location => $line);
        invalid("$name twice", qr/"$name" directive is duplicate/,
            http => '', server => "$line $line");
        invalid("$name without a value",
            qr/invalid number of arguments in "$name"/,
            location => "$name;");
        invalid("$name in an if", qr/"$name" directive is not allowed here/,
            location => "if (\$uri) { $line }");
    }

    for my $name (sort keys %in_http) {
        my $line = "$name $in_http{$name};";

        valid("$name in http", http => "$key $line");
        invalid("$name twice", qr/"$name" directive is duplicate/,
            http => "$key $line $line");
        invalid("$name in server", qr/"$name" directive is not allowed here/,
            server => $line);
        invalid("$name in a location",
            qr/"$name" directive is not allowed here/,
            location => $line);
    }

    for my $name (qw(cs_chat_api cs_chat_websocket cs_chat_health)) {
        invalid("$name in server", qr/"$name" directive is not allowed here/,
            server => "$name;");
        invalid(
            "$name in an if",
            qr/"$name" directive is not allowed here/,
            locations => "location / { if (\$uri) { $name; } }"
        );
    }

    valid('nothing of the module', http => '', locations => '');
};

subtest 'the signing key' => sub {
    my $secret = 'not to be shown';
    my $output;

    invalid(
        'the API without a key',
        qr{location "/api/" serves the chat but has no signing key: set "cs_chat_jwt_key" or "cs_chat_jwt_key_file"},
        http => ''
    );
    invalid(
        'the WebSocket without a key',
        qr{location "/ws" serves the chat but has no signing key},
        http => '',
        locations => 'location /ws { cs_chat_websocket; }'
    );
    valid('health needs no key', http => '',
        locations => 'location /health { cs_chat_health; }');

    $output = invalid(
        'a key of 15 bytes',
        qr/the key in "cs_chat_jwt_key" has 15 bytes: it must have at least 16/,
        http => "cs_chat_jwt_key '$secret';"
    );
    unlike($output, qr/\Q$secret\E/, 'the key is not shown');
    invalid('an empty key', qr/has 0 bytes: it must have at least 16/,
        http => "cs_chat_jwt_key '';");

    $output = valid('a key of 16 bytes', warns => 1,
        http => "cs_chat_jwt_key '$secret!';");
    like($output, qr/\[warn\].*has 16 bytes; .* strength from 32 bytes/,
        'one that is weaker than its algorithm is warned of');
    unlike($output, qr/\Q$secret\E/, 'and not shown');
    like(
        valid('HS512 with 63 bytes', warns => 1, http =>
                'cs_chat_jwt_algorithm HS512; cs_chat_jwt_key ' . 'k' x 63 . ';'
        ),
        qr/\[warn\].*from 64 bytes/,
        'by what the algorithm wants'
    );
    valid('HS512 with 64 bytes',
        http => 'cs_chat_jwt_algorithm HS512; cs_chat_jwt_key ' . 'k' x 64 . ';');

    invalid('key and key file', qr/is duplicate, or stands beside "cs_chat_jwt_key"/,
        http => "$key cs_chat_jwt_key_file " . secret(32) . ';');
    invalid('key file and key', qr/is duplicate, or stands beside "cs_chat_jwt_key_file"/,
        http => 'cs_chat_jwt_key_file ' . secret(32) . "; $key");
    valid('a file in http, a key in a location',
        http => 'cs_chat_jwt_key_file ' . secret(32) . ';', location => $key);
};

subtest 'a file with the signing key' => sub {
    my $file = sub { http => "cs_chat_jwt_key_file $_[0];" };

    valid('32 bytes', $file->(secret(32)));
    valid('with a line feed', $file->(secret(32, "\n")));
    valid('with CR and line feed', $file->(secret(32, "\r\n")));
    valid('4096 bytes', $file->(secret(4096)));
    secret(33, "\n");
    valid('relative to the configuration', $file->('secret-33'));

    invalid('a file that is not there',
        qr{the file ".*/nowhere" can't be opened \(2: No such file},
        $file->('/tmp/cs-chat/nowhere'));
    invalid('a directory', qr{the file "\Q$config->{dir}\E" can't be read},
        $file->($config->{dir}));
    invalid('an empty file', qr/must hold one secret of 1 to 4096 bytes/,
        $file->(secret(0)));
    invalid('a file with a line feed alone',
        qr/must hold one secret of 1 to 4096 bytes/,
        $file->(secret(0, "\n")));
    invalid('a file that is too large',
        qr/must hold one secret of 1 to 4096 bytes/,
        $file->(secret(4097)));
    my $output = invalid('a short key in a file',
        qr/the key in file ".*secret-15" has 15 bytes: it must have at least 16/,
        $file->(secret(15, "\n")));
    unlike($output, qr/kkk/, 'its content is not shown');
};

subtest 'the algorithm' => sub {
    my $long = 'cs_chat_jwt_key ' . 'k' x 64 . ';';

    valid($_, http => $long, location => "cs_chat_jwt_algorithm $_;")
        for qw(HS256 HS384 HS512);
    invalid("algorithm $_",
        qr/invalid value "$_" in "cs_chat_jwt_algorithm": it must be HS256, HS384 or HS512/,
        location => "cs_chat_jwt_algorithm $_;")
        for qw(none hs256 RS256 HS2567);
};

subtest 'the address of Redis' => sub {
    valid($_, http => "$key cs_chat_redis $_;")
        for '127.0.0.1', '127.0.0.1:6380', 'localhost:6379', '[::1]:6379',
        'unix:/run/redis.sock', '127.0.0.1 database=3',
        '127.0.0.1 tls=off',
        '127.0.0.1 password_file=' . secret(12, "\n"),
        '127.0.0.1 user=chat password_file=' . secret(12);

    for my $address ('unix:', '""', '127.0.0.1:0', '127.0.0.1:65536',
        '127.0.0.1/path', '[::1', ':6379', 'unix:/' . 'x' x 120)
    {
        my $shown = $address eq '""' ? '' : $address;
        invalid(
            "Redis at $address",
            qr{invalid address "\Q$shown\E" in "cs_chat_redis": .*; it must be "host:port" or "unix:/path"},
            http => "$key cs_chat_redis $address;"
        );
    }

    my $nowhere = 'cs_chat_redis nowhere.invalid:6379;';
    invalid(
        'a name that is not known',
        qr/invalid address "nowhere.invalid:6379" in "cs_chat_redis": host not found, and there is no "resolver"/,
        http => "$key $nowhere"
    );
    valid('but by a resolver, perhaps', http => "$key $nowhere resolver 127.0.0.1;");

    for my $option (qw(user= password=x nonsense tls=maybe database= TLS=on)) {
        invalid(
            "Redis with $option",
            qr/invalid parameter "\Q$option\E" in "cs_chat_redis": it must be "user=NAME", "password_file=PATH"/,
            http => "$key cs_chat_redis 127.0.0.1 $option;"
        );
    }

    invalid("Redis with database=$_",
        qr/invalid "database=$_" in "cs_chat_redis": the database must be a number from 0 to 65535/,
        http => "$key cs_chat_redis 127.0.0.1 database=$_;")
        for qw(-1 65536 a);
    invalid('a user without a password',
        qr/"cs_chat_redis" has user "chat" but no password: add "password_file=PATH"/,
        http => "$key cs_chat_redis 127.0.0.1 user=chat;");
    invalid('a password file that is not there',
        qr{the file "/tmp/cs-chat/nowhere" can't be opened},
        http => "$key cs_chat_redis 127.0.0.1 password_file=/tmp/cs-chat/nowhere;");
    invalid('an empty password file', qr/must hold one secret/,
        http => "$key cs_chat_redis 127.0.0.1 password_file=" . secret(0) . ';');
    invalid('a certificate without TLS', qr/"tls_ca" .* needs "tls=on"/,
        http => "$key cs_chat_redis 127.0.0.1 tls_ca=/etc/ca.pem;");
};

subtest 'TLS to Redis' => sub {
    my ($ok, $output)
        = $config->try(http => "$key cs_chat_redis 127.0.0.1 tls=on;");

    plan skip_all => 'this build has TLS' if $ok;
    like(
        $output,
        qr/"tls=on" in "cs_chat_redis" needs a module that was built with hiredis 1\.0 or later and its TLS support; this one was built with hiredis \d+\.\d+/,
        'a build without it says what it needs'
    );
};

subtest 'the prefix' => sub {
    valid("prefix $_", http => "$key cs_chat_prefix $_;")
        for 'a', 'shop:chat:', 'x' x 64;
    invalid("prefix $_",
        qr/in "cs_chat_prefix": it must be 1 to 64 printable ASCII characters without spaces/,
        http => "$key cs_chat_prefix $_;")
        for '""', '"a b"', 'x' x 65, "gr\xc3\xbcn:", "'a\tb'";
};

subtest 'the zone' => sub {
    valid("zone $_", http => "$key cs_chat_zone $_;")
        for qw(chat:1m other:64k third:1048576);
    invalid("zone $_",
        qr/invalid value "\Q$_\E" in "cs_chat_zone": it must be "NAME:SIZE" with a size of at least \d+ bytes, as in "cs_chat:1m"/,
        http => "$key cs_chat_zone $_;")
        for qw(chat :1m chat: chat:1k chat:-1 chat:many chat:1m:2);
    invalid('a zone of another module', qr/"chat" is already/,
        http => "$key limit_req_zone \$uri zone=chat:1m rate=1r/s;"
            . 'cs_chat_zone chat:1m;');
};

subtest 'origins' => sub {
    valid("origins $_", location => "cs_chat_cors_origins $_;")
        for 'off', '*', 'https://example.com',
        'http://localhost:3000 http://localhost:3001',
        'https://EXAMPLE.com:8443', 'http://[::1]:3000', 'app://desktop';
    for my $bad ('https://example.com/', 'example.com', 'https://',
        'https://*.example.com', '"https://a.example,https://b.example"',
        '"https://a.example https://b.example"', '://example.com',
        'https://example.com:0', 'https://example.com:65536',
        'https://example.com:', 'https://user@example.com', 'null',
        '"ht tp://example.com"', '""')
    {
        my $shown = $bad =~ s/"//gr;
        invalid(
            "origin $bad",
            qr{invalid origin "\Q$shown\E" in "cs_chat_cors_origins": it must be "scheme://host" or "scheme://host:port"},
            location => "cs_chat_cors_origins $bad;"
        );
    }
    invalid("$_ beside another", qr/"\*" or "off" must stand alone/,
        location => "cs_chat_cors_origins https://example.com $_;")
        for '*', 'off';
};

subtest 'legacy events' => sub {
    valid("legacy events $_", location => "cs_chat_legacy_events $_;")
        for qw(on off);
    invalid('legacy events maybe', qr/must be "on" or "off"/,
        location => 'cs_chat_legacy_events maybe;');
};

subtest 'locations' => sub {
    valid($_, locations => $_)
        for 'location / { cs_chat_api; }',
        'location /api { cs_chat_api; }',
        'location ^~ /api/ { cs_chat_api; }',
        'location = /api/auth/login { cs_chat_api /api/; }',
        'location ~ ^/v[12]/ { cs_chat_api /v1/; }',
        'location ~ \.ws$ { cs_chat_websocket; }',
        'location = /ws { cs_chat_websocket; }',
        'location ~ ^/health { cs_chat_health /health; }',
        'location /health { cs_chat_health; }',
        'location /api/ { cs_chat_api; if ($arg_x) { return 403; } }',
        'location /a/ { cs_chat_api; location /a/b { return 204; } }',
        'location /a/ { cs_chat_api; } location /b/ { cs_chat_api; }';

    for my $name (qw(cs_chat_api cs_chat_health)) {
        invalid(
            "$name in a regular expression",
            qr{"$name" in location "\^/x/" can't tell where its paths begin: .* "$name /api/"},
            locations => "location ~ ^/x/ { $name; }"
        );
        invalid(
            "$name with a prefix that is none",
            qr{invalid prefix "api/" in "$name": it must begin with "/"},
            locations => "location /x/ { $name api/; }"
        );
        invalid("$name with two prefixes", qr/invalid number of arguments/,
            locations => "location /x/ { $name /a/ /b/; }");
        invalid('an empty prefix', qr{invalid prefix "" in "$name"},
            locations => "location /x/ { $name ''; }");
    }
    for my $use ('cs_chat_api', 'cs_chat_api /api/', 'cs_chat_websocket',
        'cs_chat_health /health')
    {
        invalid(
            "$use in a named location",
            qr/in named location "\@chat"/,
            locations => "location \@chat { $use; }"
        );
    }
    invalid('a prefix of the WebSocket', qr/invalid number of arguments/,
        locations => 'location /ws { cs_chat_websocket /ws; }');
    invalid(
        'two in one location',
        qr/stands beside another of "cs_chat_api", "cs_chat_websocket", "cs_chat_health" and "cs_chat_metrics"/,
        locations => 'location /x { cs_chat_api; cs_chat_health; }'
    );
    invalid('one twice', qr/stands beside another/,
        locations => 'location /x { cs_chat_api; cs_chat_api; }');
};

subtest 'an unknown directive' => sub {
    invalid('a directive that there is not',
        qr/unknown directive "cs_chat_nonsense"/,
        http => "$key cs_chat_nonsense on;");
    my ($ok, $output) = $config->try(module => 0);
    ok(!$ok, 'the directives need the module');
    like($output, qr/unknown directive "cs_chat_jwt_key"/, 'as nginx says');
};

done_testing;
