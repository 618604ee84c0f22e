# Hostile and damaged messages, published straight into Redis: they are dropped
# and logged, and nothing else happens.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Bus;
use CSChat::Server;
use CSChat::Process qw(wait_until);
use Digest::SHA qw(sha256_hex);
use Test::More;

my $server = CSChat::Server->new(
    nginx_workers => 1,
    directives => 'cs_chat_request_timeout 2s;',
);
my $agent = $server->client('agent1');
my $chat = $server->client('customer1')->new_chat(agentId => $agent->id);
my $other = 'ffffffff-0000-4000-8000-000000000000';
my $msg = '01900000-0000-7000-8000-000000000000';
my ($worker_channel) = map {"cs_chat:rep:$_"}
    $server->log_text('worker-1') =~ /"id":"([0-9a-f]+)"/;
my ($reply_channel) = grep { $_ ne $worker_channel }
    @{$server->redis('PUBSUB', 'CHANNELS', 'cs_chat:rep:*')};
my $socket = $agent->websocket;
my @pids = ($server->pid('worker-1'), $server->nginx_pids);
my $stored = stored();

sub publish { return $server->redis('PUBLISH', @_) }

# What the database holds of people, chats and messages.
sub stored {
    return join ' ', map { $server->sql("SELECT count(*) FROM $_") }
        qw(users chats messages);
}

sub unharmed {
    my ($name) = @_;

    is_deeply([grep { !/^user_/ } map { $_->{type} } $socket->drain], [],
        "$name: no socket hears of it");
    is(($agent->get('users/me'))[0], 200, "$name: requests are served");
    is(stored(), $stored, "$name: nothing is stored");
    is_deeply([$server->pid('worker-1'), $server->nginx_pids], \@pids,
        "$name: nobody died");
    return;
}

sub shard { return CSChat::Bus::shard($_[0]) }

# The reply to a request that did not come from NGINX: its status.
sub asked {
    my ($fields, $body, $shard) = @_;
    my $redis = $server->redis_connection;

    $shard //= shard($fields =~ /chat=(\S+)/ ? $1 : $agent->id);
    $redis->command('SUBSCRIBE', 'cs_chat:rep:test');
    publish("cs_chat:req:$shard",
        "CSC1 Q id=1 from=test $fields\n" . ($body // ''));
    my $message = $redis->reply(10) or return 'no reply';
    return $message->[2] =~ /^CSC1 R .*\bstatus=(\d+)/ ? $1 : $message->[2];
}

my @damaged = (
    'nothing' => '',
    'a line feed' => "\n",
    'a word' => 'hello',
    'another version' => "CSC2 Q op=health id=1 from=test\n",
    'no version' => "Q op=health id=1 from=test\n",
    'an unknown kind' => "CSC1 X op=health\n",
    'no kind' => "CSC1 \n",
    'no line feed' => 'CSC1 Q op=health id=1 from=test',
    'no operation' => "CSC1 Q id=1 from=test\n",
    'an empty operation' => "CSC1 Q op= id=1 from=test\n",
    'a field twice' => "CSC1 Q op=health op=health\n",
    'two spaces' => "CSC1 Q  op=health\n",
    'no equals sign' => "CSC1 Q op=health id\n",
    'a leading zero' => "CSC1 Q op=health ttl=01\n",
    'a negative number' => "CSC1 Q op=health ttl=-1\n",
    'too large a number' => "CSC1 Q op=health ttl=18446744073709551616\n",
    'upper case' => "CSC1 Q op=health id=FF from=test\n",
    'another form of reply' => "CSC1 Q op=health as=xml\n",
    'control bytes' => "CSC1 Q op=health user=a\tb\n",
    'NUL bytes' => "\0" x 100,
    'NUL in a field' => "CSC1 Q op=health\0 id=1\n",
    'UTF-8 in a field' => "CSC1 Q op=health user=gr\xc3\xbcn\n",
    'a long header' => 'CSC1 Q op=health user=' . 'x' x 9000 . "\n",
    'a reply without id' => "CSC1 R status=200\n",
    'a reply without status' => "CSC1 R id=1\n",
    'an id that is none' => "CSC1 R id=0x1 status=200\n",
    'an event without topics' => "CSC1 E src=a n=1\n{}",
    'an event without number' => "CSC1 E src=a topics=role:agent\n{}",
    'a heartbeat without number' => "CSC1 H src=a\n",
    'a control message without operation' => "CSC1 C key=a expires=1\n",
    'noise' => join('', map { chr(($_ * 7919) % 256) } 1 .. 5000),
    'much' => 'x' x 4_000_000,
);

subtest 'damaged messages' => sub {
    my @channels
        = ('cs_chat:req:0', 'cs_chat:events', $reply_channel, $worker_channel);

    for (my $i = 0; $i < @damaged; $i += 2) {
        my ($name, $message) = @damaged[$i, $i + 1];
        my @heard = grep { publish($_, $message) == 1 } @channels;
        is(@heard, 4, "$name is heard");
    }
    unharmed('damaged messages');
    ok($server->wait_log('worker-1', qr/damaged message on the bus/),
        'the chat worker logs them');
    ok($server->wait_log('nginx-0', qr/message of \d+ bytes from Redis was dropped/),
        'NGINX logs them');
    unlike($server->log_text($_), qr/xxxxxxxx/, "without their content: $_")
        for qw(worker-1 nginx-0);
};

subtest 'messages in the wrong place' => sub {
    publish('cs_chat:events', "CSC1 Q op=health id=1 from=test\n");
    publish($reply_channel, "CSC1 Q op=users.me user=@{[ $agent->id ]}\n");
    publish('cs_chat:req:1', "CSC1 E src=a n=1 topics=role:agent\n{}");
    publish('cs_chat:req:1', "CSC1 R id=1 status=200\n{}");
    publish('cs_chat:req:1', "CSC1 C op=token.revoked key=a expires=1\n");
    publish('cs_chat:req:1', "CSC1 H src=a n=1\n");
    unharmed('messages in the wrong place');
};

subtest 'requests that nobody may make' => sub {
    my $me = $agent->id;
    my $text = '{"content":"x"}';
    my @requests = (
        'a caller that is missing' => 'op=users.me' => '',
        'a caller that is none' => 'op=users.me user=me role=agent' => '',
        'a caller who is not there' =>
            "op=users.me user=$other role=agent" => '',
        'SQL in place of a caller' =>
            "op=users.me user='||(select(1))||' role=agent" => '',
        'a message to no chat' =>
            "op=messages.send user=$me role=agent" => $text,
        'a message to a chat that is none' =>
            "op=messages.send user=$me role=agent chat=x msg=$msg" => $text,
        'a message to a chat that is not there' =>
            "op=messages.send user=$me role=agent chat=$other msg=$msg" =>
            $text,
        'a message of nobody' =>
            "op=messages.send role=agent chat=$chat msg=$msg" => $text,
        'a message without a body' =>
            "op=messages.send user=$me role=agent chat=$chat msg=$msg" =>
            '',
        'a message that is not UTF-8' =>
            "op=messages.send user=$me role=agent chat=$chat msg=$msg" =>
            "{\"content\":\"\xff\"}",
        'a message with a NUL' =>
            "op=messages.send user=$me role=agent chat=$chat msg=$msg" =>
            '{"content":"a\u0000b"}',
        'a message with a bad key' =>
            "op=messages.send user=$me role=agent chat=$chat msg=$msg key=%zz"
            => $text,
        'a message as an event that is none' =>
            "op=messages.send user=$me role=agent chat=$chat msg=$msg as=ws"
            => $text,
        'a login without a body' => 'op=auth.login' => '',
        'a login that is deep' => 'op=auth.login' => '[' x 5000,
        'a list with a bad query' =>
            "op=chats.list user=$me role=agent" => 'limit=%zz&offset=-1',
        'a list with a long query' =>
            "op=chats.list user=$me role=agent" => 'limit=' . '1' x 100_000,
    );

    while (my ($name, $fields, $body) = splice @requests, 0, 3) {
        like(asked($fields, $body), qr/^4\d\d$/, "$name is refused");
    }

    is(
        asked("op=messages.send user=$me role=agent chat=$chat msg=$msg",
            $text, (shard($chat) + 1) % 64),
        500, 'a request to the wrong shard is refused'
    );
    publish('cs_chat:req:3', "CSC1 Q op=users.delete id=1 from=test\n");
    publish('cs_chat:req:3', "CSC1 Q op=health\n");
    publish('cs_chat:req:3', "CSC1 Q op=health id=1 from=../../x\n");
    publish('cs_chat:req:3', "CSC1 Q op=users.me user=$me role=agent ttl=1\n");
    unharmed('such requests');
};

subtest 'presence of nobody' => sub {
    publish('cs_chat:req:5', "CSC1 Q op=presence.update from=test\n$_")
        for '', "\n\n\n", '+', "+$other", "+$other x\n=$other\n-$other",
        "=' OR 1=1\n", "\xff\xfe\n", '+' x 100_000,
        join("\n", ("=$other") x 5000);
    publish('cs_chat:req:5', "CSC1 Q op=presence.login\n");
    publish('cs_chat:req:5', "CSC1 Q op=presence.login user=x\n");
    unharmed('presence of nobody');
};

subtest 'forged events' => sub {
    my $long = join ',', map {"user:$other$_"} 1 .. 150;

    publish('cs_chat:events', "CSC1 E src=forged n=$_->[0] $_->[1]\n{\"type\":\"x\"}")
        for [1, 'topics=user:nobody,role:king'],
        [2, 'topics=,,,'],
        [3, "topics=chat:$chat,chat:$other"],
        [4, 'topics=agent,user:,role'],
        [5, "topics=$long"],
        [6, "topics=role:agent except=@{[ $socket->{connected}{data}{connectionId} ]}"],
        [7, "topics=role:king chat=$chat keep="],
        [8, "topics=role:king chat=$chat keep=,,x"];
    publish('cs_chat:events', "CSC1 C $_\n")
        for 'op=restart', 'op=token.revoked', 'op=token.revoked key=x expires=1',
        'op=token.revoked key=' . 'x' x 64, 'op=token.revoked key='
        . 'f' x 64 . ' expires=18446744073709551615';
    publish('cs_chat:events', "CSC1 H src=w$_ n=1\n") for 1 .. 1500;
    unharmed('forged events');

    publish('cs_chat:events', "CSC1 H src=gap n=1\n");
    publish('cs_chat:events', "CSC1 H src=gap n=18446744073709551615\n");
    ok($socket->expect('resync'), 'a gap in the numbers makes sockets resync');
    publish('cs_chat:events', "CSC1 H src=gap n=3\n");
    unharmed('numbers that go back');
};

# Replies to a request that NGINX awaits, while the chat worker hangs.
sub forged {
    my ($method, $path, $body, @replies) = @_;
    my $redis = $server->redis_connection;
    my $client = $server->connection;
    my @headers = $method eq 'GET'
        ? (Authorization => 'Bearer ' . $agent->token) : ();

    $redis->command('PSUBSCRIBE', 'cs_chat:req:*');
    $client->write($client->request_text($method, "/api/$path",
        headers => \@headers, body => $body));
    my $id;
    while (my $message = $redis->reply(5)) {
        last if ($id) = $message->[3] =~ /^CSC1 Q id=([0-9a-f]+) /;
    }
    publish($reply_channel, "CSC1 R id=$id $_") for @replies;
    my $answer = $client->answer;
    return "$answer->{status} $answer->{body}";
}

subtest 'forged replies' => sub {
    publish($reply_channel, "CSC1 R id=$_ status=200\n{}")
        for 0, 1, 'ffffffffffffffff', 'dead';
    unharmed('replies to nothing');

    my $login = '{"username":"agent1","password":"password123"}';
    my $internal = qr/^500 \{"success":false,.*"code":"INTERNAL_ERROR"\}$/;

    $server->freeze_part('worker-1');
    like(forged('GET', 'users/me', undef, "status=$_\n{}"), $internal,
        "a reply of status $_")
        for 0, 42, 101, 600, 99999, '18446744073709551615';
    like(
        forged('POST', 'auth/login', $login,
            "status=200 user=@{[ $agent->id ]} role=king name=agent1\n{}"),
        $internal, 'a login of a role that there is not'
    );
    like(
        forged('POST', 'auth/login', $login,
            "status=200 user=@{[ $agent->id ]} role=agent name=%zz\n{}"),
        $internal, 'a login of a name that is none'
    );
    like(
        forged('GET', 'users/me', undef, "status=200\n{\"a\":1}",
            "status=200\n{\"b\":1}"),
        qr/^200 \{"a":1\}$/, 'of two replies the first counts'
    );
    like(forged('GET', 'users/me', undef), qr/^504 .*"BACKEND_TIMEOUT"/,
        'none at all');
    $server->thaw_part('worker-1');
    is(($agent->get('users/me'))[0], 200, 'late replies go nowhere');
    unharmed('forged replies');
};

subtest 'damaged keys' => sub {
    my %tickets = (
        garbage => 'garbage',
        empty => '',
        'a foreign role' => time + 60 . " $other king " . 'f' x 64 . ' x',
        'an end that is none' => 'soon ' . $agent->id . ' agent ' . 'f' x 64 . ' x',
        'a bad name' => time + 60 . ' ' . $agent->id . ' agent ' . 'f' x 64 . ' %zz',
        binary => "\0\xff" x 500,
    );
    for my $name (sort keys %tickets) {
        $server->redis('SET', 'cs_chat:ticket:' . sha256_hex('T'), $tickets{$name});
        is(CSChat::WebSocket->try($server, query => 'ticket=T')->{answer}{status},
            401, "a ticket in Redis: $name");
    }
    $server->redis('DEL', 'cs_chat:ticket:' . sha256_hex('T'));
    $server->redis('HSET', 'cs_chat:ticket:' . sha256_hex('T'), 'a', 'b');
    isnt(CSChat::WebSocket->try($server, query => 'ticket=T')->{answer}{status},
        101, 'a ticket of another type');

    $server->redis('ZADD', 'cs_chat:revoked', $_->[0], $_->[1])
        for [time + 60, 'short'], ['inf', 'a' x 64], [1e300, 'b' x 64],
        [-5, 'c' x 64], [time + 60, "\0" x 64], [time + 60, 'd' x 5000];
    $socket->close;
    $server->reload_nginx(0);
    wait_until(10, sub { ($server->nginx_pids)[-1] != $pids[-1] });
    $server->wait_ready;
    is(($server->client('agent1')->get('users/me'))[0], 200,
        'a new process passes over damaged entries');

    $server->redis('DEL', 'cs_chat:revoked');
    $server->redis('SET', 'cs_chat:revoked', 'x');
    $server->stop_part('nginx-0');
    $server->start_nginx(0);
    my ($status, $json) = $server->client('agent1')->get('users/me');
    is("$status $json->{code}", '503 BACKEND_UNAVAILABLE',
        'no token is trusted while the revoked ones are not known');
    like($server->log_text('nginx-0'), qr/does not tell which tokens are revoked|WRONGTYPE/,
        'and the log says so');
    $server->redis('DEL', 'cs_chat:revoked');
    $server->wait_ready;
    is(($server->client('agent1')->get('users/me'))[0], 200, 'until they are');
};

$server->finish;
done_testing;
