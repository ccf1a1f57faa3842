import Testing

@testable import TrainingData

@Suite struct PartitionTests {
    private static let labels = (0..<400).map { $0 % 10 }

    @Test(arguments: [Partition.iid, .staircase, .dirichlet(alpha: 0.3)])
    func `every example goes to exactly one client, and the seed decides to whom`(partition: Partition) throws {
        let hands = try partition.deal(Self.labels, to: 10, seed: 1)
        #expect(hands.flatMap(\.self).sorted() == Array(0..<400))
        #expect(hands.allSatisfy { !$0.isEmpty })
        #expect(try partition.deal(Self.labels, to: 10, seed: 1) == hands)
        #expect(try partition.deal(Self.labels, to: 10, seed: 2) != hands)
    }

    @Test func `of the staircase client i holds the labels up to i, and a label is shared evenly`() throws {
        let hands = try Partition.staircase.deal(Self.labels, to: 10, seed: 1)
        for (client, hand) in hands.enumerated() {
            let held = hand.map { Self.labels[$0] }
            #expect(Set(held) == Set(0...client))
            for label in 0...client {
                #expect(abs(held.count { $0 == label } * (10 - label) - 40) < 10 - label)
            }
        }
    }

    @Test func `the smaller alpha, the more uneven`() throws {
        func largestShare(_ alpha: Double) throws -> Double {
            let hands = try Partition.dirichlet(alpha: alpha).deal(Self.labels, to: 10, seed: 3)
            let shares = hands.map { hand in
                let counts = Dictionary(grouping: hand) { Self.labels[$0] }.mapValues(\.count)
                return Double(counts.values.max() ?? 0) / Double(hand.count)
            }
            return shares.reduce(0, +) / 10
        }
        #expect(try largestShare(0.05) > 2 * largestShare(100))
    }

    @Test func `a fifth is held out of every label`() throws {
        let (kept, heldOut) = try Partition.holdOut(0.2, of: Self.labels, seed: 1)
        #expect((kept + heldOut).sorted() == Array(0..<400))
        for label in 0..<10 { #expect(heldOut.count { Self.labels[$0] == label } == 8) }
    }

    @Test func `what makes no partition is refused`() {
        #expect(throws: PartitionError.clients(0)) { try Partition.iid.deal(Self.labels, to: 0, seed: 0) }
        #expect(throws: PartitionError.tooFewExamples(2, clients: 3)) {
            try Partition.iid.deal([0, 1], to: 3, seed: 0)
        }
        #expect(throws: PartitionError.alpha(0)) { try Partition.dirichlet(alpha: 0).deal(Self.labels, to: 2, seed: 0) }
        #expect(throws: PartitionError.fraction(1)) { try Partition.holdOut(1, of: Self.labels, seed: 0) }
    }
}
