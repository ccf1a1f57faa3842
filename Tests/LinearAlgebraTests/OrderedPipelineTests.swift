import LinearAlgebra
import Synchronization
import Testing

struct OrderedPipelineTests {
    private struct Failure: Error, Equatable { let index: Int }

    @Test(arguments: [1, 2, 3, 8])
    func `results come back in order whatever the number of threads`(threads: Int) throws {
        var prepared: [Int] = []
        var consumed: [Int] = []
        try orderedPipeline(
            count: 100, threads: threads,
            prepare: { index in
                prepared.append(index)
                return index * 2
            },
            work: { index, input in
                // Unequal pieces, so that later ones finish first.
                (0..<((100 - index) * 50)).reduce(input) { sum, _ in sum &+ 0 } + index
            },
            consume: { index, output in
                #expect(output == index * 3)
                consumed.append(index)
            })
        #expect(prepared == Array(0..<100))
        #expect(consumed == Array(0..<100))
    }

    @Test(arguments: [1, 2, 4])
    func `no more pieces are in hand than there are threads and one`(threads: Int) throws {
        let inHand = Mutex(0)
        let most = Mutex(0)
        try orderedPipeline(
            count: 50, threads: threads,
            prepare: { _ in
                let now = inHand.withLock { count in
                    count += 1
                    return count
                }
                most.withLock { $0 = max($0, now) }
            },
            work: { _, _ in },
            consume: { _, _ in inHand.withLock { $0 -= 1 } })
        #expect(most.withLock { $0 } <= (threads == 1 ? 1 : threads + 1))
    }

    @Test(arguments: [1, 2, 4], ["prepare", "work", "consume"])
    func `a failure anywhere ends the run and is thrown`(threads: Int, stage: String) throws {
        var consumed: [Int] = []
        #expect(throws: Failure(index: 7)) {
            try orderedPipeline(
                count: 20, threads: threads,
                prepare: { index in
                    if stage == "prepare", index == 7 { throw Failure(index: index) }
                },
                work: { index, _ in
                    if stage == "work", index == 7 { throw Failure(index: index) }
                },
                consume: { index, _ in
                    if stage == "consume", index == 7 { throw Failure(index: index) }
                    consumed.append(index)
                })
        }
        #expect(consumed == Array(0..<consumed.count))
        #expect(consumed.count <= 7)
    }

    @Test func `nothing to do is done at once`() throws {
        try orderedPipeline(
            count: 0, threads: 4, prepare: { $0 }, work: { _, input in input },
            consume: { _, _ in Issue.record("nothing was to be consumed") })
    }
}
