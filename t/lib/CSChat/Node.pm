package CSChat::Node;

# Tests that node runs, each as one of ours.

use strict;
use warnings;

use Test::More;

# Those of the JavaScript client.
sub run_client_tests {
    return run_tests([glob 'clients/js/test/*.test.js']);
}

# Those of widget and console that need no browser.
sub run_page_tests {
    my (@names) = @_;
    return run_tests([map { "t/browser/$_.test.js" } @names]);
}

# Those of these names in t/browser.
sub run_browser_tests {
    my (@names) = @_;
    my $chromium = $ENV{CHROMIUM} // '/usr/bin/chromium';

    return run_tests([map { "t/browser/$_.test.js" } @names],
        chromium => -x $chromium,
        'playwright-core (npm ci in t/browser)' =>
            -e 't/browser/node_modules/playwright-core',
    );
}

# Runs these files, one after the other, and ends the test.  %needs: what else
# there must be, "name => whether it is there".
sub run_tests {
    my ($files, %needs) = @_;
    my ($version) = (`node --version 2>&1` // '') =~ /^v(\d+)/;

    plan skip_all => 'node is not installed' if !$version;
    plan skip_all => "node $version is older than 18" if $version < 18;
    for my $name (sort keys %needs) {
        plan skip_all => "$name is not installed" if !$needs{$name};
    }

    my ($count, $bad) = report(@$files);
    ok $count > 0 && (!$bad || !Test::More->builder->is_passing),
        'node ran them to the end';
    done_testing;
    return;
}

# By name, as they come: a file of tests is a test too where it fails as a
# whole.  How many there were, and whether node failed.
sub report {
    my (@files) = @_;
    my ($count, $failed, $bad, @about) = (0, 0, 0);

    for my $file (@files) {
        open my $node, '-|', 'node', '--test', '--test-reporter=tap', $file
            or die "node: $!\n";
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
        $bad ||= $?;
    }
    return ($count, $bad);
}

1;
