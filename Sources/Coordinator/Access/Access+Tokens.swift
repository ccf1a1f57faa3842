import Crypto
package import Federation

/// Makes, hashes and recognises the texts of tokens.
extension Access {
    /// SHA-256 of a token's text.
    package static func hash(_ token: String) -> ContentDigest {
        guard let digest = ContentDigest(bytes: Array(SHA256.hash(data: Array(token.utf8)))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return digest
    }

    /// A new token: 256 random bits in base64url.
    package static func makeToken() -> String {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        return String(
            decoding: (0..<43).map { _ in alphabet[Int(generator.next(upperBound: UInt64(64)))] }, as: UTF8.self)
    }

    /// Whether the text can be a client's token: 32 bytes in hexadecimal or base64url.
    static func isClientToken(_ text: String) -> Bool {
        let isHexadecimal = text.utf8.count == 64 && text.utf8.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
        let isBase64 = (43...44).contains(text.utf8.count) && text.utf8.allSatisfy(isBase64URL)
        return isHexadecimal || isBase64
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        let character = Character(UnicodeScalar(byte))
        return character.isASCII && (character.isLetter || character.isNumber || "-_=".contains(character))
    }
}
