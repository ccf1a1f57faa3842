import LinearAlgebra
import Testing

struct SeededGeneratorTests {
    /// Computed by an implementation of the published algorithms in another language.
    private static let pinned: [UInt64] = [
        1_982_646_903_587_657_498, 14_782_013_477_952_911_950, 5_254_220_078_028_053_162,
    ]

    @Test func `the same seed and stream give the same numbers`() {
        var first = SeededGenerator(seed: 7, stream: "initial adapter", "fc1")
        var second = SeededGenerator(seed: 7, stream: "initial adapter", "fc1")
        for _ in 0..<1000 {
            #expect(first.next() == second.next())
        }
    }

    @Test func `numbers stay the same from build to build`() {
        var generator = SeededGenerator(seed: 7, stream: "digits", "1")
        #expect((0..<3).map { _ in generator.next() } == Self.pinned)
    }

    @Test(arguments: [
        SeededGenerator(seed: 8, stream: "ab", "c"),
        SeededGenerator(seed: 7, stream: "a", "bc"),
        SeededGenerator(seed: 7, stream: "abc"),
        SeededGenerator(seed: 7, stream: "ab", "c", ""),
        SeededGenerator(seed: 7),
    ])
    func `another seed or stream gives other numbers`(other: SeededGenerator) {
        var generator = SeededGenerator(seed: 7, stream: "ab", "c")
        var other = other
        let own = (0..<64).map { _ in generator.next() }
        let others = (0..<64).map { _ in other.next() }
        #expect(Set(own).isDisjoint(with: others))
    }

    @Test func `uniform numbers fill their interval evenly`() {
        var generator = SeededGenerator(seed: 1, stream: "uniform")
        var counts = [Int](repeating: 0, count: 16)
        for _ in 0..<64_000 {
            let value = generator.uniform(within: 0.5)
            #expect(value >= -0.5 && value < 0.5)
            counts[Int((value + 0.5) * 16)] += 1
        }
        #expect(counts.allSatisfy { abs($0 - 4000) < 400 })
    }

    @Test func `normal numbers have the moments of the normal distribution`() {
        var generator = SeededGenerator(seed: 1, stream: "normal")
        let values = (0..<100_000).map { _ in generator.normal() }
        let mean = values.reduce(0, +) / 100_000
        let variance = values.reduce(0) { $0 + $1 * $1 } / 100_000
        let fourth = values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / 100_000
        #expect(abs(mean) < 0.02)
        #expect(abs(variance - 1) < 0.03)
        #expect(abs(fourth - 3) < 0.2)
    }
}
