# Protects the metrics: known traffic gives known values in both formats,
# whichever process answers; counters survive reloads and killed processes;
# workers come and go.

use strict;
use warnings;

use lib 't/lib';
use CSChat::File qw(read_file);
use CSChat::Server;
use CSChat::HTTP;
use CSChat::Metrics;
use CSChat::Process qw(wait_until);
use JSON::PP ();
use Test::More;

my $server = CSChat::Server->new(
    locations => 'location = /metrics { cs_chat_metrics; }
        location = /private { deny all; cs_chat_metrics; }',
    directives => 'cs_chat_drain_time 0s;',
    worker_env => {CS_CHAT_METRICS_INTERVAL => '200ms'},
    allow => [qr/exited on signal 9/],
);
my $P = 'cs_chat_';
my $W = 'cs_chat_worker_';

sub http {
    my $of = $_[0] // $server;

    return CSChat::HTTP->new($of->{address}, $of->port);
}

sub metrics {
    return CSChat::Metrics->wait_for($server, @_ ? @_ : sub {1});
}

ok metrics(sub { $_[0]->value("${P}workers") == 1 }), 'the worker tells its own';

subtest 'the page' => sub {
    my $answer = http->request('GET', '/metrics');
    is $answer->{status}, 200, 'is there';
    is $answer->{headers}{'content-type'},
        'text/plain; version=0.0.4; charset=utf-8', 'as text for Prometheus';
    is $answer->{headers}{'cache-control'}, 'no-store', 'that nobody keeps';
    ok eval { CSChat::Metrics->parse($answer->{body}) }, 'its syntax is right'
        or diag $@;

    my $head = http->request('HEAD', '/metrics');
    is $head->{status}, 200, 'HEAD is allowed';
    cmp_ok $head->{headers}{'content-length'}, '>', 1000, 'and tells the length';
    is http->request('GET', '/metrics', headers => [Accept =>
        'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3'])
        ->{headers}{'content-type'},
        'text/plain; version=0.0.4; charset=utf-8', 'Prometheus gets text';

    for (['/metrics?format=json'], ['/metrics', headers => [Accept => 'application/json']]) {
        my $json = http->request('GET', @$_);
        is $json->{headers}{'content-type'}, 'application/json; charset=utf-8',
            "$_->[0] as JSON";
        ok eval { JSON::PP::decode_json($json->{body}) }, 'that is JSON';
    }
    is http->request('GET', '/metrics?format=text',
        headers => [Accept => 'application/json'])->{headers}{'content-type'},
        'text/plain; version=0.0.4; charset=utf-8', 'the argument decides';
    my $bad = http->request('GET', '/metrics?format=xml');
    is $bad->{status}, 400, 'another format is refused';
    like $bad->{body}, qr/"field":"format"/, 'with its name';

    for my $method (qw(POST PUT DELETE)) {
        my $refused = http->request($method, '/metrics', body => '{}');
        is $refused->{status}, 405, "$method is refused";
        is $refused->{headers}{allow}, 'GET, HEAD, OPTIONS', 'with what is not';
    }
    is http->request('GET', '/private')->{status}, 403, 'allow and deny apply';
};

subtest 'both formats hold the same' => sub {
    my $connection = http;
    my $text = CSChat::Metrics->get($server, connection => $connection);
    my $json = JSON::PP::decode_json(
        $connection->request('GET', '/metrics?format=json')->{body});

    is_deeply [sort keys %$json], [sort $text->families], 'the same metrics';
    is_deeply {map { $_ => $json->{$_}{type} } keys %$json}, $text->{types},
        'of the same types';
    my $histogram = $json->{"${P}request_duration_seconds"}{samples}[0];
    is_deeply $histogram->{labels}, {transport => 'http'}, 'labels';
    is $histogram->{count},
        $text->value("${P}request_duration_seconds_count", transport => 'http'),
        'counts';
    is $histogram->{buckets}{'0.0025'},
        $text->value("${P}request_duration_seconds_bucket", transport => 'http', le => '0.0025'),
        'buckets';
};

subtest 'docs/metrics.md' => sub {
    my $page = http->request('GET', '/metrics')->{body};
    my $metrics = CSChat::Metrics->parse($page);
    my %labels;

    for my $name ($metrics->families) {
        my $sample = $metrics->type($name) eq 'histogram' ? "${name}_count" : $name;
        my ($key) = keys %{$metrics->{values}{$sample}};
        my @own = grep { $_ ne 'worker' } map {/^(\w+)=/} split /,/, $key;
        $labels{$name} = @own ? "`$own[0]`" : '';
    }
    my %wanted = map {
        my ($help) = $page =~ /^# HELP $_ (.*)$/m;
        $_ => '| ' . $metrics->type($_) . " | $labels{$_} | $help |"
    } $metrics->families;

    my %written = read_file('docs/metrics.md')
        =~ /^\| `(cs_chat_\w+)` (\| (?:counter|gauge|histogram) .*)$/mg;
    s/ +\|/ |/g for values %written, values %wanted;
    is_deeply \%written, \%wanted, 'lists every metric as it is';
};

# Names in queries that the page does not have.
sub unknown {
    my ($metrics, @queries) = @_;
    my %known = map { $_ => 1 } $metrics->names;

    return grep { !$known{$_} } map {/\b(cs_chat_\w+)/g} @queries;
}

subtest 'dashboard and alerts ask for what there is' => sub {
    my $metrics = metrics;
    my $dashboard = JSON::PP::decode_json(read_file('packaging/grafana-dashboard.json'));
    my @queries = map { $_->{expr} } map { @{$_->{targets} // []} } @{$dashboard->{panels}};

    cmp_ok scalar @queries, '>', 50, 'the dashboard has queries';
    is_deeply [unknown($metrics, @queries)], [], 'of metrics that there are';
    my @unseen = grep {
        my $name = $_;
        !grep {/\b$name(?:_bucket|_sum|_count)?\b/} @queries
    } $metrics->families;
    is_deeply \@unseen, [], 'and shows all of them';
    my %ids = map { $_->{id} => 1 } @{$dashboard->{panels}};
    is scalar keys %ids, scalar @{$dashboard->{panels}}, 'each panel has an id of its own';

    my $rules = read_file('packaging/prometheus-alerts.yml');
    my @rules = split /^ +- alert: /m, $rules;
    shift @rules;
    my $operations = read_file('docs/operations.md');
    for my $rule (@rules) {
        my ($name) = $rule =~ /^(\w+)\n/;
        like $rule, qr/^ +expr: .+\n(?: +for: \d+m\n)? +labels:\n +severity: (?:warning|critical)\n +annotations:\n +summary: .+\n/m,
            "$name is a rule";
        is_deeply [unknown($metrics, $rule =~ /expr: (.*)/)], [], 'of metrics that there are';
        like $operations, qr/`$name`/, 'that is explained';
    }
    for my $name ($operations =~ /`(CsChat\w+)`/g) {
        like $rules, qr/^ +- alert: $name$/m, "$name is there";
    }
    is_deeply [unknown($metrics, read_file('docs/metrics.md') =~ /^\| [^|`]+ \| `(.*)` \|$/mg)], [],
        'the questions of the documents are right';
};

# nobody need log in here
$server->{tokens}{$_} = $server->signed_token($_) for qw(agent1 customer1);

my $agent = $server->client('agent1');
my $customer = $server->client('customer1');
my $chat = $customer->post('chats', {})->{data}{id};

subtest 'sockets' => sub {
    my $before = metrics;
    my @pids = $server->nginx_pids;
    my @sockets = map { $server->websocket('agent1', pid => $_) } @pids, $pids[0];
    my $after = metrics;

    is $after->value("${P}nginx_processes"), 2, 'both processes are counted';
    is $after->value("${P}websockets"), 3, 'open sockets of both';
    is $after->value("${P}websocket_users"), 2, 'users, in each process';
    is $after->value("${P}websockets_opened_total")
        - $before->value("${P}websockets_opened_total"), 3, 'opened';

    ok $_->ask(ping => 1), 'a ping' for @sockets;
    my $asked = metrics;
    is $asked->value("${P}websocket_messages_received_total")
        - $after->value("${P}websocket_messages_received_total"), 3,
        'messages that came';
    cmp_ok $asked->value("${P}websocket_received_bytes_total"), '>',
        $after->value("${P}websocket_received_bytes_total"), 'their bytes';
    cmp_ok $asked->value("${P}websocket_frames_sent_total")
        - $after->value("${P}websocket_frames_sent_total"), '>=', 3, 'frames sent';
    is $asked->value("${P}websocket_queued_bytes"), 0, 'nothing waits';

    $sockets[0]->send_close(1000);
    $sockets[0]->close_code;
    ok metrics(sub { $_[0]->value("${P}websockets") == 2 }), 'one is closed';
    is metrics->value("${P}websocket_closes_total", code => '1000'), 1,
        'by its code';
    $_->send_close(1000) for @sockets[1, 2];
    my $none = metrics(sub { $_[0]->value("${P}websockets") == 0 });
    ok $none, 'all are';
    is $none->value("${P}websocket_users"), 0, 'and nobody is left';
};

subtest 'messages' => sub {
    my @sockets = map { $server->websocket('agent1', pid => $_) } $server->nginx_pids;
    my $writer = $server->websocket('customer1');
    my $before = metrics;

    $customer->post("chats/$chat/messages", {content => 'over HTTP'});
    $writer->send(send_message => {chatId => $chat, content => 'over a socket', clientId => 'm-1'});
    $writer->expect('message_ack');
    for my $socket (@sockets) {
        $socket->expect('new_message') for 1, 2;
    }
    my $after = metrics(sub {
        $_[0]->sum("${W}requests_total", op => 'messages.send') >= 2;
    });

    my $more = sub { $after->sum(@_) - $before->sum(@_) };
    is $more->("${P}message_ack_seconds_count", transport => 'http'), 1, 'acknowledged over HTTP';
    is $more->("${P}message_ack_seconds_count", transport => 'websocket'), 1, 'and over a socket';
    cmp_ok $more->("${P}deliveries_total", class => 'message'), '>=', 4, 'delivered';
    cmp_ok $more->("${P}message_delivery_seconds_count"), '>=', 4, 'in a time, for each process';
    cmp_ok $after->value("${P}message_delivery_seconds_sum"), '<', 60, 'that is no date';
    is $more->("${W}message_commit_seconds_count"), 2, 'committed';
    is $more->("${W}batch_size_sum", kind => 'messages'), 2, 'in batches';
    is $more->("${W}requests_total", op => 'messages.send'), 2, 'asked of the worker';
    is $after->value("${P}requests_pending"), 0, 'nothing is pending';
    $_->send_close(1000) for @sockets, $writer;
    ok metrics(sub { $_[0]->value("${P}websockets") == 0 }), 'all are gone';
};

subtest 'refusals' => sub {
    my $before = metrics;
    my $more = sub {
        my ($name, $code) = @_;
        return metrics->value("$P$name", code => $code) - $before->value("$P$name", code => $code);
    };

    http->request('GET', '/api/nowhere');
    is $more->('errors_total', 'NOT_FOUND'), 1, 'an error by its code';
    my @upgrade = (Upgrade => 'websocket', Connection => 'Upgrade',
        'Sec-WebSocket-Version' => 13, 'Sec-WebSocket-Key' => 'AAAAAAAAAAAAAAAAAAAAAA==');
    http->request('GET', '/api/ws', headers => \@upgrade);
    is $more->('handshakes_refused_total', 'AUTH_REQUIRED'), 1, 'a handshake without a token';
    http->request('GET', '/api/ws?token=nonsense', headers => \@upgrade);
    is $more->('handshakes_refused_total', 'INVALID_TOKEN'), 1, 'with a bad one';
    http->request('GET', '/api/ws', headers => [Authorization => 'Bearer ' . $agent->token]);
    is $more->('handshakes_refused_total', 'INVALID_INPUT'), 1, 'that is none';

    my $errors = metrics->sum("${W}errors_total", code => 'CHAT_NOT_FOUND');
    $agent->get('chats/00000000-0000-7000-8000-000000000000');
    ok metrics(sub { $_[0]->sum("${W}errors_total", code => 'CHAT_NOT_FOUND') == $errors + 1 }),
        'an error of the worker';
};

subtest 'revoked tokens' => sub {
    my $other = $server->client(undef, token => $server->signed_token('customer2'));
    my $before = metrics;

    is(($other->post('auth/logout', {}))[0], 200, 'a logout');
    ok metrics(sub { $_[0]->value("${P}revoked_tokens") == $before->value("${P}revoked_tokens") + 1 }),
        'is remembered';
};

subtest 'a worker joins, and leaves' => sub {
    is metrics->value("${P}workers"), 1, 'one';
    $server->start_worker(2, CS_CHAT_METRICS_INTERVAL => '200ms');
    my $two = metrics(sub {
        my @shards = values %{$_[0]{values}{"${W}shards"}};
        return @shards == 2 && !grep { $_ != 32 } @shards;
    });
    ok $two, 'two, with half of the shards each';
    is $two->value("${P}workers"), 2, 'both are known';
    is scalar(grep {/^[0-9a-f]{16}$/} $two->label("${W}shards", 'worker')), 2, 'by their names';

    $server->stop_part('worker-2');
    ok metrics(sub { $_[0]->value("${P}workers") == 1 }), 'one that leaves is gone';
    $server->start_worker(2, CS_CHAT_METRICS_INTERVAL => '200ms');
    ok metrics(sub { $_[0]->value("${P}workers") == 2 }), 'one comes again';
    $server->stop_part('worker-2', 'KILL');
    ok metrics(sub { $_[0]->value("${P}workers") == 1 }), 'one that is killed is forgotten';
    ok metrics(sub { $_[0]->sum("${W}shards") == 64 }), 'the other has all shards';
};

subtest 'names that are forged' => sub {
    my $tell = sub {
        my ($src, $body, $ttl) = @_;
        $server->redis('PUBLISH', 'cs_chat:events',
            "CSC1 C op=worker.metrics src=$src ttl=" . ($ttl // 60000) . "\n$body");
    };
    my $bad = metrics->value("${P}bus_dropped_total");

    $tell->('a"b', "shards 1\n");
    $tell->('0123456789abcdeg', "shards 1\n");
    $tell->('0123456789abcde', "shards 1\n");
    $tell->('0123456789abcdef', "shards one\n");
    $tell->('0123456789abcdef', "shards 1\n", 99999999);
    ok metrics(sub { $_[0]->value("${P}bus_dropped_total") == $bad + 10 }), 'are dropped, by both processes';
    is metrics->value("${P}workers"), 1, 'nobody was added';

    $tell->(sprintf('%016x', $_), "shards 1\n", 1500) for 1 .. 100;
    my $many = metrics(sub { $_[0]->value("${P}workers") > 2 });
    is $many->value("${P}workers"), 64, 'no more than 64 workers are remembered';
    ok metrics(sub { $_[0]->value("${P}workers") == 1 }), 'until they have been silent';
};

# All counters of NGINX in the one are at least those of the other.
sub none_fell {
    my ($before, $after, $name) = @_;
    my @fell;

    for my $family (grep { !/^$W/ && $before->type($_) ne 'gauge' } $before->families) {
        for my $sample (grep {/^$family(?:_bucket|_sum|_count)?$/} $before->names) {
            my ($old, $new) = map { $_->{values}{$sample} } $before, $after;
            push @fell, map {"$sample {$_}: $old->{$_}, $new->{$_}"}
                grep { $new->{$_} < $old->{$_} } keys %$old;
        }
    }
    return ok(!@fell, $name) || diag join "\n", @fell;
}

subtest 'a reload' => sub {
    my @old = $server->nginx_pids;
    my $socket = $server->websocket('agent1', pid => $old[0]);
    my $before = metrics(sub { $_[0]->value("${P}websockets") == 1 });

    kill 'HUP', $server->pid('nginx-0');
    ok wait_until(20, sub { !grep { kill 0, $_ } @old }), 'the old processes are gone';
    $server->wait_ready;
    my $after = metrics(sub { $_[0]->value("${P}nginx_processes") == 2 });
    ok $after, 'two processes count';
    none_fell($before, $after, 'no counter fell');
    is $after->value("${P}websockets"), 0, 'the socket is gone with its process';
    is $after->value("${P}websocket_closes_total", code => 1012)
        - $before->value("${P}websocket_closes_total", code => 1012), 1,
        'which was told to reconnect';
    is $after->value("${P}redis_connected_processes"), 2, 'both are connected';
};

subtest 'a process that is killed' => sub {
    my ($pid) = $server->nginx_pids;
    my $socket = $server->websocket('agent1', pid => $pid);
    my $before = metrics(sub { $_[0]->value("${P}websockets") == 1 });

    kill 'KILL', $pid;
    my $after = metrics(sub {
        $_[0]->value("${P}websockets") == 0 && $_[0]->value("${P}nginx_processes") == 2;
    });
    ok $after, 'its socket is gone, another process counts in its place';
    none_fell($before, $after, 'no counter fell');
    $server->wait_ready;
};

subtest 'Redis and PostgreSQL' => sub {
    my $before = metrics;

    $server->stop_part('postgres');
    ok metrics(sub { $_[0]->sum("${W}postgres_sessions") == 0 }), 'no session of PostgreSQL';
    $server->start_postgres;
    my $after = metrics(sub { $_[0]->sum("${W}postgres_sessions") == 4 });
    ok $after, 'all again';
    is $after->sum("${W}postgres_disconnects_total", session => 'writer')
        - $before->sum("${W}postgres_disconnects_total", session => 'writer'), 1, 'a loss is counted';

    $server->stop_part('redis');
    ok metrics(sub { $_[0]->value("${P}redis_connected_processes") == 0 }), 'no Redis';
    $server->start_redis;
    $server->wait_ready;
    $after = metrics(sub { $_[0]->value("${P}redis_connected_processes") == 2
        && $_[0]->sum("${W}redis_connected") == 1 });
    ok $after, 'both processes and the worker are connected again';
    cmp_ok $after->value("${P}redis_disconnects_total"), '>=',
        $before->value("${P}redis_disconnects_total") + 2, 'losses are counted';
};

$server->finish;

subtest 'a zone that is too small' => sub {
    my $small = CSChat::Server->new(
        directives => 'cs_chat_zone cs_chat:32k;',
        nginx_workers => 24,
        only => ['redis', 'nginx'],
        locations => 'location = /metrics { cs_chat_metrics; }',
        allow => [qr/"cs_chat_zone"/],
    );

    like $small->log_text('nginx-0'), qr/\[warn\].*"cs_chat_zone" has 32768 bytes and should have \d+/,
        'is noticed at the start';
    ok $small->wait_log('nginx-0', qr/"cs_chat_zone" is full: "cs_chat_metrics" does not show/),
        'and by a process that has no place';
    my $metrics = CSChat::Metrics->wait_for($small, sub { $_[0]->value("${P}zone_full_total") > 0 });
    ok $metrics, 'the page says so too';
    cmp_ok $metrics->value("${P}nginx_processes"), '<', 24, 'not all processes count';
    cmp_ok $metrics->value("${P}nginx_processes"), '>', 0, 'but some';
    is $metrics->value("${P}workers"), 0, 'and there is no worker';
    $small->finish;
};

subtest 'a reload that brings the location' => sub {
    my $other = CSChat::Server->new(only => ['redis', 'nginx'], nginx_workers => 1);

    is http($other)->request('GET', '/metrics')->{status}, 404, 'there is none';
    $other->{locations} = 'location = /metrics { cs_chat_metrics; }';
    $other->write_nginx_conf(0);
    kill 'HUP', $other->pid('nginx-0');
    ok(CSChat::Metrics->wait_for($other, sub { $_[0]->value("${P}nginx_processes") == 1 }),
        'and now there is');
    $other->finish;
};

done_testing;
