# Protects the promises of the JavaScript client: its own tests, which node runs
# against a server of theirs, each as one of ours.

use strict;
use warnings;

use Test::More;

my $dir = 'clients/js';
my ($version) = (`node --version 2>&1` // '') =~ /^v(\d+)/;

plan skip_all => 'node is not installed' if !$version;
plan skip_all => "node $version is older than 18" if $version < 18;

# By name, as they come: a file of tests is a test too where it fails as a whole.
open my $node, '-|', 'node', '--test', '--test-reporter=tap',
    glob "$dir/test/*.test.js"
    or die "node: $!\n";
my ($count, $failed, @about) = (0, 0);
while (my $line = <$node>) {
    my ($not, $name, $skipped)
        = $line =~ /^\s*(not )?ok \d+ - (.*?)(?: # SKIP ?(.*))?$/;

    if (!defined $name) {
        push @about, $line if $failed && $line !~ /^\s*(?:---|\.\.\.)?$/;
        diag splice @about if $line =~ /^\s*\.\.\.$/;
        $failed = 0 if $line =~ /^\s*\.\.\.$/;
        next;
    }
    next if !$not && $name =~ /\.test\.js$/;
    $count++;
    $failed = defined $not;
    if (defined $skipped) {
        SKIP: { skip "$name: $skipped", 1 }
        next;
    }
    ok !$not, $name;
}
close $node;
ok $count > 0 && ($? == 0 || !Test::More->builder->is_passing),
    'node ran them to the end';

done_testing;
