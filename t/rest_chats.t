# Protects opening chats, the lists of them and one chat as each role sees it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new;
my %people = map {
    $_ => $server->client(undef, token => $server->signed_token($_))
} qw(agent1 agent2 customer1 customer2);
my ($agent, $super, $customer, $other)
    = @people{qw(agent1 agent2 customer1 customer2)};
my $stranger = new_user($server, 'agent');

# lists of a person, as ids
sub chats {
    my ($client, $query) = @_;

    return ids($client->get('chats' . ($query // ''))->{data});
}

subtest 'the sample' => sub {
    my ($chat, @more) = @{given([$agent->get('chats?status=closed')], 200,
        'the closed chat of agent1')};

    is @more, 0, 'there is one';
    is_chat($chat, 'whole');
    is $chat->{customer}{username}, 'customer1', 'its customer';
    is $chat->{agent}{username}, 'agent1', 'its agent';
    is $chat->{lastSeq}, 4, 'lastSeq';
    is $chat->{lastMessage}{seq}, 4, 'lastMessage';
    ok !$chat->{isActive}, 'not active';
};

subtest 'who opens which chat' => sub {
    my %id = map { $_ => $people{$_}->id } keys %people;
    my $strange = $stranger->id;
    my $upper = uc $id{customer1};
    my @good = (
        ['customer, nothing', $customer, {}, undef],
        ['customer, null', $customer, {customerId => undef}, undef],
        ['customer, empty', $customer, {customerId => ''}, undef],
        ['customer, self', $customer, {customerId => $id{customer1}}, undef],
        ['customer, self in upper case', $customer, {customerId => $upper},
            undef],
        ['customer, unknown fields', $customer, {foo => [1], status => 'x'},
            undef],
        ['customer, an agent', $customer, {agentId => $id{agent1}}, 'agent1'],
        ['customer, a super-agent', $customer, {agentId => $id{agent2}},
            'agent2'],
        ['agent, no agent', $agent, {customerId => $id{customer1}}, undef],
        ['agent, agentId null', $agent,
            {customerId => $id{customer1}, agentId => undef}, undef],
        ['agent, agentId empty', $agent,
            {customerId => $id{customer1}, agentId => ''}, undef],
        ['agent, self', $agent,
            {customerId => $id{customer1}, agentId => uc $id{agent1}},
            'agent1'],
        ['super-agent, none', $super, {customerId => $id{customer1}}, undef],
        ['super-agent, another', $super,
            {customerId => $id{customer1}, agentId => $id{agent1}}, 'agent1'],
    );
    for (@good) {
        my ($name, $client, $fields, $with) = @$_;
        my $chat = given([$client->post('chats', $fields)], 201, $name);
        is_chat($chat, "$name: whole");
        is $chat->{customerId}, $id{customer1}, "$name: customerId";
        is $chat->{agentId}, defined $with ? $id{$with} : undef,
            "$name: agentId";
        is $chat->{status}, 'active', "$name: active";
        is $chat->{lastSeq} + $chat->{unreadCount}, 0, "$name: empty";
    }

    my $unknown = unknown_id();
    my @bad = (
        ['customer, another customer', $customer,
            {customerId => $id{customer2}}, 403, 'ACCESS_DENIED'],
        ['customer, an agent as customer', $customer,
            {customerId => $id{agent1}}, 400, 'INVALID_INPUT', 'customerId'],
        ['customer, a customer as agent', $customer,
            {agentId => $id{customer2}}, 400, 'INVALID_INPUT', 'agentId'],
        ['customer, an unknown agent', $customer, {agentId => $unknown},
            404, 'USER_NOT_FOUND'],
        ['customer, an unknown customer', $customer,
            {customerId => $unknown}, 404, 'USER_NOT_FOUND'],
        ['agent, nothing', $agent, {}, 400, 'INVALID_INPUT', 'customerId'],
        ['agent, self as customer', $agent, {customerId => $id{agent1}},
            400, 'INVALID_INPUT', 'customerId'],
        ['agent, another agent', $agent,
            {customerId => $id{customer1}, agentId => $strange},
            403, 'ACCESS_DENIED'],
        ['agent, a super-agent', $agent,
            {customerId => $id{customer1}, agentId => $id{agent2}},
            403, 'ACCESS_DENIED'],
        ['agent, an unknown customer', $agent, {customerId => $unknown},
            404, 'USER_NOT_FOUND'],
        ['super-agent, nothing', $super, {}, 400, 'INVALID_INPUT',
            'customerId'],
        ['super-agent, an agent as customer', $super,
            {customerId => $id{agent1}}, 400, 'INVALID_INPUT', 'customerId'],
        ['super-agent, a customer as agent', $super,
            {customerId => $id{customer1}, agentId => $id{customer2}},
            400, 'INVALID_INPUT', 'agentId'],
        ['super-agent, an unknown agent', $super,
            {customerId => $id{customer1}, agentId => $unknown},
            404, 'USER_NOT_FOUND'],
        (   map {
                ["customerId $_->[0]", $customer, {customerId => $_->[1]},
                    400, 'INVALID_INPUT', 'customerId']
            } ['a number', 5], ['a word', 'x'], ['a list', []],
            ['true', \1], ['too long', "$id{customer1}0"],
            ['in braces', "{$id{customer1}}"],
            ['without dashes', $id{customer1} =~ tr/-//dr]
        ),
        ['agentId a number', $customer, {agentId => 0}, 400, 'INVALID_INPUT',
            'agentId'],
        ['agentId false', $customer, {agentId => \0}, 400, 'INVALID_INPUT',
            'agentId'],
        ['400 goes before 404', $customer,
            {customerId => $unknown, agentId => 'x'}, 400, 'INVALID_INPUT',
            'agentId'],
        ['404 goes before 403', $customer,
            {customerId => $id{customer2}, agentId => $unknown},
            404, 'USER_NOT_FOUND'],
    );
    my $before = $server->sql('SELECT count(*) FROM chats');
    for (@bad) {
        my ($name, $client, $fields, $status, $code, $field) = @$_;
        refused([$client->post('chats', $fields)], $status, $code, $name,
            defined $field ? (field => $field) : ());
    }
    refused([$customer->post('chats')], 400, 'INVALID_INPUT', 'no body');
    is $server->sql('SELECT count(*) FROM chats'), $before,
        'none of these was stored';

    $server->sql('DELETE FROM chats');
};

subtest 'who sees which chat' => sub {
    my %made = (
        free => $customer->new_chat,
        taken => $customer->new_chat(agentId => $agent->id),
        seniors => $customer->new_chat(agentId => $super->id),
        others => $other->new_chat(agentId => $agent->id),
    );
    my %sees = (
        'the customer' => [$customer, qw(free taken seniors)],
        'another customer' => [$other, qw(others)],
        'the agent' => [$agent, qw(free taken others)],
        'another agent' => [$stranger, qw(free)],
        'a super-agent' => [$super, qw(free taken seniors others)],
    );

    for my $who (sort keys %sees) {
        my ($client, @names) = @{$sees{$who}};
        my %visible = map { $_ => 1 } @names;

        is_deeply [sort @{chats($client)}], [sort @made{@names}],
            "$who: the list";
        for my $name (sort keys %made) {
            my @got = $client->get("chats/$made{$name}");
            if ($visible{$name}) {
                my $chat = given(\@got, 200, "$who: $name");
                is_chat($chat, "$who: $name whole", messages => 1);
                is_deeply $chat->{messages}, [], "$who: no messages in $name";
            } else {
                refused(\@got, 404, 'CHAT_NOT_FOUND', "$who: not $name");
            }
        }
    }

    my $chat = $super->get("chats/$made{others}")->{data};
    is_user($chat->{customer}, 'a super-agent sees e-mails', email => 1);
    $chat = $agent->get("chats/$made{others}")->{data};
    is_user($chat->{customer}, 'an agent does not');
    is_user($chat->{agent}, 'but of themselves', email => 1);

    given([$agent->get('chats/' . uc $made{taken})], 200, 'an id in capitals');
    refused([$super->get('chats/' . unknown_id())],
        404, 'CHAT_NOT_FOUND', 'an unknown id');
    for my $id ('x', '1', "$made{free}0", 'null', '%ff', '..%2f') {
        my ($status, $json) = $super->get("chats/$id");
        ok $status == 400 && $json->{code} eq 'INVALID_INPUT'
            || $status == 404 && $json->{code} eq 'NOT_FOUND',
            "no id: $id" or diag $status;
    }
    refused([$super->get('chats/123')], 400, 'INVALID_INPUT', 'no UUID');
    $server->sql('DELETE FROM chats');
};

subtest 'the order of the list' => sub {
    my @made = map { $customer->new_chat } 1 .. 4;

    is_deeply chats($customer), [reverse @made], 'the newest first';
    $customer->post("chats/$made[1]/messages", {content => 'up'});
    is_deeply chats($customer), [@made[1, 3, 2, 0]], 'a message moves one up';
    $customer->put("chats/$made[0]/status", {status => 'closed'});
    is_deeply chats($customer), [@made[0, 1, 3, 2]],
        'and so does a change of status';
    is_deeply chats($super), [@made[0, 1, 3, 2]], 'for a super-agent too';
    is_deeply chats($stranger), [@made[0, 1, 3, 2]], 'and an agent';

    is_deeply chats($customer, '?limit=2'), [@made[0, 1]], 'limit';
    is_deeply chats($customer, '?limit=2&offset=1'), [@made[1, 3]],
        'limit and offset';
    is_deeply chats($customer, '?offset=3'), [$made[2]], 'offset';
    is_deeply chats($customer, '?offset=4'), [], 'beyond the end';
    for my $query (
        'limit=0', 'limit=201', 'limit=a', 'offset=-1', 'status=open',
        'status=', 'limit=1e2', 'offset=0x1'
        )
    {
        refused([$customer->get("chats?$query")],
            400, 'INVALID_INPUT', $query);
    }
    $server->sql('DELETE FROM chats');
};

subtest 'status and the archive' => sub {
    my %made;
    for my $status (qw(active closed archived)) {
        $made{$status} = $customer->new_chat;
        next if $status eq 'active';
        $customer->put("chats/$made{$status}/status", {status => $status});
    }

    for my $client ($customer, $agent, $super) {
        is_deeply chats($client), [@made{qw(closed active)}],
            'the archived are left out';
        is_deeply chats($client, "?status=$_"), [$made{$_}], "status=$_"
            for sort keys %made;
        is_deeply ids(
            given([$client->get('archived-chats')], 200, 'archived-chats')),
            [$made{archived}], 'holds the archived';
        is_deeply ids($client->get('archived-chats?offset=1')->{data}), [],
            'and takes offset';
        refused([$client->get('archived-chats?limit=x')],
            400, 'INVALID_INPUT', 'and checks limit');
    }
    is_deeply chats($other), [], 'another customer sees none';
    is_deeply ids($other->get('archived-chats')->{data}), [],
        'nor in the archive';
    is_chat($super->get('archived-chats')->{data}[0], 'whole');
    $server->sql('DELETE FROM chats');
};

subtest 'unread' => sub {
    my $chat = $customer->new_chat(agentId => $agent->id);
    my $unread = sub {
        join ' ', map { $_->get("chats/$chat")->{data}{unreadCount} }
            $customer, $agent, $super;
    };
    my $listed = sub {
        join ' ', map { $_->get('chats')->{data}[0]{unreadCount} }
            $customer, $agent, $super;
    };

    $customer->post("chats/$chat/messages", {content => $_}) for qw(a b c);
    is $unread->(), '0 3 3', 'three from the customer';
    is $listed->(), '0 3 3', 'in the list as well';
    $agent->post("chats/$chat/messages", {content => 'd'});
    is $unread->(), '1 0 4', 'an answer reads what was before';
    $customer->post("chats/$chat/messages", {content => 'e'});
    is $unread->(), '0 1 5', 'on both sides';
    is $listed->(), '0 1 5', 'in the list as well';

    my $last = $agent->get('chats')->{data}[0]{lastMessage};
    is_message($last, 'lastMessage');
    is_deeply [@$last{qw(content seq chatId)}], ['e', 5, $chat],
        'is the last message';
    $server->sql('DELETE FROM chats');
};

subtest 'a chat comes with its last 50 messages' => sub {
    my $chat = $customer->new_chat;
    my $connection = $server->connection;
    $connection->write(
        join '',
        map {
            $connection->request_text(
                'POST', "/api/chats/$chat/messages",
                body => qq({"content":"m$_"}),
                headers => [Authorization => 'Bearer ' . $customer->token]
                )
        } 1 .. 53
    );
    my $sent = grep { $connection->answer->{status} == 201 } 1 .. 53;
    is $sent, 53, '53 messages';

    my $data = $customer->get("chats/$chat")->{data};
    is_chat($data, 'whole', messages => 1);
    is_deeply [map { $_->{seq} } @{$data->{messages}}], [4 .. 53],
        'the last 50, oldest first';
    is_message($data->{messages}[0], 'a message');
    is_deeply $data->{lastMessage}, $data->{messages}[-1], 'lastMessage';
    $server->sql('DELETE FROM chats');
};

subtest 'a list is as long as one asks' => sub {
    $server->sql(
        "INSERT INTO chats (customer_id)
         SELECT id FROM users, generate_series(1, 205)
          WHERE username = 'customer1'"
    );
    is @{chats($customer)}, 50, '50 by default';
    is @{chats($customer, '?limit=200')}, 200, 'up to 200';
    my %seen = map { $_ => 1 }
        map { @{chats($customer, "?limit=60&offset=$_")} } 0, 60, 120, 180;
    is keys %seen, 205, 'pages meet without a gap';
};

$server->finish;
done_testing;
