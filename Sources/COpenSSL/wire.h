/* TLS of many connections on one thread: they share one BIO, which reads and writes memory of that thread. */
#ifndef GWNODE_COPENSSL_WIRE_H
#define GWNODE_COPENSSL_WIRE_H

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

/* Bytes that came and are not read yet, and bytes that are to be sent. */
typedef struct {
    const unsigned char *input;
    size_t input_count;
    unsigned char *output;
    size_t output_count;
    size_t output_capacity;
} gw_wire;

static int gw_wire_read(BIO *bio, char *target, size_t wanted, size_t *got) {
    gw_wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (wire->input_count == 0) {
        *got = 0;
        BIO_set_retry_read(bio);
        return 0;
    }
    *got = wanted < wire->input_count ? wanted : wire->input_count;
    memcpy(target, wire->input, *got);
    wire->input += *got;
    wire->input_count -= *got;
    return 1;
}

static int gw_wire_write(BIO *bio, const char *bytes, size_t count, size_t *written) {
    gw_wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *written = 0;
    if (count > wire->output_capacity - wire->output_count) return 0;
    memcpy(wire->output + wire->output_count, bytes, count);
    wire->output_count += count;
    *written = count;
    return 1;
}

static long gw_wire_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static inline BIO_METHOD *gw_wire_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gwnode wire");
    if (!method) return NULL;
    BIO_meth_set_read_ex(method, gw_wire_read);
    BIO_meth_set_write_ex(method, gw_wire_write);
    BIO_meth_set_ctrl(method, gw_wire_control);
    return method;
}

static inline BIO *gw_wire_bio(BIO_METHOD *method, gw_wire *wire) {
    BIO *bio = BIO_new(method);
    if (!bio) return NULL;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}

/* An SSL object on the shared BIO. */
static inline SSL *gw_wire_connection(SSL_CTX *context, BIO *bio) {
    SSL *ssl = SSL_new(context);
    if (!ssl) return NULL;
    BIO_up_ref(bio);
    SSL_set_bio(ssl, bio, bio);
    return ssl;
}

typedef int (*gw_name_callback)(SSL *, int *, void *);

static inline void gw_on_server_name(SSL_CTX *context, gw_name_callback callback, void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}

static inline int gw_set_groups(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, groups);
}

/* Buffers of idle connections go back to the allocator; sessions are kept by clients, in one ticket each: most have one
   connection or reuse it. */
static inline void gw_prepare_server(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

static inline void gw_give_no_tickets(SSL_CTX *context) {
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
}

/* Sessions are kept by whoever dials. */
static inline void gw_prepare_client(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

static inline int gw_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

/* One of the certificates that a server showed, its own being the first, with a reference; NULL behind the last. */
static inline X509 *gw_peer_certificate(const SSL *ssl, int index) {
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    if (index >= sk_X509_num(chain)) return NULL;
    X509 *certificate = sk_X509_value(chain, index);
    X509_up_ref(certificate);
    return certificate;
}

/* Whether the server's certificate in a session has expired since. Resuming does not look at it again. */
static inline int gw_session_is_outdated(const SSL_SESSION *session) {
    X509 *certificate = SSL_SESSION_get0_peer((SSL_SESSION *)session);
    return certificate && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

/* A connection that ends without a farewell would make its session unusable for others. */
static inline void gw_free_keeping_session(SSL *ssl) {
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
}

static inline int gw_ticket_cipher(
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const EVP_CIPHER *algorithm, const unsigned char *key,
    const unsigned char *mac_key, size_t mac_key_count, const unsigned char *iv, int encrypts) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)mac_key, mac_key_count),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    if (!EVP_MAC_CTX_set_params(mac, parameters)) return 0;
    return EVP_CipherInit_ex2(cipher, algorithm, key, iv, encrypts, NULL);
}

/* Certificates of these authorities are asked for and believed. */
static inline int gw_add_client_authority(SSL_CTX *context, X509 *authority) {
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority)
        && SSL_CTX_add_client_CA(context, authority);
}

/* Calls back with each DNS name among the alternative names, or with the common name where there are none. */
static inline void gw_for_each_name(X509 *certificate, void (*body)(const unsigned char *, int, void *), void *context) {
    int found = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        found = 1;
        body(ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName), context);
    }
    GENERAL_NAMES_free(names);
    if (found) return;
    X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0) return;
    ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
    body(ASN1_STRING_get0_data(text), ASN1_STRING_length(text), context);
}

/* The subject as RFC 4514 writes it, in ASCII, cut to the buffer's size. The number of bytes, 0 without a verified
   certificate. */
static inline int gw_peer_subject(const SSL *ssl, char *buffer, int capacity) {
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio) return 0;
    int count = 0;
    if (X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
        count = BIO_read(bio, buffer, capacity);
    BIO_free(bio);
    return count > 0 ? count : 0;
}

#endif
