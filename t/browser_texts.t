# Widget and console: their words in each language, what each of them loads.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Node;

CSChat::Node::run_page_tests(qw(texts));
