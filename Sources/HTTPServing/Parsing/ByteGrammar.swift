import Foundation

/// The character classes of RFC 9110 and RFC 3986, over raw bytes.
enum ByteGrammar {
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let tab = UInt8(ascii: "\t")
    static let percent = UInt8(ascii: "%")

    private struct Classes: OptionSet {
        let rawValue: UInt8
        static let token = Classes(rawValue: 1)
        /// `pchar` of RFC 3986 and the slash, without the percent sign.
        static let path = Classes(rawValue: 2)
        static let query = Classes(rawValue: 4)
        /// The characters of `Host`: a registered name, an address, a bracketed address, a port.
        static let host = Classes(rawValue: 8)
        static let fieldValue = Classes(rawValue: 16)
    }

    private static let table: [Classes] = {
        var table = [Classes](repeating: [], count: 256)
        func mark(_ text: StaticString, _ classes: Classes) {
            text.withUTF8Buffer { for byte in $0 { table[Int(byte)].formUnion(classes) } }
        }
        mark("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", [.token, .path, .query, .host])
        mark("!#$%&'*+-.^_`|~", .token)
        mark("-._~!$&'()*+,;=", [.path, .query, .host])
        mark(":@/", [.path, .query])
        mark("?", .query)
        mark("[]:%", .host)
        for byte in 0x20...0xFF where byte != 0x7F { table[byte].formUnion(.fieldValue) }
        table[Int(tab)].formUnion(.fieldValue)
        return table
    }()

    static func isToken(_ byte: UInt8) -> Bool { table[Int(byte)].contains(.token) }
    static func isPath(_ byte: UInt8) -> Bool { table[Int(byte)].contains(.path) }
    static func isQuery(_ byte: UInt8) -> Bool { table[Int(byte)].contains(.query) }
    static func isHost(_ byte: UInt8) -> Bool { table[Int(byte)].contains(.host) }
    static func isFieldValue(_ byte: UInt8) -> Bool { table[Int(byte)].contains(.fieldValue) }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// A decimal number, digits only.
    /// - Returns: nil where there is none, or where it exceeds an `Int`.
    static func decimal(_ digits: some Sequence<UInt8>) -> Int? {
        var value: Int?
        for digit in digits {
            guard isDigit(digit) else { return nil }
            let (product, overflow) = (value ?? 0).multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }
}

extension Span<UInt8> {
    func firstIndex(of byte: UInt8) -> Int? {
        withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress, let found = memchr(start, Int32(byte), bytes.count) else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(start)
        }
    }

    /// The bytes as UTF-8; invalid parts are replaced.
    var text: String {
        withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
