# Protects the promises of the JavaScript client: its own tests, which node runs
# against a server of theirs.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Node;

CSChat::Node::run_client_tests();
