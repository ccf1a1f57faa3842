/// Why an address, a token or a certificate that the user gave cannot be used.
package struct AccessError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
