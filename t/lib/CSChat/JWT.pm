# Tokens made by hand, wrong ones too.

package CSChat::JWT;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);

my $json = JSON::PP->new->utf8->canonical;
my %hmac = (
    HS256 => \&hmac_sha256,
    HS384 => \&hmac_sha384,
    HS512 => \&hmac_sha512,
);

# A token with these claims (a hash reference, or JSON as text).  Options: alg
# (HS256), which names the signature; header => {...} instead of the usual one.
sub sign {
    my ($key, $claims, %o) = @_;
    my $alg = $o{alg} // 'HS256';
    my $header = $o{header} // {alg => $alg, typ => 'JWT'};
    my $text = join '.',
        map { encode_base64url(ref $_ ? $json->encode($_) : $_) }
        $header, $claims;

    return $text . '.' . encode_base64url($hmac{$alg}->($text, $key));
}

# The claims of a token, unchecked.
sub claims {
    my ($token) = @_;

    return $json->decode(decode_base64url((split /\./, $token)[1]));
}

sub random_id {
    open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!";
    read $random, my $bytes, 16;
    return unpack 'H*', $bytes;
}

1;
