import Federation
import LinearAlgebra
import Testing

/// Tables by client name, compared with dictionaries.
struct ClientTableTests {
    private func name(_ number: Int) -> ClientName { ClientName(unchecked: "client-\(number)") }

    private func client(_ number: Int, rank: Int = 1, isRevoked: Bool = false) throws -> Client {
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        return Client(
            name: name(number), rank: rank, token: try #require(ContentDigest(bytes: Array(repeating: 7, count: 32))),
            capabilities: .none, registeredAt: now, lastSeenAt: now, revokedAt: isRevoked ? now : nil)
    }

    @Test("any order of changes gives what a dictionary has, in ascending order, with its counts", arguments: 0..<4)
    func randomChanges(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var table = ClientTable<Client>()
        var expected: [ClientName: Client] = [:]
        for _ in 0..<20_000 {
            let number = Int.random(in: 0..<6000, using: &random)
            if Int.random(in: 0..<4, using: &random) == 0 {
                table[name(number)] = nil
                expected[name(number)] = nil
            } else {
                let new = try client(
                    number, rank: Int.random(in: 1...9, using: &random), isRevoked: Bool.random(using: &random))
                table[name(number)] = new
                expected[name(number)] = new
            }
        }
        #expect(table.count == expected.count)
        #expect(table.keys.elementsEqual(expected.keys.sorted()))
        #expect(table.values.elementsEqual(expected.sorted { $0.key < $1.key }.map(\.value)))
        #expect((0..<6000).allSatisfy { table[name($0)] == expected[name($0)] })
        #expect(table.tally.active == expected.values.count { $0.revokedAt == nil })
        for number in 0..<6000 { table[name(number)] = nil }
        #expect(table.isEmpty && table.keys.elementsEqual([]) && table.tally == Client.Tally())
    }

    @Test("a table that was filled in ascending order, or in descending order, has every element once")
    func orderedFilling() throws {
        let numbers = Array(0..<9000)
        let sorted = numbers.map(name).sorted()
        let clients = try Dictionary(uniqueKeysWithValues: numbers.map { (name($0), try client($0)) })
        for names in [sorted, sorted.reversed()] {
            let table = ClientTable(try names.map { ($0, try #require(clients[$0])) })
            #expect(table.keys.elementsEqual(sorted))
            #expect(table.count == 9000)
        }
    }

    @Test("what changed since an earlier copy is found, and nothing else")
    func changes() throws {
        let earlier = ClientTable(try (0..<9000).map { (name($0), try client($0)) })
        var table = earlier
        #expect(table.changes(since: earlier).isEmpty)
        for number in [3, 4500, 8999, 9500, 9501] { table[name(number)] = try client(number, rank: 5) }
        table[name(77)] = try client(77)
        table[name(78)] = nil
        #expect(table.changes(since: earlier).map(\.key) == [3, 4500, 8999, 9500, 9501].map(name).sorted())
        #expect(earlier[name(3)]?.rank == 1 && earlier.count == 9000)
        #expect(ClientTable<Client>().changes(since: earlier).isEmpty)
        #expect(earlier.changes(since: [:]).count == 9000)
    }

    @Test("the elements after a name, whether it is there or not")
    func elementsAfter() throws {
        let table = ClientTable(try (100..<400).map { (name($0), try client($0)) })
        let all = (100..<400).map(name)
        #expect(table.elements(after: nil).map(\.key) == all)
        #expect(table.elements(after: name(250)).map(\.key) == Array(all[151...]))
        #expect(table.elements(after: ClientName(unchecked: "client-250x")).map(\.key) == Array(all[151...]))
        #expect(table.elements(after: ClientName(unchecked: "a")).map(\.key) == all)
        for last in [name(399), ClientName(unchecked: "z")] { #expect(table.elements(after: last).map(\.key) == []) }
        #expect(ClientTable<Client>().elements(after: name(1)).map(\.key) == [])
    }
}
