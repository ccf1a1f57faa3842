package import RankwiseWire

/// What a route takes and answers, for the contract.
package struct RouteContract: Sendable {
    /// A body of a request.
    package enum Body: Sendable {
        case none
        case json(Schema)
        /// Bytes of a type; `example` is a sentence about them.
        case bytes(type: String)
    }

    /// An answer that is no problem.
    package struct Answer: Sendable {
        package let status: Int
        /// A few words.
        package let meaning: String
        /// The body's type; nil for none.
        package let type: String?
        /// The body's schema; nil for bytes.
        package let schema: Schema?

        static func json(_ schema: Schema, _ meaning: String, status: Int = 200) -> Answer {
            Answer(status: status, meaning: meaning, type: "application/json", schema: schema)
        }

        static func none(_ meaning: String, status: Int = 204) -> Answer {
            Answer(status: status, meaning: meaning, type: nil, schema: nil)
        }

        static func bytes(_ type: String, _ meaning: String, status: Int = 200) -> Answer {
            Answer(status: status, meaning: meaning, type: type, schema: nil)
        }
    }

    package var body = Body.none
    package var answers: [Answer] = []
    package var problems: Set<ProblemCode.Group> = []

    init(body: Body = .none, answers: [Answer], problems: Set<ProblemCode.Group> = []) {
        self.body = body
        self.answers = answers
        self.problems = problems
    }

    /// A route whose contract is not written yet; a test finds it.
    static let missing = RouteContract(answers: [])
}

extension [RouteContract.Answer] {
    /// A file that is served with conditions and ranges.
    static func file(_ type: String) -> Self {
        [
            .bytes(type, "The file"), .bytes(type, "The asked part of the file", status: 206),
            .none("The caller has it already", status: 304),
            .none("A condition of the request does not hold", status: 412),
        ]
    }

    /// An answer to a poll that may wait.
    static func poll(_ schema: Schema) -> Self {
        [.json(schema, "As it stands"), .none("Nothing newer within the time")]
    }
}
