/// One header field of a request or an answer.
package struct HTTPField: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// Whether the field can be sent as one line: a token for a name, no line break or NUL in the value.
    var isSendable: Bool {
        let symbols = Set("!#$%&'*+-.^_`|~".utf8)
        let isToken =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default:
                    symbols.contains(byte)
                }
            }
        return isToken && value.utf8.allSatisfy { $0 != 0 && $0 != 10 && $0 != 13 }
    }
}

extension [HTTPField] {
    /// The first value under `name`, whose case does not matter.
    package subscript(name: String) -> String? {
        let wanted = name.lowercased()
        return first { $0.name.lowercased() == wanted }?.value
    }
}
