/// Why an `adapter_config.json` does not fit a federation: the key, its value and what was expected.
package struct ConfigRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    package let key: String
    package let found: String
    package let reason: String

    package init(key: String, found: String, reason: String) {
        self.key = key
        self.found = found
        self.reason = reason
    }

    package var description: String { "\(key) is \(found.prefix(200)); \(reason)" }
}
