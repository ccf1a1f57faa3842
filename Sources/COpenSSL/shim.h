#pragma once
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// What OpenSSL defines as macros, which Swift cannot call.

static inline int rankwise_ssl_set_least_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}

static inline void rankwise_ssl_set_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_mode(context, mode);
}

static inline void rankwise_ssl_set_read_ahead(SSL_CTX *context, int on) {
    SSL_CTX_set_read_ahead(context, on);
}

static inline void rankwise_ssl_set_session_cache(SSL_CTX *context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}

static const uint64_t rankwise_ssl_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t rankwise_ssl_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t rankwise_ssl_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;

static inline int rankwise_general_name_count(const GENERAL_NAMES *names) {
    return sk_GENERAL_NAME_num(names);
}

// The text of a DNS name or a URI; null for any other kind.
static inline const ASN1_STRING *rankwise_general_name_text(const GENERAL_NAMES *names, int index, int *isURI) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    *isURI = name->type == GEN_URI;
    return name->type == GEN_URI || name->type == GEN_DNS ? name->d.ia5 : NULL;
}
