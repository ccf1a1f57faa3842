import Federation
import Foundation
import Testing

/// The promises of every adapter store.
package enum AdapterConformance {
    package static let checks = [
        ConformanceCheck(
            "every prefix of a tensor is read back, whatever parts it came in",
            `every prefix of a tensor is read back, whatever parts it came in`),
        ConformanceCheck(
            "tensors, rounds and federations are kept apart", `tensors, rounds and federations are kept apart`),
        ConformanceCheck("a removed adapter can be written again", `a removed adapter can be written again`),
        ConformanceCheck("values of every kind keep their bits", `values of every kind keep their bits`),
        ConformanceCheck("parts are stored all or none", `parts are stored all or none`),
        ConformanceCheck(
            "a part that is no number of whole rows is refused", `a part that is no number of whole rows is refused`),
        ConformanceCheck(
            "a tensor with a gap, an overlap or another width is reported, not read",
            `a tensor with a gap, an overlap or another width is reported, not read`),
        ConformanceCheck(
            "an adapter of a federation that is not there is refused",
            `an adapter of a federation that is not there is refused`),
        ConformanceCheck(
            "slots of a round are kept apart, each with ranks of its own, across a restart",
            `slots of a round are kept apart, each with ranks of its own, across a restart`),
        ConformanceCheck(
            "the rounds whose merges are single follow the folded ones",
            `the rounds whose merges are single follow the folded ones`),
    ]

    private static let a = AdapterTensor(name: "fc1", kind: .a)

    static func `every prefix of a tensor is read back, whatever parts it came in`(_ subject: StoreUnderTest)
        async throws
    {
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try store.adapters.append(
                [Sample.part("fc1", .a, rows: 0..<3), Sample.part("fc1", .a, rows: 3..<4)], of: live.id, round: 2)
            try store.adapters.append([Sample.part("fc1", .a, rows: 4..<9)], of: live.id, round: 2)
        } then: { store in
            let live = try await LiveFederation(loadedFrom: store)
            for rows in 0...9 {
                #expect(
                    try store.adapters.rows(rows, of: a, federation: live.id, round: 2) == Sample.values(0..<rows))
            }
            for rows in [10, .max] {
                #expect(try store.adapters.rows(rows, of: a, federation: live.id, round: 2) == Sample.values(0..<9))
            }
            #expect(try store.adapters.rows(-1, of: a, federation: live.id, round: 2).isEmpty)
        }
    }

    static func `tensors, rounds and federations are kept apart`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let first = try await LiveFederation(creating: "first", in: store).id
            let second = try await LiveFederation(creating: "second", in: store).id
            let kinds: [AdapterTensor.Kind] = [.a, .b, .bias, .dense]
            for (width, kind) in kinds.enumerated() {
                try store.adapters.append(
                    [Sample.part("fc1", kind, rows: 0..<1, width: width + 1)], of: first, round: 0)
            }
            try store.adapters.append([Sample.part("fc2", .a, rows: 0..<1, width: 5)], of: first, round: 0)
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<1, width: 6)], of: first, round: 1)
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<1, width: 7)], of: second, round: 0)
            func width(_ name: String, _ kind: AdapterTensor.Kind, _ id: FederationID, _ round: Int) throws -> Int {
                let tensor = AdapterTensor(name: name, kind: kind)
                return try store.adapters.rows(9, of: tensor, federation: id, round: round).count
            }
            for (index, kind) in kinds.enumerated() { #expect(try width("fc1", kind, first, 0) == index + 1) }
            #expect(try width("fc2", .a, first, 0) == 5)
            #expect(try width("fc1", .a, first, 1) == 6)
            #expect(try width("fc1", .a, second, 0) == 7)
            #expect(try width("fc3", .a, first, 0) == 0)
            #expect(try width("fc1", .a, first, 2) == 0)
            try store.adapters.removeAdapter(of: first, round: 0)
            #expect(try width("fc1", .bias, first, 0) == 0)
            #expect(try width("fc1", .a, first, 1) == 6)
            #expect(try width("fc1", .a, second, 0) == 7)
        }
    }

    static func `a removed adapter can be written again`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let id = try await LiveFederation(creating: "digits", in: store).id
            func hasContent(_ round: Int = 1, _ slot: AdapterSlot = .adapter) throws -> Bool {
                try store.adapters.hasContent(at: AdapterAddress(federation: id, round: round, slot: slot))
            }
            try store.adapters.removeAdapter(of: id, round: 1)
            #expect(try !hasContent())
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<2)], of: id, round: 1)
            #expect(try hasContent() && !hasContent(2) && !hasContent(1, .merge))
            try store.adapters.removeAdapter(of: id, round: 1)
            #expect(try !hasContent())
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<1)], of: id, round: 1)
            #expect(try store.adapters.rows(9, of: a, federation: id, round: 1) == Sample.values(0..<1))
        }
    }

    static func `values of every kind keep their bits`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let id = try await LiveFederation(creating: "digits", in: store).id
            let values: [Float] = [
                0, -0.0, 1, -1.5, .pi, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
                Float(bitPattern: 0x7fc0_1234),
            ]
            let part = AdapterPart(tensor: a, firstRow: 0, rowCount: 2, values: values)
            try store.adapters.append([part], of: id, round: 0)
            let found = try store.adapters.rows(2, of: a, federation: id, round: 0)
            #expect(found.map(\.bitPattern) == values.map(\.bitPattern))
        }
    }

    static func `parts are stored all or none`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let id = try await LiveFederation(creating: "digits", in: store).id
            let twice = [Sample.part("fc1", .a, rows: 0..<2), Sample.part("fc1", .a, rows: 0..<2)]
            #expect(throws: StoreError.self) { try store.adapters.append(twice, of: id, round: 0) }
            #expect(try store.adapters.rows(9, of: a, federation: id, round: 0).isEmpty)
        }
    }

    static func `a part that is no number of whole rows is refused`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let id = try await LiveFederation(creating: "digits", in: store).id
            for (firstRow, rowCount, values) in [(0, 2, 3), (0, 0, 3), (-1, 1, 3), (0, 1, 0), (0, -1, 3)] {
                let part = AdapterPart(
                    tensor: a, firstRow: firstRow, rowCount: rowCount, values: [Float](repeating: 1, count: values))
                #expect(throws: StoreError.self) { try store.adapters.append([part], of: id, round: 0) }
            }
            #expect(try store.adapters.rows(9, of: a, federation: id, round: 0).isEmpty)
        }
    }

    static func `a tensor with a gap, an overlap or another width is reported, not read`(
        _ subject: StoreUnderTest
    ) async throws {
        let first = Sample.part("fc1", .a, rows: 0..<2)
        for second in [
            Sample.part("fc1", .a, rows: 3..<4), Sample.part("fc1", .a, rows: 1..<4),
            Sample.part("fc1", .a, rows: 2..<4, width: 4),
        ] {
            try await subject.withStore { store in
                let id = try await LiveFederation(creating: "digits", in: store).id
                try store.adapters.append([first, second], of: id, round: 0)
                #expect(throws: StoreError.self) { try store.adapters.rows(4, of: a, federation: id, round: 0) }
                #expect(try store.adapters.rows(1, of: a, federation: id, round: 0) == Sample.values(0..<1))
            }
        }
    }

    static func `an adapter of a federation that is not there is refused`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let id = try FederationID("nobody")
            #expect(throws: StoreError.self) {
                try store.adapters.append([Sample.part("fc1", .a, rows: 0..<1)], of: id, round: 0)
            }
            #expect(try store.adapters.rows(9, of: a, federation: id, round: 0).isEmpty)
        }
    }

    static func `slots of a round are kept apart, each with ranks of its own, across a restart`(
        _ subject: StoreUnderTest
    ) async throws {
        let slots: [AdapterSlot] = [.adapter, .merge, .mergeTotal, .moment(0), .moment(1)]
        func address(_ slot: AdapterSlot, _ id: FederationID) -> AdapterAddress {
            AdapterAddress(federation: id, round: 3, slot: slot)
        }
        try await subject.withRestart { store in
            let id = try await LiveFederation(creating: "digits", in: store).id
            for (index, slot) in slots.enumerated() {
                try store.adapters.append([Sample.part("fc1", .a, rows: 0..<index + 1)], to: address(slot, id))
                try store.adapters.append(
                    [Sample.part("fc1", .a, rows: index + 1..<9 * index + 2)], to: address(slot, id))
            }
        } then: { store in
            let id = try await LiveFederation(loadedFrom: store).id
            for (index, slot) in slots.enumerated() {
                let count = 9 * index + 2
                #expect(try store.adapters.rowCount(of: a, at: address(slot, id)) == count)
                #expect(try store.adapters.rows(.max, of: a, at: address(slot, id)) == Sample.values(0..<count))
                #expect(try store.adapters.rows(1, of: a, at: address(slot, id)) == Sample.values(0..<1))
            }
            try store.adapters.remove(.merge, ofRounds: 1...3, in: id)
            try store.adapters.remove(.moment(0), ofRounds: 0...2, in: id)
            let left = try slots.map { try store.adapters.rowCount(of: a, at: address($0, id)) }
            #expect(left == [2, 0, 20, 29, 38])
        }
    }

    static func `the rounds whose merges are single follow the folded ones`(_ subject: StoreUnderTest) async throws {
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            for number in 1...4 {
                for client in ["edge-1", "edge-2"] {
                    try await live.send("\(number)\(client)", from: client, round: number)
                }
                try await live.step(
                    number == 2
                        ? .aggregationFailed(reason: "no weight", round: 2)
                        : .aggregated(Sample.adapter("\(number)", hasMerge: true), round: number))
            }
            #expect(try store.adapters.merges(of: live.id) == MergeRecord(foldedThrough: 0, published: [1, 3, 4]))
            let lease = try #require(try await store.stores.jobs.take(Job(.folding, of: live.id), seconds: 30))
            try store.adapters.foldMerges(through: 3, of: live.id, under: lease)
            try store.adapters.foldMerges(through: 2, of: live.id, under: lease)
        } then: { store in
            let live = try await LiveFederation(loadedFrom: store)
            #expect(try store.adapters.merges(of: live.id) == MergeRecord(foldedThrough: 3, published: [4]))
            let nobody = try FederationID("nobody")
            #expect(try store.adapters.merges(of: nobody) == MergeRecord(foldedThrough: 0, published: []))
            let round = try #require(try await store.metadata.round(4, of: live.id))
            #expect(round.phase == .published(Sample.adapter("4", hasMerge: true)))
        }
    }
}
