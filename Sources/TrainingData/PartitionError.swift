/// Why a data set cannot be divided as requested.
package enum PartitionError: Error, Equatable, Sendable {
    case clients(Int)
    case alpha(Double)
    case fraction(Double)
    case tooFewExamples(Int, clients: Int)
    case empty(client: Int)
}

extension PartitionError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .clients(let count): "\(count) clients; at least 1 is needed"
        case .alpha(let alpha): "alpha is \(alpha); a number above 0 and up to 1e9 is needed"
        case .fraction(let fraction):
            "a held-out fraction of \(fraction) leaves one side empty; a number between 0 and 1 is needed"
        case .tooFewExamples(let examples, let clients): "\(examples) examples are too few for \(clients) clients"
        case .empty(let client): "client \(client) would have no example; deal to fewer clients"
        }
    }
}
