import AdapterFormat
import Federation

/// Writes a round's result into one slot of the store, module by module.
///
/// One transaction holds many modules; with one each, an adapter of thousands of small modules would wait for the disk
/// thousands of times. A batch is stored while the next one is collected.
///
/// Its calls block: use it on a queue of its own. Its input is durable once `flush` returns.
struct StoredAdapterWriter: AdapterSink {
    /// The highest count of numbers in one part, roughly (4 MiB), so that reading stays bounded.
    private static let partSize = 1 << 20
    /// The count of numbers that are stored in one transaction (8 MiB).
    private static let batchSize = 1 << 21

    private let target: StoredAdapter
    /// The lease of the job that writes; nil where no job does.
    private let lease: Lease?
    /// The batch that is being stored.
    private var storing: WorkBeside<Void, StoreError>?
    private var parts: [AdapterPart] = []
    private var size = 0

    init(to target: StoredAdapter, under lease: Lease? = nil) {
        self.target = target
        self.lease = lease
    }

    mutating func take(_ factors: ModuleFactors, of module: ModuleShape) throws(StoreError) {
        try put(factors.a, rows: factors.rank, as: .a, module.name)
        try put(factors.b, rows: factors.rank, as: .b, module.name)
        if let bias = factors.bias { try put(bias, rows: 1, as: .bias, module.name) }
    }

    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws(StoreError) {
        try put(values, rows: 1, as: .dense, tensor.name)
    }

    /// Takes what a file has of the federation's adapter.
    mutating func take(_ file: AdapterFile, of plan: AdapterPlan) throws(StoreError) {
        for module in plan.shape.modules {
            guard let factors = file.factors(of: module, rank: module.maximumRank) else { continue }
            try take(factors, of: module)
        }
        for tensor in plan.shape.dense {
            guard let values = file.values(of: tensor) else { continue }
            try take(values, of: tensor)
        }
    }

    /// Stores all that was taken since the last call.
    mutating func flush() throws(StoreError) {
        try passOn()
        try endStoring()
    }

    private mutating func passOn() throws(StoreError) {
        guard !parts.isEmpty else { return }
        try endStoring()
        storing = WorkBeside { [parts, target, lease] () throws(StoreError) in
            try target.store.append(parts, to: target.address, under: lease)
        }
        parts = []
        size = 0
    }

    private mutating func endStoring() throws(StoreError) { try storing.take()?.outcome() }

    /// Deletes the content of the slot and what was taken.
    mutating func clear() throws(StoreError) {
        parts = []
        size = 0
        try endStoring()
        try target.remove(under: lease)
    }

    private mutating func put(
        _ values: [Float], rows: Int, as kind: AdapterTensor.Kind, _ name: String
    ) throws(StoreError) {
        guard rows > 0 else { return }
        let tensor = AdapterTensor(name: name, kind: kind)
        let width = values.count / rows
        let step = max(1, Self.partSize / width)
        for first in stride(from: 0, to: rows, by: step) {
            let count = min(step, rows - first)
            parts.append(
                AdapterPart(
                    tensor: tensor, firstRow: first, rowCount: count,
                    values: count == rows ? values : Array(values[first * width..<(first + count) * width])))
            size += count * width
            if size >= Self.batchSize { try passOn() }
        }
    }
}
