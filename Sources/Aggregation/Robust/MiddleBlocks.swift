import AdapterFormat
import LinearAlgebra

/// The numbers of all clients that are in memory at a time, for one thread.
private let numbersInHand = 262_144
/// The least numbers of one client in a block.
private let leastOfClient = 32

/// Runs of numbers of which every client has all, block by block.
struct MiddleBlocks {
    /// The places of the sorted values that count.
    let middle: Range<Int>

    /// Fills the target from each client's numbers from `offset` on, times the client's scale.
    func fill(
        _ target: UnsafeMutableBufferPointer<Float>, from terms: [(tensor: TensorView, scale: Float)], at offset: Int
    ) {
        let step = max(leastOfClient, numbersInHand / terms.count)
        let width = min(step, target.count)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: width * terms.count) { numbers in
            guard let base = numbers.baseAddress else { return }
            for first in stride(from: 0, to: target.count, by: step) {
                let count = min(step, target.count - first)
                let rows = terms.enumerated().map { place, term in
                    let row = UnsafeMutableBufferPointer(start: base + place * width, count: count)
                    term.tensor.decode(elements: offset + first..<offset + first + count, into: row)
                    if term.scale != 1 {
                        for index in row.indices { row[index] *= term.scale }
                    }
                    return UnsafePointer(base + place * width)
                }
                meanOfMiddle(
                    rows, middle: middle, into: UnsafeMutableBufferPointer(rebasing: target[first..<first + count]))
            }
        }
    }
}

/// Matrices of unequal width, (rows × rank), whose columns have other holders from level to level.
struct MiddleRows {
    let rule: MiddleRule
    /// Columns with the same holders.
    let levels: [Range<Int>]

    /// Fills the columns that enough clients hold; the others are left as they are.
    ///
    /// - Parameters:
    ///   - target: (rows × width).
    ///   - terms: (rows × rank) with the rank and the factor of each.
    func fill(
        _ target: UnsafeMutableBufferPointer<Float>, width: Int,
        from terms: [(tensor: TensorView, rank: Int, scale: Float)]
    ) {
        let rowCount = target.count / width
        let numbersInRow = terms.reduce(0) { $0 + $1.rank }
        guard numbersInRow > 0 else { return }
        let step = min(rowCount, max(1, numbersInHand / numbersInRow))
        let widest = levels.map(\.count).max() ?? 0
        withUnsafeTemporaryAllocation(of: Float.self, capacity: step * numbersInRow) { numbers in
            // The columns of one level, of every client, and their middle.
            withUnsafeTemporaryAllocation(of: Float.self, capacity: step * widest * (terms.count + 1)) { runs in
                for first in stride(from: 0, to: rowCount, by: step) {
                    let rows = first..<min(first + step, rowCount)
                    var start = 0
                    let parts = terms.map { term in
                        let count = rows.count * term.rank
                        let part = UnsafeMutableBufferPointer(rebasing: numbers[start..<start + count])
                        term.tensor.decode(rows: rows, into: part)
                        start += count
                        return part
                    }
                    let block = UnsafeMutableBufferPointer(
                        rebasing: target[rows.lowerBound * width..<rows.upperBound * width])
                    for level in levels { fill(block, width, level, terms, parts, runs) }
                }
            }
        }
    }

    private func fill(
        _ target: UnsafeMutableBufferPointer<Float>, _ width: Int, _ level: Range<Int>,
        _ terms: [(tensor: TensorView, rank: Int, scale: Float)], _ parts: [UnsafeMutableBufferPointer<Float>],
        _ runs: UnsafeMutableBufferPointer<Float>
    ) {
        guard let runs = runs.baseAddress, let target = UnsafeMutableBufferPointer(rebasing: target[...]).baseAddress
        else { return }
        let rowCount = parts.first.map { $0.count / terms[0].rank } ?? 0
        let size = rowCount * level.count
        var holders: [UnsafePointer<Float>] = []
        for (term, part) in zip(terms, parts) where term.rank >= level.upperBound {
            guard let source = part.baseAddress else { continue }
            let run = runs + holders.count * size
            for row in 0..<rowCount {
                let (from, to) = (source + row * term.rank + level.lowerBound, run + row * level.count)
                for index in 0..<level.count { to[index] = from[index] * term.scale }
            }
            holders.append(UnsafePointer(run))
        }
        guard let places = rule.places(of: holders.count) else { return }
        let means = UnsafeMutableBufferPointer(start: runs + holders.count * size, count: size)
        meanOfMiddle(holders, middle: places, into: means)
        for row in 0..<rowCount {
            for index in 0..<level.count {
                target[row * width + level.lowerBound + index] = means[row * level.count + index]
            }
        }
    }
}
