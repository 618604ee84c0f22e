# Makes the database that servers of tests start with: migrated and seeded.

package CSChat::Template;

use strict;
use warnings;

use CSChat::Server;

sub make {
    my ($directory) = @_;

    delete local $ENV{CSC_TEST_TEMPLATE};
    my $server = CSChat::Server->new(only => [qw(redis postgres)]);
    $server->seed;
    $server->stop_part('postgres', 'INT');
    unlink glob "$server->{dir}/pg/.s.PGSQL.*";
    rename "$server->{dir}/pg", $directory or die "$directory: $!\n";
    $server->{finished} = 1;
    $server->stop;
    return;
}

1;
