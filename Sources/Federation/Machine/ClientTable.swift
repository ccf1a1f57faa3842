/// What a table of clients counts over its values, so that nobody has to count them again.
package protocol Tallied: Sendable {
    associatedtype Tally: ClientTally where Tally.Value == Self
}

/// Counts over the values of a table.
package protocol ClientTally: Sendable, Hashable {
    associatedtype Value
    init()
    mutating func add(_ value: Value)
    mutating func remove(_ value: Value)
}

/// Values by clients' names, in ascending order of name. A changed copy shares almost everything with the original.
///
/// Every step copies the machine, and a copy lives as long as somebody reads it. A federation may have a million
/// clients, so a change must cost neither a copy of all of them nor a look at each. What other modules call is
/// specialised, because generic code asks for the metadata of a value's type at every element.
package struct ClientTable<Value: Tallied>: Sendable {
    package typealias Element = (key: ClientName, value: Value)

    private static var mostInLeaf: Int { 64 }
    private static var mostInBranch: Int { 64 }

    /// In ascending order of name; never empty.
    fileprivate typealias Leaf = [Element]

    fileprivate struct Branch {
        /// Never empty.
        var leaves: [Leaf]
        var first: ClientName { leaves[0][0].key }
    }

    fileprivate struct Position {
        var branch: Int
        var leaf: Int
        var index: Int
    }

    fileprivate private(set) var branches: [Branch] = []
    package private(set) var count = 0
    package private(set) var tally = Value.Tally()

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package subscript(name: ClientName) -> Value? {
        @specialized(where Value == Client)
        @specialized(where Value == RoundMachine.Participation)
        @specialized(where Value == Update)
        @specialized(where Value == EvaluationRound.Place)
        @specialized(where Value == Seen)
        get {
            let (position, isFound) = search(name)
            return isFound ? branches[position.branch].leaves[position.leaf][position.index].value : nil
        }
        @specialized(where Value == Client)
        @specialized(where Value == RoundMachine.Participation)
        @specialized(where Value == Update)
        @specialized(where Value == EvaluationRound.Place)
        @specialized(where Value == Seen)
        set {
            let (position, isFound) = search(name)
            switch (newValue, isFound) {
            case (let value?, true): replace(at: position, by: value)
            case (let value?, false): insert((name, value), at: position)
            case (nil, true): remove(at: position)
            case (nil, false): break
            }
        }
    }

    /// Changes the value of a name in place, with one search; without one of that name, nothing happens.
    @specialized(where Value == Client)
    package mutating func change(_ name: ClientName, _ change: (inout Value) -> Void) {
        let (position, isFound) = search(name)
        guard isFound else { return }
        tally.remove(branches[position.branch].leaves[position.leaf][position.index].value)
        change(&branches[position.branch].leaves[position.leaf][position.index].value)
        tally.add(branches[position.branch].leaves[position.leaf][position.index].value)
    }

    /// In ascending order.
    package var keys: LazyMapSequence<ClientTable, ClientName> { lazy.map(\.key) }

    /// In ascending order of name.
    package var values: LazyMapSequence<ClientTable, Value> { lazy.map(\.value) }
}

extension ClientTable: Sequence {
    /// Walks through the table in ascending order of name.
    package struct Iterator: IteratorProtocol {
        private let branches: [Branch]
        private var position: Position
        private var leaf: Leaf

        fileprivate init(_ table: ClientTable, from position: Position) {
            branches = table.branches
            self.position = position
            leaf = branches.isEmpty ? [] : branches[position.branch].leaves[position.leaf]
        }

        @specialized(where Value == Client)
        @specialized(where Value == RoundMachine.Participation)
        @specialized(where Value == Update)
        @specialized(where Value == EvaluationRound.Place)
        @specialized(where Value == Seen)
        package mutating func next() -> Element? {
            if position.index == leaf.count {
                guard moveToNextLeaf() else { return nil }
            }
            defer { position.index += 1 }
            return leaf[position.index]
        }

        private mutating func moveToNextLeaf() -> Bool {
            guard position.branch < branches.count else { return false }
            position.leaf += 1
            position.index = 0
            if position.leaf == branches[position.branch].leaves.count {
                position.branch += 1
                position.leaf = 0
            }
            leaf = position.branch < branches.count ? branches[position.branch].leaves[position.leaf] : []
            return !leaf.isEmpty
        }
    }

    package func makeIterator() -> Iterator { Iterator(self, from: Position(branch: 0, leaf: 0, index: 0)) }

    package var underestimatedCount: Int { count }

    /// The elements whose names come after `name`; all where it is nil.
    package func elements(after name: ClientName?) -> IteratorSequence<Iterator> {
        guard let name, !isEmpty else { return IteratorSequence(makeIterator()) }
        var (position, isFound) = search(name)
        if isFound { position.index += 1 }
        return IteratorSequence(Iterator(self, from: position))
    }
}

extension ClientTable {
    /// Elements in any order; of two with one name, the later one counts.
    package init(_ elements: some Sequence<Element>) {
        for (key, value) in elements { self[key] = value }
    }
}

extension ClientTable: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (ClientName, Value)...) { self.init(elements.map { ($0.0, $0.1) }) }
}

extension ClientTable: Equatable where Value: Equatable {
    package static func == (left: ClientTable, right: ClientTable) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    }

    /// The elements that are new here or differ from those of an earlier table, in ascending order of name. What both
    /// tables share is not read.
    @specialized(where Value == Client)
    @specialized(where Value == RoundMachine.Participation)
    @specialized(where Value == Update)
    @specialized(where Value == EvaluationRound.Place)
    @specialized(where Value == Seen)
    package func changes(since earlier: ClientTable) -> [Element] {
        let known = Set(earlier.branches.map { Self.identity(of: $0.leaves) })
        let changed = branches.filter { !known.contains(Self.identity(of: $0.leaves)) }
        guard !changed.isEmpty else { return [] }
        let kept = Set(branches.map { Self.identity(of: $0.leaves) })
        var knownLeaves: Set<UnsafeRawPointer?> = []
        for branch in earlier.branches where !kept.contains(Self.identity(of: branch.leaves)) {
            for leaf in branch.leaves { knownLeaves.insert(Self.identity(of: leaf)) }
        }
        var found: [Element] = []
        for branch in changed {
            for leaf in branch.leaves where !knownLeaves.contains(Self.identity(of: leaf)) {
                for element in leaf where earlier[element.key] != element.value { found.append(element) }
            }
        }
        return found
    }

    /// Where an array's elements are. Two arrays with the same answer have the same elements, as long as both live.
    private static func identity<Item>(of array: [Item]) -> UnsafeRawPointer? {
        array.withUnsafeBufferPointer { UnsafeRawPointer($0.baseAddress) }
    }
}

extension ClientTable {
    /// Where the name is, or where it belongs.
    private func search(_ name: ClientName) -> (Position, isFound: Bool) {
        guard !branches.isEmpty else { return (Position(branch: 0, leaf: 0, index: 0), false) }
        let branch = Swift.max(0, Self.firstIndex(upTo: branches.count) { name < branches[$0].first } - 1)
        let leaves = branches[branch].leaves
        let leaf = Swift.max(0, Self.firstIndex(upTo: leaves.count) { name < leaves[$0][0].key } - 1)
        let elements = leaves[leaf]
        let index = Self.firstIndex(upTo: elements.count) { !(elements[$0].key < name) }
        return (
            Position(branch: branch, leaf: leaf, index: index), index < elements.count && elements[index].key == name
        )
    }

    /// The first index that satisfies the condition, where all later ones do; `count` where none does.
    private static func firstIndex(upTo count: Int, where condition: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if condition(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private mutating func replace(at position: Position, by value: Value) {
        tally.remove(branches[position.branch].leaves[position.leaf][position.index].value)
        tally.add(value)
        branches[position.branch].leaves[position.leaf][position.index].value = value
    }

    private mutating func insert(_ element: Element, at position: Position) {
        tally.add(element.value)
        count += 1
        guard !branches.isEmpty else {
            branches = [Branch(leaves: [[element]])]
            return
        }
        let (branch, leaf) = (position.branch, position.leaf)
        branches[branch].leaves[leaf].insert(element, at: position.index)
        guard let rest = Self.overflow(of: &branches[branch].leaves[leaf], above: Self.mostInLeaf, position.index)
        else { return }
        branches[branch].leaves.insert(rest, at: leaf + 1)
        guard let leaves = Self.overflow(of: &branches[branch].leaves, above: Self.mostInBranch, leaf + 1) else {
            return
        }
        branches.insert(Branch(leaves: leaves), at: branch + 1)
    }

    /// Takes the upper part out of an array that is longer than `most`: half of it, or only what was added at the end,
    /// so that names in ascending order fill their arrays.
    private static func overflow<Item>(of array: inout [Item], above most: Int, _ added: Int) -> [Item]? {
        guard array.count > most else { return nil }
        let kept = added == array.count - 1 ? most : array.count / 2
        defer { array.removeLast(array.count - kept) }
        return Array(array[kept...])
    }

    private mutating func remove(at position: Position) {
        let (branch, leaf) = (position.branch, position.leaf)
        tally.remove(branches[branch].leaves[leaf].remove(at: position.index).value)
        count -= 1
        if branches[branch].leaves[leaf].isEmpty { branches[branch].leaves.remove(at: leaf) }
        if branches[branch].leaves.isEmpty { branches.remove(at: branch) }
    }
}
