/// Keeps the results of rounds, factor by factor. Its calls block: make them on a queue of your own.
///
/// A write is durable on return; a call that throws changed nothing.
package protocol AdapterStore: Sendable {
    /// Deletes the content of a slot for these rounds, so that it can be written again from the start. Throws `.fenced`
    /// unless the lease, if there is one, is valid: a worker that was paused must not change what its successor wrote.
    func remove(
        _ slot: AdapterSlot, ofRounds rounds: ClosedRange<Int>, in federation: FederationID, under lease: Lease?
    ) throws(StoreError)
    /// Appends rows in one transaction. Throws `.fenced` unless the lease, if there is one, is valid.
    func append(_ parts: [AdapterPart], to address: AdapterAddress, under lease: Lease?) throws(StoreError)
    /// The first `rows` rows of a tensor; fewer where fewer are stored.
    func rows(_ rows: Int, of tensor: AdapterTensor, at address: AdapterAddress) throws(StoreError) -> [Float]
    /// The number of stored rows of a tensor.
    func rowCount(of tensor: AdapterTensor, at address: AdapterAddress) throws(StoreError) -> Int

    /// Copies the content of one slot to another, which must be empty.
    func copy(from source: AdapterAddress, to target: AdapterAddress) throws(StoreError)
    /// The rounds with content in a slot, ascending.
    func rounds(of slot: AdapterSlot, in federation: FederationID) throws(StoreError) -> [Int]
    /// Whether a round has content in a slot.
    func hasContent(at address: AdapterAddress) throws(StoreError) -> Bool
    /// The metrics that clients reported in these rounds, as means weighted by samples.
    func metrics(ofRounds rounds: [Int], in federation: FederationID) throws(StoreError) -> [Int: Metrics]
    /// Which merges are stored, read in one snapshot.
    func merges(of federation: FederationID) throws(StoreError) -> MergeRecord
    /// Declares the merges of the rounds up to `round` as folded into the total that is stored there. Throws `.fenced`
    /// unless the lease is valid.
    func foldMerges(through round: Int, of federation: FederationID, under lease: Lease) throws(StoreError)
}

extension AdapterStore {
    /// Deletes rounds of a slot that nobody writes.
    package func remove(
        _ slot: AdapterSlot, ofRounds rounds: ClosedRange<Int>, in federation: FederationID
    ) throws(StoreError) {
        try remove(slot, ofRounds: rounds, in: federation, under: nil)
    }

    /// Appends to a slot that no job writes.
    package func append(_ parts: [AdapterPart], to address: AdapterAddress) throws(StoreError) {
        try append(parts, to: address, under: nil)
    }
}

/// A kind of result that a round stores; each has ranks of its own.
package enum AdapterSlot: Sendable, Hashable {
    /// The published adapter.
    case adapter
    /// The merge: what the round adds to the base.
    case merge
    /// The running total of all merges up to the round.
    case mergeTotal
    /// A running mean of the server's optimizer: 0 for the first moment, 1 for the second.
    case moment(Int)
}

/// The place of one stored result of a round.
package struct AdapterAddress: Sendable, Hashable {
    package let federation: FederationID
    package let round: Int
    package let slot: AdapterSlot

    package init(federation: FederationID, round: Int, slot: AdapterSlot) {
        self.federation = federation
        self.round = round
        self.slot = slot
    }
}

/// The stored merges of a federation.
package struct MergeRecord: Sendable, Hashable {
    /// Up to this round only the running total is stored; 0 where nothing is folded.
    package let foldedThrough: Int
    /// The later rounds that published, ascending.
    package let published: [Int]

    package init(foldedThrough: Int, published: [Int]) {
        self.foldedThrough = foldedThrough
        self.published = published
    }
}

/// A tensor of an adapter that is stored by itself.
package struct AdapterTensor: Sendable, Hashable {
    package enum Kind: String, Sendable {
        /// (rank × inputs)
        case a = "A"
        /// Transposed: (rank × outputs)
        case b = "B"
        /// The bias of B: one row.
        case bias
        /// A tensor beside the factors, flattened to one row.
        case dense
    }

    /// The module, or the dense tensor's name.
    package let name: String
    package let kind: Kind

    package init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

/// Consecutive rows of one tensor.
package struct AdapterPart: Sendable {
    package let tensor: AdapterTensor
    package let firstRow: Int
    package let rowCount: Int
    /// (rowCount × width), row-major.
    package let values: [Float]

    package init(tensor: AdapterTensor, firstRow: Int, rowCount: Int, values: [Float]) {
        self.tensor = tensor
        self.firstRow = firstRow
        self.rowCount = rowCount
        self.values = values
    }
}
