/// A part of a request's target or header has a value that the operation does not accept.
enum ArgumentError: Error, Hashable, CustomStringConvertible {
    case missing(name: String, expected: String)
    case invalid(name: String, found: String, expected: String)
    case unknown(name: String, known: [String])

    var description: String {
        switch self {
        case .missing(let name, let expected): "\(name) is missing; expected \(expected)"
        case .invalid(let name, let found, let expected): "\(name) is '\(found.prefix(80))'; expected \(expected)"
        case .unknown(let name, let known):
            known.isEmpty
                ? "'\(name.prefix(80))' is not known here; expected no query"
                : "'\(name.prefix(80))' is not known here; expected \(known.joined(separator: ", "))"
        }
    }
}
