import COpenSSL
import Foundation

/// The names in a peer's certificate, which a client CA has signed.
package struct PeerCertificate: Sendable, Hashable {
    /// Common names and DNS names unchanged, and of URIs the part after the last slash or colon.
    package let names: Set<String>

    package init(names: Set<String>) {
        self.names = names
    }

    /// - Parameter session: a session after its handshake.
    /// - Returns: nil where the peer has shown no certificate.
    init?(of session: OpaquePointer) {
        guard let certificate = SSL_get1_peer_certificate(session) else { return nil }
        defer { X509_free(certificate) }
        guard SSL_get_verify_result(session) == Int(X509_V_OK) else { return nil }
        var names = Self.commonNames(of: certificate)
        names.formUnion(Self.alternativeNames(of: certificate))
        self.names = names
    }

    private static func commonNames(of certificate: OpaquePointer) -> Set<String> {
        var names: Set<String> = []
        let subject = X509_get_subject_name(certificate)
        var index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        while index >= 0 {
            let value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index))
            var text: UnsafeMutablePointer<UInt8>?
            let count = ASN1_STRING_to_UTF8(&text, value)
            if count > 0, let text {
                names.insert(String(decoding: UnsafeBufferPointer(start: text, count: Int(count)), as: UTF8.self))
            }
            CRYPTO_free(text, nil, 0)
            index = X509_NAME_get_index_by_NID(subject, NID_commonName, index)
        }
        return names
    }

    private static func alternativeNames(of certificate: OpaquePointer) -> Set<String> {
        guard let list = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
        let alternatives = OpaquePointer(list)
        defer { GENERAL_NAMES_free(alternatives) }
        var names: Set<String> = []
        for index in 0..<rankwise_general_name_count(alternatives) {
            var isURI: Int32 = 0
            guard let value = rankwise_general_name_text(alternatives, index, &isURI),
                let start = ASN1_STRING_get0_data(value)
            else { continue }
            let bytes = UnsafeBufferPointer(start: start, count: Int(max(0, ASN1_STRING_length(value))))
            let name =
                isURI == 0
                ? bytes[...] : bytes.suffix(while: { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") })
            if !name.isEmpty { names.insert(String(decoding: name, as: UTF8.self)) }
        }
        return names
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The longest suffix whose bytes all satisfy a condition.
    fileprivate func suffix(while isPart: (UInt8) -> Bool) -> Slice<UnsafeBufferPointer<UInt8>> {
        self[(lastIndex { !isPart($0) }.map { $0 + 1 } ?? startIndex)...]
    }
}
