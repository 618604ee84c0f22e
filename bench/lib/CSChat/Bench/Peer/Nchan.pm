# Nchan (Debian's libnginx-mod-nchan) in nginx with two processes; with Redis,
# as several machines need it, or without.

package CSChat::Bench::Peer::Nchan;

use strict;
use warnings;

use parent 'CSChat::Bench::Peer';

my ($module) = glob '/usr/lib{,/x86_64-linux-gnu}/nginx/modules/'
    . 'ngx_nchan_module.so';

sub there { return defined $module && -e $module }

sub name {
    return $_[0]{redis} ? 'Nchan, two processes, Redis' : 'Nchan, two processes';
}
sub kinds { return $_[0]{redis} ? qw(nginx redis) : 'nginx' }

sub start {
    my ($self) = @_;
    my $redis = "$self->{address}:" . $self->redis_port;

    if ($self->{redis}) {
        $self->run_part('redis', $self->redis_port, 'redis-server', '--bind',
            $self->{address}, '--port', $self->redis_port, '--dir',
            $self->{dir}, '--save', '', '--appendonly', 'no');
    }

    my %value = (
        MODULES => $module =~ s{/[^/]*$}{}r,
        USER => $> == 0 ? 'user root;' : '',
        DIR => $self->{dir},
        FILES => CSChat::Bench::Machine::descriptors(),
        LISTEN => "$self->{address}:" . $self->port,
        REDIS => $self->{redis}
            ? "upstream redis { nchan_redis_server redis://$redis; }" : '',
        USE_REDIS => $self->{redis} ? 'nchan_redis_pass redis;' : '',
    );
    my $text = CSChat::Bench::Machine::text(
        "$CSChat::Bench::Peer::root/bench/peers/nchan.conf");
    $text =~ s/\@([A-Z_]+)\@/$value{$1}/g;
    open my $out, '>', "$self->{dir}/nginx.conf" or die "nginx.conf: $!\n";
    print $out $text;
    close $out or die "nginx.conf: $!\n";

    $self->run_part('nginx', $self->port, CSChat::Server::nginx_program(),
        '-p', $self->{dir}, '-e', "$self->{dir}/error.log", '-c',
        "$self->{dir}/nginx.conf");
    return;
}

1;
