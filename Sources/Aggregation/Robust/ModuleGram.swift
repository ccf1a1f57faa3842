import AdapterFormat
import LinearAlgebra

/// The inner products of all pairs of one module's updates, group by group of updates.
struct ModuleGram {
    /// One update's factors.
    struct Term {
        let rank: Int
        let a: TensorView?
        let b: TensorView?
        /// The factor of its product.
        let scale: Double

        init(module: AdapterFile.Module, scale: Double) {
            rank = module.rank
            a = module.a
            b = module.b
            self.scale = scale
        }
    }

    let shape: ModuleShape
    let terms: [Term]
    let factors: FactorSet
    /// The server's copy, for a factor that was not trained.
    let earlier: ModuleFactors?
    /// Whether two updates are compared over the components that both hold.
    let isCut: Bool

    /// The components of a group: enough for fast products, and few enough for their Gram matrices to stay small.
    private static let componentsOfGroup = 1024
    /// A level has at least so many components of all clients, or its products would be slow.
    private static let leastOfLevel = 96

    func pairs() -> UpdatePairs {
        var pairs = UpdatePairs(count: terms.count)
        guard !terms.isEmpty else { return pairs }
        let levels = isCut ? self.levels() : [0..<(terms.map(\.rank).max() ?? 1)]
        let groups = self.groups().map { GramGroup($0, terms, levels) }
        let common = FrozenGram(earlier, factors: factors, rank: levels.last?.upperBound ?? 1)
        // ‖·‖² of each update's first r components, for r from 1 on.
        var squares = [[Double]](repeating: [], count: terms.count)
        for (index, group) in groups.enumerated() {
            let own = GroupProducts(self, group, nil, common)
            for place in group.places { squares[place] = own.squares(of: place, terms[place].rank) }
            for (one, other) in group.pairs(with: group) where one != other {
                pairs.set(one, other, product: product(one, other, own), first: 0, second: 0)
            }
            for next in groups[(index + 1)...] {
                let products = GroupProducts(self, group, next, common)
                for (one, other) in group.pairs(with: next) {
                    pairs.set(one, other, product: product(one, other, products), first: 0, second: 0)
                }
            }
        }
        for one in terms.indices {
            for other in 0...one {
                let cut = isCut ? min(terms[one].rank, terms[other].rank) : nil
                let first = square(one, squares, cut)
                pairs.set(
                    one, other, product: one == other ? first : 0, first: first, second: square(other, squares, cut))
            }
        }
        return pairs
    }

    private func square(_ place: Int, _ squares: [[Double]], _ cut: Int?) -> Double {
        squares[place][(cut ?? terms[place].rank) - 1] * terms[place].scale * terms[place].scale
    }

    private func product(_ one: Int, _ other: Int, _ products: GroupProducts) -> Double {
        let cut = isCut ? min(terms[one].rank, terms[other].rank) : Int.max
        return products.product(one, other, cut: cut) * terms[one].scale * terms[other].scale
    }

    /// Runs of components with about the same holders.
    private func levels() -> [Range<Int>] {
        let ranks = terms.map(\.rank)
        let ends = Set(ranks).sorted()
        var levels: [Range<Int>] = []
        var start = 0
        for end in ends
        where end == ends.last || (end - start) * ranks.count(where: { $0 > start }) >= Self.leastOfLevel {
            levels.append(start..<end)
            start = end
        }
        return levels
    }

    /// The terms in groups, those of higher rank first, so that groups have about the same ranks.
    private func groups() -> [[Int]] {
        var groups: [[Int]] = []
        var size = 0
        for place in terms.indices.sorted(by: { (-terms[$0].rank, $0) < (-terms[$1].rank, $1) }) {
            if size + terms[place].rank > Self.componentsOfGroup || groups.isEmpty {
                groups.append([])
                size = 0
            }
            groups[groups.count - 1].append(place)
            size += terms[place].rank
        }
        return groups
    }
}

/// Some updates of a module, their components laid out level by level, and within a level those of higher rank first.
struct GramGroup {
    /// Some components of one update.
    struct Piece {
        let place: Int
        /// Of the update.
        let components: Range<Int>
        /// The first one's place among all.
        let start: Int
        var end: Int { start + components.count }
    }

    /// The terms, those of higher rank first.
    let places: [Int]
    /// By level.
    let pieces: [[Piece]]
    let count: Int

    init(_ places: [Int], _ terms: [ModuleGram.Term], _ levels: [Range<Int>]) {
        self.places = places
        var count = 0
        pieces = levels.map { level in
            places.compactMap { place in
                let components = level.clamped(to: 0..<terms[place].rank)
                guard !components.isEmpty else { return nil }
                defer { count += components.count }
                return Piece(place: place, components: components, start: count)
            }
        }
        self.count = count
    }

    /// The components of a level that updates have which reach another level too.
    func reach(level: Int, of other: Int) -> Range<Int> {
        let pieces = pieces[level].prefix(self.pieces[max(level, other)].count)
        guard let first = pieces.first, let last = pieces.last else { return 0..<0 }
        return first.start..<last.end
    }

    func pieces(of place: Int) -> [Piece] { pieces.compactMap { $0.first { $0.place == place } } }

    /// Every pair of one of its terms and one of another group's, once.
    func pairs(with other: GramGroup) -> [(Int, Int)] {
        places.enumerated().flatMap { index, place in
            (places == other.places ? Array(other.places[index...]) : other.places).map { (place, $0) }
        }
    }

    /// Reads positions of A (rank × inputs) of all components, as `ComponentGram` takes them.
    func fillA(
        _ terms: [ModuleGram.Term], inputs: Int, _ positions: Range<Int>, _ panel: UnsafeMutablePointer<Double>,
        _ height: Int
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: positions.count) { numbers in
            for piece in pieces.joined() {
                guard let source = terms[piece.place].a else { continue }
                for (index, component) in piece.components.enumerated() {
                    let first = component * inputs + positions.lowerBound
                    source.decode(elements: first..<first + positions.count, into: numbers)
                    let target = panel + (piece.start + index) * height
                    for position in 0..<positions.count { target[position] = Double(numbers[position]) }
                }
            }
        }
    }

    /// Reads positions of B (outputs × rank) of all components: its columns become rows.
    func fillB(
        _ terms: [ModuleGram.Term], _ positions: Range<Int>, _ panel: UnsafeMutablePointer<Double>, _ height: Int
    ) {
        let widest = places.map { terms[$0].rank }.max() ?? 0
        withUnsafeTemporaryAllocation(of: Float.self, capacity: positions.count * widest) { numbers in
            guard let base = numbers.baseAddress else { return }
            for place in places {
                guard let source = terms[place].b else { continue }
                let rank = terms[place].rank
                source.decode(
                    rows: positions, into: UnsafeMutableBufferPointer(rebasing: numbers[..<(positions.count * rank)]))
                // In tiles that stay in the cache.
                for piece in pieces(of: place) {
                    for first in stride(from: 0, to: positions.count, by: 32) {
                        for (index, component) in piece.components.enumerated() {
                            let target = panel + (piece.start + index) * height
                            for position in first..<min(first + 32, positions.count) {
                                target[position] = Double(base[position * rank + component])
                            }
                        }
                    }
                }
            }
        }
    }
}

/// ⟨·, ·⟩ of a factor that is the server's, and so the same for all updates: (rank × rank).
struct FrozenGram {
    let a: ComponentGram?
    let b: ComponentGram?

    init(_ earlier: ModuleFactors?, factors: FactorSet, rank: Int) {
        func gram(_ values: [Float]?, _ length: Int) -> ComponentGram? {
            guard let values, let earlier else { return nil }
            let rank = min(rank, earlier.rank)
            let gram = ComponentGram(left: rank, right: rank, blocks: [.init(left: 0..<rank, right: 0..<rank)])
            values.withUnsafeBufferPointer { gram.add(MatrixView($0, rows: rank, columns: length), nil) }
            gram.mirror()
            return gram
        }
        a = factors.contains(.a) ? nil : gram(earlier?.a, earlier?.inputs ?? 0)
        b = factors.contains(.b) ? nil : gram(earlier?.b, earlier?.outputs ?? 0)
    }
}

/// The inner products of the components of two groups, or of one group with itself.
struct GroupProducts {
    private let left: GramGroup
    private let right: GramGroup
    private let a: ComponentGram?
    private let b: ComponentGram?
    private let common: FrozenGram

    /// - Parameter other: nil for the group itself.
    init(_ module: ModuleGram, _ left: GramGroup, _ other: GramGroup?, _ common: FrozenGram) {
        let right = other ?? left
        self.left = left
        self.right = right
        self.common = common
        var blocks: [ComponentGram.Block] = []
        for level in left.pieces.indices {
            for second in right.pieces.indices where other != nil || second <= level {
                blocks.append(
                    .init(left: left.reach(level: level, of: second), right: right.reach(level: second, of: level)))
            }
        }
        func gram(_ length: Int, _ fill: (GramGroup) -> ComponentGram.Fill) -> ComponentGram {
            let gram = ComponentGram(left: left.count, right: right.count, blocks: blocks)
            gram.add(length: length, left: fill(left), right: other.map(fill))
            if other == nil { gram.mirror() }
            return gram
        }
        let (terms, shape) = (module.terms, module.shape)
        a =
            module.factors.contains(.a)
            ? gram(shape.inputs) { group in { group.fillA(terms, inputs: shape.inputs, $0, $1, $2) } } : nil
        b =
            module.factors.contains(.b)
            ? gram(shape.outputs) { group in { group.fillB(terms, $0, $1, $2) } } : nil
    }

    /// Σ_{i, l < cut} ⟨b_ki, b_jl⟩·⟨a_ki, a_jl⟩ of two updates.
    func product(_ one: Int, _ other: Int, cut: Int) -> Double {
        var total = 0.0
        for first in left.pieces(of: one) where first.components.lowerBound < cut {
            for second in right.pieces(of: other) where second.components.lowerBound < cut {
                total += sum(
                    first, second, rows: min(first.components.count, cut - first.components.lowerBound),
                    columns: min(second.components.count, cut - second.components.lowerBound))
            }
        }
        return total
    }

    private func sum(_ first: GramGroup.Piece, _ second: GramGroup.Piece, rows: Int, columns: Int) -> Double {
        func place(_ own: ComponentGram?, _ frozen: ComponentGram?) -> (ComponentGram, Int, Int)? {
            if let own { return (own, first.start, second.start) }
            return frozen.map { ($0, first.components.lowerBound, second.components.lowerBound) }
        }
        guard let x = place(a, common.a), let y = place(b, common.b) else { return 0 }
        return ComponentGram.sum(
            of: x.0, at: x.1, x.2, times: y.0, at: y.1, y.2, rows: rows, columns: columns)
    }

    /// ‖Σ_{i < r} b_i·a_i‖² of an update of a group with itself, for r from 1 to its rank.
    func squares(of place: Int, _ rank: Int) -> [Double] {
        let pieces = left.pieces(of: place)
        func products(_ one: Int, _ other: Int) -> Double {
            guard let first = pieces.first(where: { $0.components.contains(one) }),
                let second = pieces.first(where: { $0.components.contains(other) })
            else { return 0 }
            let (x, y) = (
                first.start + one - first.components.lowerBound, second.start + other - second.components.lowerBound
            )
            return (a?[x, y] ?? common.a?[one, other] ?? 0) * (b?[x, y] ?? common.b?[one, other] ?? 0)
        }
        var total = 0.0
        return (0..<rank).map { row in
            for column in 0..<row { total += 2 * products(row, column) }
            total += products(row, row)
            return total
        }
    }
}
