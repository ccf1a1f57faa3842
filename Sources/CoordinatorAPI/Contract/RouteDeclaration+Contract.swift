import HTTPTypes
import RankwiseWire

/// What the contract says of a route, besides its declaration's own words.
extension RouteDeclaration {
    /// All problems that the route may answer, in the order of the codes.
    package var problems: [ProblemCode] {
        var groups: Set<ProblemCode.Group> = [.transport, .rate, .body, .argument]
        groups.formUnion(contract.problems)
        if !admitted.contains(.nobody) { groups.formUnion([.token, .store]) }
        if pattern.contains("{federation}"), !admitted.contains(.nobody) { groups.insert(.federation) }
        if namesRound { groups.insert(.round) }
        // The route takes its own method.
        return ProblemCode.allCases.filter { groups.contains($0.group) && $0 != .methodNotAllowed }
    }

    var operationName: String {
        let parts = pattern.split { !$0.isLetter && !$0.isNumber }.filter { $0 != "v1" }
        return ([method.rawValue.lowercased()] + parts.map(String.init)).joined(separator: "_")
    }

    /// The part of the path that says what it is about.
    var tag: String {
        let literals = pattern.split(separator: "/").filter { !$0.hasPrefix("{") && $0 != "v1" }
        guard literals.first == "federations", literals.count > 1 else {
            return literals.first.map(String.init) ?? "server"
        }
        return String(literals[1])
    }

    /// The path as OpenAPI has it, which knows no parameter of many segments.
    package var contractPath: String { pattern.replacing("...}", with: "}") }

    /// The names in the path.
    var pathNames: [String] {
        contractPath.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    var pathParameters: [JSONValue] {
        pathNames.map { name in
            let schema =
                switch name {
                // Such a route reads nothing of its path.
                case _ where query.isIgnored: Schema.text
                case "round": Schema.integer(from: 0, to: .max)
                case "digest": Schema.digest
                case "id": Schema.string(pattern: "^[0-9a-z]{1,64}$")
                default: Schema.name
                }
            return ["name": .string(name), "in": "path", "required": true, "schema": schema.json]
        }
    }

    var queryParameters: [JSONValue] {
        query.parameters.map { parameter in
            [
                "name": .string(parameter.name), "in": "query", "required": .bool(parameter.isRequired),
                "description": .string(parameter.meaning), "schema": parameter.schema.json,
            ]
        }
    }

    /// The header fields that a part of an upload needs.
    var fieldParameters: [JSONValue] {
        guard mediaType == UploadFields.mediaType else { return [] }
        return [
            [
                "name": "Upload-Offset", "in": "header", "required": true,
                "description": "How many bytes of the upload come before these.",
                "schema": ["type": "string", "pattern": "^[0-9]{1,15}$"],
            ],
            [
                "name": "Upload-Complete", "in": "header", "required": true,
                "description": "Whether this is the last part.",
                "schema": ["enum": ["?0", "?1"]],
            ],
        ]
    }

    static func reason(of status: Int) -> String {
        status == 507 ? "Insufficient Storage" : HTTPResponse.Status(code: status).reasonPhrase
    }
}

extension QueryParameter {
    var schema: Schema {
        if let choices { return .choice(choices) }
        switch kind {
        case .integer:
            let range = range ?? 0...Int.max
            return .integer(from: Int64(range.lowerBound), to: Int64(range.upperBound))
        case .number: return .number
        case .flag: return .choice(["true", "false"])
        case .name: return .name
        case .text: return .text
        }
    }
}
