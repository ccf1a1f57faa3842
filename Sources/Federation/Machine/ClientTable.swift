/// A federation's clients by name. The table has several parts; a changed copy shares all parts but one with the
/// original.
///
/// Every step copies the machine, and a copy lives as long as somebody reads it. Copies of one large dictionary would
/// cost far more than the change itself.
package struct ClientTable: Sendable, Hashable {
    private static let partCount = 256
    private var parts: [[ClientName: Client]]
    package private(set) var count: Int

    package init() {
        parts = Array(repeating: [:], count: Self.partCount)
        count = 0
    }

    package subscript(name: ClientName) -> Client? {
        get { parts[Self.part(of: name)][name] }
        set {
            let part = Self.part(of: name)
            let before = parts[part].count
            parts[part][name] = newValue
            count += parts[part].count - before
        }
    }

    package var isEmpty: Bool { count == 0 }

    /// In no particular order.
    package var values: some Sequence<Client> { parts.lazy.flatMap(\.values) }

    /// In no particular order.
    package var names: some Sequence<ClientName> { parts.lazy.flatMap(\.keys) }

    /// The clients that are new here or differ from those in an earlier table. Parts that both share are not read.
    package func changes(since earlier: ClientTable) -> [Client] {
        zip(parts, earlier.parts).flatMap { part, before in
            part == before ? [] : part.values.filter { before[$0.name] != $0 }
        }
    }

    package func mapValues<Value>(_ transform: (Client) -> Value) -> [ClientName: Value] {
        Dictionary(uniqueKeysWithValues: values.map { ($0.name, transform($0)) })
    }

    /// The part of a name, by its FNV-1a hash.
    private static func part(of name: ClientName) -> Int {
        var hash: UInt32 = 2_166_136_261
        for byte in name.rawValue.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int(hash % UInt32(partCount))
    }
}

extension ClientTable: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral clients: (ClientName, Client)...) {
        self.init()
        for (name, client) in clients { self[name] = client }
    }
}

extension ClientTable {
    package init(_ clients: some Sequence<Client>) {
        self.init()
        for client in clients { self[client.name] = client }
    }
}
