import HTTPServing

/// The names that a route takes in its query; all others are refused.
package struct DeclaredQuery: Sendable, ExpressibleByArrayLiteral {
    package let parameters: [QueryParameter]
    /// The route takes any query and reads nothing of it.
    package let isIgnored: Bool

    package init(arrayLiteral parameters: QueryParameter...) {
        self.parameters = parameters
        isIgnored = false
    }

    private init() {
        parameters = []
        isIgnored = true
    }

    static let ignored = DeclaredQuery()

    func refuseUnknown(in request: Request) throws(ArgumentError) {
        for pair in request.query.pairs where !parameters.contains(where: { $0.name == pair.name }) {
            throw .unknown(name: pair.name, known: parameters.map(\.name))
        }
    }
}

/// A name in a query, and what its value means.
package struct QueryParameter: Sendable {
    package enum Kind: String, Sendable {
        case integer = "whole number"
        case number
        case flag = "true or false"
        case name
        case text
    }

    package let name: String
    package let kind: Kind
    /// In a few words.
    package let meaning: String

    init(_ name: String, _ kind: Kind, _ meaning: String) {
        self.name = name
        self.kind = kind
        self.meaning = meaning
    }
}
