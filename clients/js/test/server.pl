# A whole chat in private directories for the tests of this client: prints its
# URL as JSON, then obeys the lines that come, each {"do": ..., ...}, and answers
# with a line; at the end of the input it stops everything.  Its one argument is
# JSON too: what CSChat::Server->new takes.

use strict;
use warnings;

use File::Basename qw(dirname);
use Cwd ();
use JSON::PP qw(decode_json encode_json);

our $root;

BEGIN {
    $root = dirname(dirname(dirname(dirname(Cwd::abs_path(__FILE__)))));
    chdir $root or die "$root: $!\n";
}

use lib "$root/t/lib", "$root/scripts/lib";
use CSChat::Server;
use CSChat::Process qw(wait_until);

$| = 1;
my $server = CSChat::Server->new(%{decode_json($ARGV[0] // '{}')});

my %commands = (
    reload => sub {
        my ($o) = @_;
        $server->{$_} = $o->{$_} for grep { defined $o->{$_} } qw(directives api);
        my %old = map { $_ => 1 } $server->reload_nginx(0);
        wait_until(20, sub { !grep { $old{$_} } $server->nginx_pids })
            or die "the old processes stay\n";
        $server->wait_ready;
    },
    stop => sub { $server->stop_part($_[0]{part}) },
    kill => sub { $server->kill_part($_[0]{part}) },
    start => sub {
        my ($part) = $_[0]{part} =~ /^([a-z]+)/;
        if ($part eq 'redis') { $server->start_redis }
        elsif ($part eq 'worker') { $server->start_worker(1) }
        elsif ($part eq 'nginx') { $server->start_nginx(0) }
        $server->wait_ready if $_[0]{ready} // 1;
    },
    freeze => sub { $server->freeze_part($_[0]{part}) },
    thaw => sub { $server->thaw_part($_[0]{part}) },
    # every nginx process dies, with its connections; the master makes new ones
    break => sub {
        my @pids = $server->nginx_pids;
        kill 'KILL', @pids;
        my %old = map { $_ => 1 } @pids;
        wait_until(20, sub {
            my @now = $server->nginx_pids;
            @now && !grep { $old{$_} } @now;
        }) or die "nginx has no new processes\n";
        $server->wait_ready;
    },
    sql => sub { return [$server->sql($_[0]{sql})] },
    token => sub { return $server->signed_token($_[0]{username}, %{$_[0]{claims} // {}}) },
);

print encode_json({url => $server->url}), "\n";

while (my $line = <STDIN>) {
    my $ask = decode_json($line);
    my $value = eval { $commands{$ask->{do}}->($ask) };
    print encode_json($@ ? {error => "$@"} : {value => ref $value || defined $value && $ask->{do} eq 'token' ? $value : undef}),
        "\n";
}

$server->allow(qr/exited on signal 9/);
$server->stop_parts;
print encode_json({complaints => [$server->complaints]}), "\n";
$server->stop;
