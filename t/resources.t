# Protects from what runs out slowly: descriptors and memory of each process
# after many connects, reloads and cuts of the links to Redis, and processes
# that outlive a reload or spin.  "make chaos RESOURCES=1" does more of each.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Chaos::Resources;
use Test::More;

my $resources = CSChat::Chaos::Resources->new;

sub none {
    my ($name, @wrong) = @_;

    is join("\n", @wrong), '', "nothing is left behind after $name";
    return;
}

none('200 connects', $resources->connects(200));
none('10 reloads', $resources->reloads(10));
none('100 cuts', $resources->redis_cuts(100));
note $_ for $resources->table;

$resources->server->finish;
done_testing;
