package import AdapterFormat
package import StrictJSON

/// Why a file describes no tokenizer that can be used: the place, what was expected and what came.
package enum TokenizerError: Error, Equatable, Sendable {
    case unreadable(file: String, SystemError)
    case json(file: String, JSONSyntaxError)
    /// A part of the description is of another form, or not supported.
    case unsupported(file: String, part: String, expected: String, found: String)
    /// The vocabulary, the merges and the added tokens do not go together.
    case vocabulary(file: String, reason: String)
}

extension TokenizerError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let file, let error): "\(file) cannot be read: \(error)"
        case .json(let file, let error): "\(file) is not sound JSON: \(error)"
        case .unsupported(let file, let part, let expected, let found):
            "\(file): \(part) is \(found); expected \(expected)"
        case .vocabulary(let file, let reason): "\(file): \(reason)"
        }
    }
}
