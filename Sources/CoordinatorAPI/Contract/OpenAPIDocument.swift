import HTTPTypes
import RankwiseWire

/// The contract as an OpenAPI 3.1 document, made of what routes declare.
struct OpenAPIDocument {
    private let version: String
    private let routes: [RouteDeclaration]
    private var schemas: [String: JSONValue] = Problem.schema.components
    /// Problems by status; operations share those with the same codes.
    private var responses: [String: JSONValue] = [:]
    private var names: [[ProblemCode]: [Int: String]] = [:]

    init(version: String, routes: [RouteDeclaration]) {
        self.version = version
        self.routes = routes
    }

    /// The whole document.
    static func json(version: String, routes: [RouteDeclaration]) -> JSONValue {
        var document = OpenAPIDocument(version: version, routes: routes)
        return document.document()
    }

    private mutating func document() -> JSONValue {
        var paths: [String: [String: JSONValue]] = [:]
        for route in routes {
            paths[route.contractPath, default: [:]][route.method.rawValue.lowercased()] = operation(route)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Rankwise", "version": .string(version),
                "summary": "Coordinates federated fine-tuning with LoRA adapters.",
                "description":
                    "Errors are RFC 9457 problems with a stable code. x-roles of an operation lists the tokens that may call it.",
            ],
            "servers": [["url": "/"]],
            "paths": .object(paths.mapValues { .object($0) }),
            "components": [
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
                "schemas": .object(schemas), "responses": .object(responses),
            ],
        ]
    }

    private mutating func operation(_ route: RouteDeclaration) -> JSONValue {
        var operation: [String: JSONValue] = [
            "operationId": .string(route.operationName), "summary": .string(route.summary),
            "description": .string("Callers: \(route.callers)."),
            "tags": [.string(route.tag)],
            "x-roles": .array(CallerRole.allCases.filter { route.admitted.contains($0) }.map { .string($0.rawValue) }),
            "security": route.admitted.contains(.nobody) ? [] : [["token": []]],
        ]
        let parameters = route.pathParameters + route.queryParameters + route.fieldParameters
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        switch route.contract.body {
        case .none: break
        case .json(let schema):
            keep(schema)
            operation["requestBody"] = ["required": true, "content": ["application/json": ["schema": schema.json]]]
        case .bytes(let type):
            operation["requestBody"] = ["required": true, "content": .object([type: [:]])]
        }
        operation["responses"] = .object(answers(of: route).merging(problems(of: route)) { answer, _ in answer })
        return .object(operation)
    }

    private mutating func keep(_ schema: Schema) { schemas.merge(schema.components) { known, _ in known } }

    private mutating func answers(of route: RouteDeclaration) -> [String: JSONValue] {
        var found: [String: JSONValue] = [:]
        for answer in route.contract.answers {
            var response: [String: JSONValue] = ["description": .string(answer.meaning)]
            if let type = answer.type, route.method != .head {
                if let schema = answer.schema { keep(schema) }
                var content: [String: JSONValue] = [:]
                // Answers of one status may differ in their type.
                if case .object(let known) = found[String(answer.status)], case .object(let types) = known["content"] {
                    content = types
                }
                content[type] = answer.schema.map { ["schema": $0.json] } ?? [:]
                response["content"] = .object(content)
            }
            found[String(answer.status)] = .object(response)
        }
        return found
    }

    private mutating func problems(of route: RouteDeclaration) -> [String: JSONValue] {
        var byStatus: [Int: [ProblemCode]] = [:]
        for code in route.problems {
            for status in code.statuses { byStatus[status, default: []].append(code) }
        }
        var found: [String: JSONValue] = [:]
        for (status, codes) in byStatus {
            let name = names[codes]?[status] ?? "Problem\(status)-\(responses.count + 1)"
            if names[codes]?[status] == nil {
                names[codes, default: [:]][status] = name
                responses[name] = Self.response(status, codes)
            }
            // An answer to HEAD has no body.
            found[String(status)] =
                route.method == .head
                ? ["description": .string(Self.meanings(codes))]
                : ["$ref": .string("#/components/responses/\(name)")]
        }
        return found
    }

    private static func meanings(_ codes: [ProblemCode]) -> String {
        codes.map { "\($0.rawValue): \($0.meaning)." }.joined(separator: "\n")
    }

    private static func response(_ status: Int, _ codes: [ProblemCode]) -> JSONValue {
        let exact = codes.map(\.rawValue).filter { !$0.hasSuffix(".*") }.map { JSONValue.string($0) }
        var code: JSONValue = ["enum": .array(exact)]
        if codes.contains(.configuration) { code = ["anyOf": [code, ["pattern": "^config[.]"]]] }
        let first = codes[0]
        let title = RouteDeclaration.reason(of: status)
        var response: [String: JSONValue] = [
            "description": .string(meanings(codes)),
            "content": [
                "application/problem+json": [
                    "schema": [
                        "allOf": [Problem.schema.json],
                        "properties": ["status": ["const": .integer(Int64(status))], "code": code],
                    ],
                    "example": [
                        "type": "about:blank", "title": .string(title), "status": .integer(Int64(status)),
                        "code": .string(first.rawValue.replacing(".*", with: ".use_dora")),
                        "detail": .string(first.meaning),
                    ],
                ]
            ],
        ]
        switch status {
        case 401: response["headers"] = ["WWW-Authenticate": ["schema": ["type": "string"]]]
        case 429, 503, 507: response["headers"] = ["Retry-After": ["schema": ["type": "string"]]]
        default: break
        }
        return .object(response)
    }
}
