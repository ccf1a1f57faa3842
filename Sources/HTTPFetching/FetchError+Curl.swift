import CCurl

extension FetchError {
    /// Translates curl's result; `detail` is curl's own message.
    init(_ code: CURLcode, detail: String) {
        let message = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
        guard !Self.isRefusedCertificate(code, message) else {
            self = .untrusted(message)
            return
        }
        switch code {
        case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_UNKNOWN_OPTION, CURLE_SETOPT_OPTION_SYNTAX,
            CURLE_NOT_BUILT_IN,
            // The files of certificates and keys that this client was given.
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM:
            self = .malformedRequest(message)
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_PROXY:
            self = .unreachable(message)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            self = .untrusted(message)
        case CURLE_OPERATION_TIMEDOUT:
            self = .timedOut(message)
        // The scheme was checked before, so "unsupported" means an answer without a status line.
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING:
            self = .malformedResponse(message)
        default:
            self = .interrupted(message)
        }
    }

    /// Whether the server has refused this client's certificate, or a missing one, by a TLS alert.
    private static func isRefusedCertificate(_ code: CURLcode, _ message: String) -> Bool {
        switch code {
        case CURLE_SSL_CONNECT_ERROR, CURLE_RECV_ERROR, CURLE_SEND_ERROR:
            // OpenSSL's names for these alerts.
            [
                "alert certificate required", "alert bad certificate", "alert unsupported certificate",
                "alert certificate revoked", "alert certificate expired", "alert certificate unknown",
                "alert unknown ca", "alert handshake failure",
            ].contains { message.contains($0) }
        default: false
        }
    }
}
