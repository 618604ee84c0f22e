# The strict way, by the very lines of docs/operations.md: a role that owns the
# tables and one that serves, and users of Redis that may do what they must.
# All of the chat works with it, and --check tells what is missing.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::File qw(read_file write_file);
use CSChat::Server;
use CSChat::Process qw(wait_until);

my %documented = documented();
my $redis;
my $server = CSChat::Server->new(
    only => [qw(redis postgres)],
    empty_database => 1,
    directives => sub {
        return "cs_chat_redis unix:$redis user=chat_nginx"
            . ' password_file=' . password_file('SECRET1') . ';';
    },
);
my %as_worker = (
    REDIS_URL => 'unix://chat_worker@' . ($redis = $server->redis_socket),
    CS_CHAT_REDIS_PASSWORD_FILE => password_file('SECRET2'),
);

# What the document says: the SQL before and after the migration, and the
# users of Redis.
sub documented {
    my $text = read_file('docs/operations.md');
    my ($before, $after)
        = $text =~ /```sql\n(CREATE ROLE chat_owner.*?)-- after[^\n]*\n(.*?)```/s
        or die "no strict way\n";
    my @users = $text =~ /^(user (?:default|chat_\w+) .*)$/mg;

    return (before => $before, after => $after, users => \@users);
}

sub password_file {
    my ($secret) = @_;

    return write_file("$server->{dir}/$secret", $secret);
}

# The database as a role.
sub url {
    my ($role) = @_;
    my $url = $server->database_url;

    $url =~ s/user=postgres/user=$role/ or die "$url\n";
    return $url;
}

# Statements one by one: CREATE DATABASE wants no transaction.
sub run_sql {
    my ($role, $database, $sql) = @_;

    for my $statement (grep {/\S/} split /;\n/, $sql) {
        my @command = $server->psql;
        my %at = map { $command[$_] => $_ + 1 } 0 .. $#command;
        $command[$at{'-U'}] = $role;
        $command[$at{'-d'}] = $database;
        system(@command, '-c', $statement) == 0 or die "failed: $statement\n";
    }
    return;
}

# The worker's program once, as a role: its exit code and what it says.
sub as {
    my ($role, $mode) = @_;

    local $server->{worker_env} = {%as_worker, DATABASE_URL => url($role)};
    return $server->run_worker($mode);
}

$server->redis('PING');    # stays the administrator's
run_sql('postgres', 'postgres', 'DROP DATABASE cs_socket');
run_sql('postgres', 'postgres', $documented{before});
for my $line (@{$documented{users}}) {
    my (undef, $name, @rules) = split ' ', $line;
    $server->redis('ACL', 'SETUSER', $name, @rules);
}

subtest 'what is missing' => sub {
    my ($rc, $said) = as('chat_owner', '--migrate');
    is $rc, 0, 'the owner migrates' or diag $said;

    ($rc, $said) = as('chat_worker', '--check');
    is $rc, 1, 'the other one may nothing yet';
    like $said, qr/^error rights: lacks USAGE on schema cs_chat;/m, 'says so';

    run_sql('chat_owner', 'cs_socket', $documented{after});
    ($rc, $said) = as('chat_worker', '--check');
    is $rc, 0, 'with what is documented' or diag $said;
    like $said, qr/^ok +rights: all that are needed$/m, 'it may all it must';

    run_sql('chat_owner', 'cs_socket',
        'REVOKE UPDATE ON cs_chat.shards FROM chat_worker');
    ($rc, $said) = as('chat_worker', '--check');
    like $said, qr/^error rights: lacks UPDATE on cs_chat\.shards$/m,
        'a single one is named';
    run_sql('chat_owner', 'cs_socket', $documented{after});
};

subtest 'it serves' => sub {
    my ($rc, $said) = as('chat_owner', '--seed');
    is $rc, 0, 'sample users' or diag $said;

    $server->start_worker(1, %as_worker, DATABASE_URL => url('chat_worker'));
    $server->start_nginx(0);
    $server->wait_ready;

    my ($status) = $server->client->post('auth/register',
        {username => 'newcomer', email => 'n@example.com', name => 'New',
            password => 'password123'});
    is $status, 201, 'somebody registers';

    my $customer = $server->client('customer1');
    my $agent = $server->client('agent1');
    my $there = $server->websocket('agent1');
    my $here = $server->websocket('customer1');
    my $chat = $customer->new_chat(agentId => $agent->id);

    $there->expect('new_chat');
    $here->send(send_message => {chatId => $chat, content => 'Hello', clientId => 'c1'});
    is $here->expect('message_ack')->{data}{seq}, 1, 'a message is stored';
    ok $there->expect('new_message'), 'and heard';
    $there->send(typing_start => {chatId => $chat});
    ok $here->expect('user_typing'), 'who writes is shown';
    $there->send(mark_read => {chatId => $chat, seq => 1});
    ok $here->expect('messages_read'), 'what is read is marked';
    is(($agent->put("chats/$chat/status", {status => 'closed'}))[0], 200,
        'the chat is closed');
    is(($agent->put('users/status', {isOnline => \0}))[0], 200,
        'one hides');
    is(($agent->post('auth/ws-ticket'))[0], 200, 'a ticket');
    is(($agent->delete("chats/$chat"))[0], 200,
        'the chat is deleted');
    is(($customer->post('auth/logout'))[0], 200, 'logout');
    is(($customer->get('users/me'))[0], 401, 'after which the token is void');

    $server->sql("UPDATE users SET role = 'super-agent' WHERE username = 'agent1'");
    ok wait_until(10, sub { ($agent->get('users/me'))[0] == 401 }),
        'a changed role takes effect';

    $_->close for $here, $there;
};

$server->finish;
done_testing;
