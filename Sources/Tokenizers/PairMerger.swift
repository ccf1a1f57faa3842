/// Merges the tokens of one word, pair by pair: always the pair of the lowest rank, of equals the leftmost.
///
/// It keeps its memory from word to word.
struct PairMerger {
    private let table: MergeTable
    /// The word's tokens, changed in place.
    var tokens: [Int32] = []
    /// The rank of each token with the one after it.
    private var ranks: [UInt32] = []

    private static let noRank = UInt32.max
    /// Up to here it is faster to look through all ranks than to keep them sorted.
    private static let shortLimit = 48

    init(_ table: MergeTable) {
        self.table = table
    }

    mutating func merge() {
        guard tokens.count > 1 else { return }
        if tokens.count <= Self.shortLimit { mergeShort() } else { mergeLong() }
    }

    /// O(length²), without memory of its own.
    private mutating func mergeShort() {
        var count = tokens.count
        ranks.removeAll(keepingCapacity: true)
        for index in 0..<count - 1 { ranks.append(rank(tokens[index], tokens[index + 1])) }
        while count > 1 {
            var (best, place) = (Self.noRank, 0)
            for index in 0..<count - 1 where ranks[index] < best { (best, place) = (ranks[index], index) }
            guard best != Self.noRank, let merge = table.merge(tokens[place], tokens[place + 1]) else { break }
            tokens[place] = merge.result
            count -= 1
            for index in place + 1..<max(count, place + 1) { tokens[index] = tokens[index + 1] }
            for index in place..<max(count - 1, place) { ranks[index] = ranks[index + 1] }
            if place > 0 { ranks[place - 1] = rank(tokens[place - 1], tokens[place]) }
            if place < count - 1 { ranks[place] = rank(tokens[place], tokens[place + 1]) }
        }
        tokens.removeLast(tokens.count - count)
    }

    @inline(__always)
    private func rank(_ left: Int32, _ right: Int32) -> UInt32 { table.merge(left, right)?.rank ?? Self.noRank }

    /// A pair that may have been merged since it was put into the queue.
    private struct Candidate: Comparable {
        let rank: UInt32
        let place: Int32
        let result: Int32

        static func < (one: Candidate, other: Candidate) -> Bool {
            (one.rank, one.place) < (other.rank, other.place)
        }
    }

    /// O(length · log length): a queue of pairs over a linked list of tokens.
    private mutating func mergeLong() {
        let count = tokens.count
        var next = (1...count).map { Int32($0 == count ? -1 : $0) }
        var previous = (0..<count).map { Int32($0 - 1) }
        var isGone = [Bool](repeating: false, count: count)
        var queue = PriorityQueue<Candidate>()
        func offer(_ left: Int32, _ right: Int32) {
            guard let merge = table.merge(tokens[Int(left)], tokens[Int(right)]) else { return }
            queue.insert(Candidate(rank: merge.rank, place: left, result: merge.result))
        }
        for index in 0..<count - 1 { offer(Int32(index), Int32(index + 1)) }
        while let candidate = queue.removeFirst() {
            let place = Int(candidate.place)
            guard !isGone[place], next[place] >= 0 else { continue }
            let right = Int(next[place])
            guard table.merge(tokens[place], tokens[right])?.result == candidate.result else { continue }
            tokens[place] = candidate.result
            isGone[right] = true
            next[place] = next[right]
            if next[place] >= 0 {
                previous[Int(next[place])] = Int32(place)
                offer(Int32(place), next[place])
            }
            if previous[place] >= 0 { offer(previous[place], Int32(place)) }
        }
        var kept = 0
        for index in 0..<count where !isGone[index] {
            tokens[kept] = tokens[index]
            kept += 1
        }
        tokens.removeLast(count - kept)
    }
}

/// A binary heap with the least element first.
struct PriorityQueue<Element: Comparable> {
    private var elements: [Element] = []

    mutating func insert(_ element: Element) {
        elements.append(element)
        var place = elements.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard elements[place] < elements[parent] else { break }
            elements.swapAt(place, parent)
            place = parent
        }
    }

    mutating func removeFirst() -> Element? {
        guard let first = elements.first, let last = elements.popLast() else { return nil }
        guard !elements.isEmpty else { return first }
        elements[0] = last
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < elements.count && elements[child] < elements[least] {
                least = child
            }
            guard least != place else { return first }
            elements.swapAt(place, least)
            place = least
        }
    }
}
