/* What a WebSocket server sends: frames, and the answer to a handshake. */

#include "csc_ws.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define CSC_WS_FIN 0x80
#define CSC_WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define CSC_WS_KEY_LEN 24 /* 16 bytes in base64: 22 digits, two '=' */

static int csc_ws_sha1(
    const unsigned char *data, size_t len, unsigned char *hash);
static int csc_ws_key_valid(csc_str_t key);

/* Kept from one digest to the next: looking SHA-1 up takes longer than it. */
static EVP_MD_CTX *digester;


size_t
csc_ws_frame_header(int opcode, uint64_t payload, unsigned char *out)
{
    int shift;

    out[0] = (unsigned char) (CSC_WS_FIN | opcode);

    if (payload <= CSC_WS_MAX_CONTROL) {
        out[1] = (unsigned char) payload;
        return 2;
    }

    if (payload <= UINT16_MAX) {
        out[1] = 126;
        out[2] = (unsigned char) (payload >> 8);
        out[3] = (unsigned char) payload;
        return 4;
    }

    out[1] = 127;
    out += 2;

    for (shift = 56; shift >= 0; shift -= 8) {
        *out++ = (unsigned char) (payload >> shift);
    }

    return CSC_WS_MAX_HEADER;
}


size_t
csc_ws_close_frame(int code, csc_str_t reason, unsigned char *out)
{
    size_t len;

    if (code == CSC_WS_CLOSE_NO_STATUS) {
        return csc_ws_frame_header(CSC_WS_CLOSE, 0, out);
    }

    len = reason.len;

    if (len > CSC_WS_MAX_CONTROL - 2) {
        len = CSC_WS_MAX_CONTROL - 2;

        /* back to where a character begins */
        while (len > 0 && (reason.data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    csc_ws_frame_header(CSC_WS_CLOSE, 2 + len, out);

    out[2] = (unsigned char) (code >> 8);
    out[3] = (unsigned char) code;

    if (len > 0) {
        memcpy(out + 4, reason.data, len);
    }

    return 4 + len;
}


int
csc_ws_accept(csc_str_t key, unsigned char *out)
{
    unsigned char text[CSC_WS_KEY_LEN + sizeof(CSC_WS_GUID) - 1];
    unsigned char hash[SHA_DIGEST_LENGTH];
    unsigned char accept[CSC_WS_ACCEPT_LEN + 1]; /* OpenSSL adds a NUL */

    if (!csc_ws_key_valid(key)) {
        return CSC_ERROR;
    }

    memcpy(text, key.data, CSC_WS_KEY_LEN);
    memcpy(text + CSC_WS_KEY_LEN, CSC_WS_GUID, sizeof(CSC_WS_GUID) - 1);

    if (csc_ws_sha1(text, sizeof(text), hash) != CSC_OK) {
        return CSC_ERROR;
    }

    EVP_EncodeBlock(accept, hash, SHA_DIGEST_LENGTH);
    memcpy(out, accept, CSC_WS_ACCEPT_LEN);

    return CSC_OK;
}


void
csc_ws_accept_end(void)
{
    EVP_MD_CTX_free(digester);
    digester = NULL;
}


static int
csc_ws_sha1(const unsigned char *data, size_t len, unsigned char *hash)
{
    const EVP_MD *algorithm;

    algorithm = NULL; /* the one that the context has */

    if (digester == NULL) {
        algorithm = EVP_sha1();
        digester = EVP_MD_CTX_new();
    }

    if (digester != NULL && EVP_DigestInit_ex(digester, algorithm, NULL) == 1
        && EVP_DigestUpdate(digester, data, len) == 1
        && EVP_DigestFinal_ex(digester, hash, NULL) == 1)
    {
        return CSC_OK;
    }

    csc_ws_accept_end();
    return CSC_ERROR;
}


static int
csc_ws_key_valid(csc_str_t key)
{
    size_t i;
    unsigned char c;

    if (key.len != CSC_WS_KEY_LEN || key.data[22] != '=' || key.data[23] != '=')
    {
        return 0;
    }

    for (i = 0; i < 22; i++) {
        c = key.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
                || (c >= '0' && c <= '9') || c == '+' || c == '/'))
        {
            return 0;
        }
    }

    return 1;
}
