# Protects that a crowd that comes online costs few statements, and that each
# of them is told, the first one at once.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use CSChat::Server;

my $pause = 0.010;  # s from one statement to the next
my $n = 150;

my $server = CSChat::Server->new;
$server->sql(<<"END");
INSERT INTO users (username, email, password_hash, name, role)
SELECT 'crowd' || n, 'crowd' || n || '\@crowd.example', '!', 'crowd', 'customer'
  FROM generate_series(1, $n) AS n
END
my @crowd = $server->sql("SELECT id FROM users WHERE name = 'crowd'");
my $watcher = $server->websocket('agent2');
$watcher->expect('user_status_change');  # their own is out of the way
my %told;

# As an NGINX process says it of a socket that was opened.
sub come {
    my ($id) = @_;
    my $shard = fnv1a($id) % 64;

    $server->redis('PUBLISH', "cs_chat:req:$shard",
        "CSC1 Q op=presence.update from=0123456789abcdef\n+$id c0\n");
    return;
}

sub await {
    my (@ids) = @_;

    while (grep { !$told{$_} } @ids) {
        my $event = $watcher->expect('user_status_change') or return 0;
        $told{$event->{data}{userId}} = 1 if $event->{data}{isOnline};
    }
    return 1;
}

sub fnv1a {
    my ($text) = @_;
    my $hash = 0x811c9dc5;

    $hash = (($hash ^ ord) * 0x01000193) & 0xffffffff for split //, $text;
    return $hash;
}

come($crowd[0]);
ok await($crowd[0]), 'who is alone is told';

my $began = time;
for my $id (@crowd) {
    come($id);
    sleep 0.001;
}
ok await(@crowd), 'everybody of a crowd is told';
my $most = (time - $began) / $pause + 2;

# a statement is a transaction of its own
my ($statements) = $server->sql(<<'END');
SELECT count(DISTINCT xmin::text) FROM users WHERE is_online AND name = 'crowd'
END
cmp_ok $statements, '<=', $most, 'by few statements';

$server->finish;
done_testing;
