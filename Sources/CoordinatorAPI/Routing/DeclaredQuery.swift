import HTTPServing

/// The query parameters of a route; all others are refused.
package struct DeclaredQuery: Sendable, ExpressibleByArrayLiteral {
    package let parameters: [QueryParameter]
    /// Whether the route accepts any query and ignores it.
    package let isIgnored: Bool

    package init(arrayLiteral parameters: QueryParameter...) {
        self.parameters = parameters
        isIgnored = false
    }

    /// - Parameter path: gets `round=best` beside these parameters, unless the path names a round itself.
    init(_ parameters: [QueryParameter], bestRoundOf path: String) {
        self.parameters = path.contains("{round}") ? parameters : parameters + [RankwiseAPI.bestRound]
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

/// A query parameter and the meaning of its value.
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
    /// A description in a few words.
    package let meaning: String
    /// Of a whole number; nil for all from 0 on.
    package let range: ClosedRange<Int>?
    /// The values that a text may have; nil for any.
    package let choices: [String]?
    package let isRequired: Bool

    init(
        _ name: String, _ kind: Kind, _ meaning: String, in range: ClosedRange<Int>? = nil,
        oneOf choices: [String]? = nil,
        isRequired: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.meaning = meaning
        self.range = range
        self.choices = choices
        self.isRequired = isRequired
    }
}
