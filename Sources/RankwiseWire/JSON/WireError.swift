/// Why a document cannot be read: the key and the reason.
package struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Dotted path of the offending key, empty for the document itself.
    package var path: String
    package var reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { path.isEmpty ? "the document \(reason)" : "\(path) \(reason)" }
}

extension WireError {
    /// Describes an error of Swift's decoders by the key, what was expected and what came.
    package init(describing error: any Error) {
        func dotted(_ path: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
            (path + (last.map { [$0] } ?? [])).map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(
                separator: ".")
        }
        switch error {
        case let error as WireError:
            self = error
        case DecodingError.keyNotFound(let key, let context):
            self.init(path: dotted(context.codingPath, key), reason: "is missing")
        case DecodingError.valueNotFound(let type, let context):
            self.init(path: dotted(context.codingPath), reason: "is null; expected \(Self.name(of: type))")
        case DecodingError.typeMismatch(let type, let context):
            self.init(path: dotted(context.codingPath), reason: "has the wrong type; expected \(Self.name(of: type))")
        case DecodingError.dataCorrupted(let context) where context.underlyingError is WireError:
            // YAML's decoder wraps errors that it does not know.
            self = (context.underlyingError as? WireError) ?? WireError(path: "", reason: "cannot be read")
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            self.init(path: dotted(context.codingPath), reason: "cannot be read: \(context.debugDescription)")
        default:
            self.init(path: "", reason: Self.notJSON)
        }
    }

    static let notJSON = "is not valid JSON"

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is Int.Type, is Int64.Type, is UInt64.Type: "a whole number"
        case is Double.Type, is Float.Type: "a number"
        case is [String: JSONValue].Type: "an object"
        default: "\(type)".hasPrefix("Array") ? "a list" : "an object"
        }
    }
}
