# A relay on npm's ws, bench/peers/ws: one process of Node.js, as is common.

package CSChat::Bench::Peer::Ws;

use strict;
use warnings;

use parent 'CSChat::Bench::Peer';

my $here = "$CSChat::Bench::Peer::root/bench/peers/ws";
my $there = "$CSChat::Bench::Peer::root/build/bench/npm";

# Node.js is there, and ws is or can be installed below build/.
sub there {
    return 0 if system('command -v node npm >/dev/null 2>&1') != 0;
    return 1 if -d "$there/node_modules/ws";

    return system("mkdir -p '$there' && cp '$here'/package*.json '$there'"
            . " && cd '$there' && npm ci --no-audit --no-fund >npm.log 2>&1")
        == 0;
}

sub name { return 'npm ws, one process' }
sub kinds { return 'node' }

sub start {
    my ($self) = @_;

    # require() looks beside the program
    system('cp', "$here/server.js", "$there/server.js") == 0
        or die "server.js can't be copied\n";
    $self->run_part('node', $self->port, 'node', "$there/server.js",
        $self->{address}, $self->port, $CSChat::Server::key);
    return;
}

1;
