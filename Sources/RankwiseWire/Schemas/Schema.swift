/// A JSON Schema (2020-12) of a body or of a part of one, with the named schemas that it refers to.
package struct Schema: Sendable, Hashable {
    package let json: JSONValue
    /// By name, as they stand under `components/schemas`.
    package private(set) var components: [String: JSONValue] = [:]

    private init(_ json: [String: JSONValue], components: [String: JSONValue] = [:]) {
        self.json = .object(json)
        self.components = components
    }

    /// A key of an object.
    package struct Field: Sendable {
        let key: String
        let schema: Schema
        let isRequired: Bool

        /// - Parameter meaning: one sentence; empty where the key says it.
        package static func required(_ key: some CodingKey, _ schema: Schema, _ meaning: String = "") -> Field {
            Field(key: key.stringValue, schema: schema.described(meaning), isRequired: true)
        }

        package static func optional(_ key: some CodingKey, _ schema: Schema, _ meaning: String = "") -> Field {
            Field(key: key.stringValue, schema: schema.described(meaning), isRequired: false)
        }
    }

    /// An object under `components/schemas`; others refer to it by its name.
    ///
    /// - Parameter isClosed: whether other keys are refused. Requests are closed; answers may get more keys in later
    ///   versions.
    package static func object(
        _ name: String, _ meaning: String, isClosed: Bool = false, example: JSONValue? = nil, _ fields: [Field]
    ) -> Schema {
        var own: [String: JSONValue] = [
            "type": "object", "description": .string(meaning),
            "properties": .object(Dictionary(uniqueKeysWithValues: fields.map { ($0.key, $0.schema.json) })),
        ]
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.key) }
        if !required.isEmpty { own["required"] = .array(required) }
        if isClosed { own["additionalProperties"] = .bool(false) }
        if let example { own["examples"] = .array([example]) }
        var components = fields.reduce(into: [String: JSONValue]()) {
            $0.merge($1.schema.components) { known, _ in known }
        }
        components[name] = .object(own)
        return Schema(["$ref": .string("#/components/schemas/\(name)")], components: components)
    }

    package static let any = Schema([:])
    package static let boolean = Schema(["type": "boolean"])
    package static let text = Schema(["type": "string"])
    package static let number = Schema(["type": "number"])
    /// A time of RFC 3339.
    package static let time = Schema(["type": "string", "format": "date-time"])
    /// `sha256:` and 64 hexadecimal digits.
    package static let digest = string(pattern: "^sha256:[0-9a-f]{64}$")
    /// The name of a federation or a client.
    package static let name = string(pattern: "^[a-z0-9][a-z0-9._-]{0,63}$")
    /// An object that is passed on unread.
    package static let freeObject = Schema(["type": "object"])

    package static func string(pattern: String) -> Schema { Schema(["type": "string", "pattern": .string(pattern)]) }

    package static func string(atMost length: Int) -> Schema {
        Schema(["type": "string", "maxLength": .integer(Int64(length))])
    }

    package static func choice(_ values: [String]) -> Schema {
        Schema(["type": "string", "enum": .array(values.map { .string($0) })])
    }

    /// - Parameter most: nil where only the type's range bounds it.
    package static func integer(from least: Int64 = 0, to most: Int64? = nil) -> Schema {
        var json: [String: JSONValue] = ["type": "integer", "minimum": .integer(least)]
        if let most { json["maximum"] = .integer(most) }
        return Schema(json)
    }

    package static func number(from least: Double, to most: Double? = nil, isOpen: Bool = false) -> Schema {
        var json: [String: JSONValue] = ["type": "number", isOpen ? "exclusiveMinimum" : "minimum": .number(least)]
        if let most { json["maximum"] = .number(most) }
        return Schema(json)
    }

    package static func list(of schema: Schema, atLeast least: Int = 0) -> Schema {
        var json: [String: JSONValue] = ["type": "array", "items": schema.json]
        if least > 0 { json["minItems"] = .integer(Int64(least)) }
        return Schema(json, components: schema.components)
    }

    /// An object with a list under one key.
    package static func listing(_ key: String, of schema: Schema) -> Schema {
        Schema(
            [
                "type": "object", "required": [.string(key)],
                "properties": .object([key: list(of: schema).json]),
            ], components: schema.components)
    }

    /// A listing that may be a page of a longer one.
    package static func page(_ key: String, of schema: Schema) -> Schema {
        Schema(
            [
                "type": "object", "required": [.string(key)],
                "properties": .object([
                    key: list(of: schema).json,
                    "next": name.described("Pass it as after for the next ones; absent where there are none.").json,
                ]),
            ], components: schema.components)
    }

    /// An object whose keys are names.
    package static func map(of schema: Schema) -> Schema {
        Schema(["type": "object", "additionalProperties": schema.json], components: schema.components)
    }

    package static func either(_ schemas: Schema...) -> Schema {
        Schema(
            ["anyOf": .array(schemas.map(\.json))],
            components: schemas.reduce(into: [:]) { $0.merge($1.components) { known, _ in known } })
    }

    /// The same, or null.
    package var orNull: Schema { .either(self, Schema(["type": "null"])) }

    private func described(_ meaning: String) -> Schema {
        guard !meaning.isEmpty, case .object(var members) = json else { return self }
        members["description"] = .string(meaning)
        return Schema(members, components: components)
    }
}

/// A body whose schema stands beside it.
package protocol Described {
    static var schema: Schema { get }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { first, _ in first })
    }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
