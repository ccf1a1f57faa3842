/// The number of sums in progress at once: 256 KiB of them, which stay in the second-level cache while the terms are
/// read. It is twice as high where all terms are narrow, so that a fetch has as many bytes as for wider terms.
func sumsInHand(_ terms: [WeightedMatrix]) -> Int {
    terms.allSatisfy(\.storage.isNarrow) ? 131_072 : 65_536
}

/// The number of terms that are read together: as many streams as the processor's prefetcher follows.
let termsTogether = 8

/// The terms of a sum laid out for a kernel, with scratch memory for the parts that are fetched.
struct TermTable {
    /// One term, or a part of it.
    struct Term {
        let index: Int
        var start: UnsafeRawPointer
        let storage: StoredReal
        let channels: WeightedMatrix.Channels?
        /// c_k at a fixed address, padded with zeros to a multiple of eight.
        let factors: UnsafePointer<Float>
        /// The number of factors.
        let count: Int
    }

    /// A term's factors are padded with zeros to a multiple of this number, the width of the widest vectors.
    private static let factorStep = 8

    /// In the order of the sum; terms without a factor are left out.
    let list: UnsafeBufferPointer<Term>
    private let terms: [WeightedMatrix]
    private let scratch: UnsafeMutableRawBufferPointer
    private let partSize: Int

    /// Lends a table whose parts have at most `rows` × `columns` numbers.
    static func with(_ terms: [WeightedMatrix], rows: Int, columns: Int, _ body: (TermTable) -> Void) {
        let factorCount = terms.reduce(0) { $0 + paddedCount($1.coefficients.count) }
        let partSize = terms.reduce(0) {
            $1.fetch == nil ? $0 : max($0, $1.storage.byteCount(rows: rows, columns: columns))
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: factorCount) { factors in
            withUnsafeTemporaryAllocation(of: Term.self, capacity: terms.count) { list in
                let count = layOut(terms, factors, in: list)
                ScratchMemory.with(byteCount: partSize * termsTogether) { scratch in
                    body(
                        TermTable(
                            list: UnsafeBufferPointer(rebasing: list[..<count]), terms: terms, scratch: scratch,
                            partSize: partSize))
                }
            }
        }
    }

    private static func layOut(
        _ terms: [WeightedMatrix], _ factors: UnsafeMutableBufferPointer<Float>,
        in list: UnsafeMutableBufferPointer<Term>
    ) -> Int {
        var count = 0
        var used = 0
        for (index, term) in terms.enumerated() where !term.coefficients.isEmpty {
            guard let start = term.bytes.baseAddress, let block = factors.baseAddress else { continue }
            let own = block + used
            let padded = paddedCount(term.coefficients.count)
            own.initialize(repeating: 0, count: padded)
            for (place, factor) in term.coefficients.enumerated() { own[place] = factor }
            used += padded
            list.initializeElement(
                at: count,
                to: Term(
                    index: index, start: start, storage: term.storage, channels: term.channels,
                    factors: UnsafePointer(own), count: term.coefficients.count))
            count += 1
        }
        return count
    }

    private static func paddedCount(_ count: Int) -> Int { (count + factorStep - 1) / factorStep * factorStep }

    /// The address of `count` bytes of a term. Fetched bytes stay valid until their place is used again.
    func part(of term: Term, at offset: Int, count: Int, place: Int) -> UnsafeRawPointer {
        guard let fetch = terms[term.index].fetch else { return term.start + offset }
        let target = UnsafeMutableRawBufferPointer(rebasing: scratch[(place * partSize)...].prefix(count))
        fetch(offset, target)
        return target.baseAddress.map { UnsafeRawPointer($0) } ?? term.start
    }
}
