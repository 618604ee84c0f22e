# Configurations that are made of pieces and tried with "nginx -t".

package CSChat::Config;

use strict;
use warnings;

use File::Temp ();

use CSChat::File qw(read_file write_file);
use CSChat::Server;
use CSChat::Process qw(spawn_and_wait);

sub new {
    my ($class) = @_;
    my $self = bless {
        dir => File::Temp::tempdir('cs-chat-c-XXXXXXXX', TMPDIR => 1, CLEANUP => 1)
    }, $class;

    mkdir "$self->{dir}/sanitizer";
    return $self;
}

# Writes a file beside the configuration: its path.
sub file {
    my ($self, $name, $content) = @_;

    return write_file("$self->{dir}/$name", $content);
}

# Whether a configuration is valid, and all that nginx says.  Pieces:
#   http       instead of the signing key, in http
#   server     in server
#   location   in a location of the API
#   locations  instead of that location
#   module     0: the module is not loaded
sub try {
    my ($self, %o) = @_;
    my $load = $o{module} // 1
        ? 'load_module ' . CSChat::Server::module() . ';' : '';
    my $http = $o{http} // "cs_chat_jwt_key '$CSChat::Server::key';";
    my $server = $o{server} // '';
    my $locations = $o{locations}
        // 'location /api/ { cs_chat_api; ' . ($o{location} // '') . ' }';

    $self->file('nginx.conf', <<"END");
$load
pid $self->{dir}/nginx.pid;
events { }
http {
    access_log off;
    client_body_temp_path $self->{dir}/body;
    proxy_temp_path $self->{dir}/proxy;
    fastcgi_temp_path $self->{dir}/fastcgi;
    uwsgi_temp_path $self->{dir}/uwsgi;
    scgi_temp_path $self->{dir}/scgi;
    $http
    server {
        listen unix:$self->{dir}/socket;
        $server
        $locations
    }
}
END
    return $self->test("$self->{dir}/nginx.conf");
}

# The same for a file that is there.
sub test {
    my ($self, $file) = @_;
    my $log = $self->file('output', '');

    my $status = spawn_and_wait(
        command => [
            $ENV{NGINX} || 'nginx', '-t', '-p', $self->{dir},
            '-e', 'stderr', '-c', $file
        ],
        env => CSChat::Server::nginx_env($self),
        log => $log,
    );
    return ($status == 0, read_file($log));
}

# nginx_env of CSChat::Server asks for these
sub sanitizer_env { return CSChat::Server::sanitizer_env(@_) }

1;
