# $cs_chat_user_id, $cs_chat_role and $cs_chat_worker_time in logs, maps and
# nginx's own limits: those of a token that holds, else empty.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Test::More;

my $server = CSChat::Server->new(
    nginx_workers => 1,
    directives => <<'END',
    log_format who '$request_uri $status [$cs_chat_user_id] [$cs_chat_role] [$cs_chat_worker_time]';
    map $cs_chat_role $staff {
        default no;
        agent yes;
        super-agent yes;
    }
    limit_req_zone $cs_chat_user_id zone=requests:1m rate=1r/m;
    limit_conn_zone $cs_chat_user_id zone=sockets:1m;
    limit_req_status 429;
    limit_conn_status 429;
END
    server => 'access_log who.log who;',
    api => 'add_header X-Who "<$cs_chat_user_id> $cs_chat_role $staff" always;',
    locations => <<'END',
    location /limited/ {
        limit_req zone=requests;
        cs_chat_api;
    }
    location = /socket {
        limit_conn sockets 1;
        cs_chat_websocket;
    }
    location = /stub {
        stub_status;
    }
    location /elsewhere/ {
        return 200 "[$cs_chat_user_id] [$cs_chat_role] [$cs_chat_worker_time]";
    }
END
);

my $uuid = qr/[0-9a-f]{8}-[0-9a-f-]{27}/;
my $agent = $server->client('agent1');
my $customer = $server->client('customer1');

# The line that the log has of a request.
sub logged {
    my ($uri) = @_;
    my $line;

    wait_until(
        5,
        sub {
            open my $fh, '<', "$server->{dir}/nginx-0/who.log" or return;
            ($line) = grep {/^\Q$uri\E /} <$fh>;
        }
    );
    chomp $line if defined $line;
    return $line // 'nothing';
}

sub who {
    my ($client, $path, %o) = @_;
    my ($status, $json, $answer) = $client->get($path, undef, %o);

    return "$status $answer->{headers}{'x-who'}";
}

subtest 'who it is' => sub {
    is(who($agent, 'users/me?1'), '200 <' . $agent->id . '> agent yes', 'an agent');
    is(who($customer, 'users/me?2'), '200 <' . $customer->id . '> customer no',
        'a customer');
    is(who($server->client('agent2'), 'users/me?3') =~ s/$uuid/ID/r,
        '200 <ID> super-agent yes', 'a super-agent');
    like(
        logged('/api/users/me?1'),
        qr/ 200 \[@{[ $agent->id ]}\] \[agent\] \[\d+\.\d{6}\]$/,
        'in the log too, with the time of the chat worker'
    );
    is(who($agent, 'nothing?4'), '404 <' . $agent->id . '> agent yes',
        'also where there is no such route');
    like(logged('/api/nothing?4'), qr/ \[agent\] \[-\]$/,
        'of which no chat worker hears');
};

subtest 'who it is not' => sub {
    my $nobody = $server->client;
    my %bad = (
        none => undef,
        nonsense => 'nonsense',
        forged => CSChat::JWT::sign('another key, which is as long as that',
            CSChat::JWT::claims($agent->token)),
        unsigned => CSChat::JWT::sign($CSChat::Server::key,
            CSChat::JWT::claims($agent->token),
            header => {alg => 'none', typ => 'JWT'}),
        expired => $server->signed_token('agent1', exp => time - 60),
        'of no role' => $server->signed_token('agent1', role => 'king'),
    );

    for my $name (sort keys %bad) {
        my $client = $server->client(undef, token => $bad{$name});
        is(who($client, 'users/me?bad'), '401 <>  no', "a token: $name");
    }
    is(who($nobody, 'users/me?basic', headers =>
                [Authorization => 'Basic YWdlbnQxOnBhc3N3b3JkMTIz']),
        '401 <>  no', 'another scheme');
    like(logged('/api/users/me?basic'), qr/ 401 \[-\] \[-\] \[-\]$/,
        'and so in the log');

    my $gone = $server->client(undef, token => $server->signed_token('agent1'));
    is(($gone->post('auth/logout?out'))[0], 200, 'a token that logs out');
    like(logged('/api/auth/logout?out'), qr/ 200 \[$uuid\] \[agent\]/,
        'is still somebody as it does');
    is(who($gone, 'users/me?gone'), '401 <>  no', 'is nobody any more');

    my ($status, undef, $answer) = $agent->get('/elsewhere/');
    is($answer->{body}, '[] [] []', 'other locations know nobody');
};

subtest 'limit_req' => sub {
    my $other = $server->client('customer2');

    is(($customer->get('/limited/users/me'))[0], 200, 'the first request');
    my ($status, $json, $answer) = $customer->get('/limited/users/me');
    is($status, 429, 'the second is one too many');
    is($json->{code}, 'RATE_LIMITED', 'in the form of the API');
    like($answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After');
    is(($other->get('/limited/users/me'))[0], 200, 'another user is free to ask');
    is(($server->client(undef, token => 'x')->get('/limited/users/me'))[0],
        401, 'a bad token counts for nobody')
        for 1, 2;
    is(($customer->post('/limited/chats', {}))[0], 429,
        'a body that is refused');
    is(($customer->get('users/me'))[0], 200,
        'is not taken for the next request');
};

# Its request ends with the handshake, and the socket goes on without it.
subtest 'a WebSocket' => sub {
    my @sockets
        = map { $server->websocket('agent1', path => '/socket') } 1 .. 3;

    pass('limit_conn counts no more than the handshake');
    like(logged('/socket'), qr/ 101 \[$uuid\] \[agent\] \[-\]$/,
        'which is logged while the socket is open');
    ok($_->ask(ping => 1), 'and it is open') for @sockets;
    like(($server->client->get('/stub'))[2]{body}, qr/Writing: 1 /,
        'the statistics of nginx know of no request');

    my $ticket = $customer->post('auth/ws-ticket')->{data}{ticket};
    CSChat::WebSocket->connect($server, path => '/socket',
        query => "ticket=$ticket")->close;
    like(logged("/socket?ticket=$ticket"), qr/ 101 \[@{[ $customer->id ]}\] \[customer\]/,
        'with the user of its ticket');
};

$server->finish;
done_testing;
