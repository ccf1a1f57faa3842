import AdapterFormat
import Aggregation
import Crypto
import Foundation
import LinearAlgebra
import Simulation

/// One round's aggregation, from the clients' files to the published ones.
struct BenchRound {
    private let strategy: Strategy
    private let shape: AdapterShape
    private var inputs: [BenchCohort.Input]
    /// The last round's adapter; nil for none.
    private let previous: AdapterFile?

    init(strategy: Strategy, inputs: [BenchCohort.Input], cohort: BenchCohort) throws {
        self.strategy = strategy
        self.inputs = inputs
        previous = strategy.robust == nil ? nil : try cohort.previous()
        shape = try cohort.adapterShape()
    }

    /// Shuffles the contributions.
    mutating func shuffle(seed: UInt64) {
        var generator = SeededGenerator(seed: seed, stream: "bench shuffle")
        inputs.shuffle(using: &generator)
    }

    /// Opens, maps and checks the files, aggregates them and writes the published files.
    func publish(into folder: String, threads: Int) throws {
        var sink = RoundFolder(URL(filePath: folder), type: shape.type)
        try aggregate(threads: threads, into: &sink)
        try sink.finish()
    }

    /// The same without writing anything.
    func sum(threads: Int) throws {
        var sink = DiscardingSink()
        try aggregate(threads: threads, into: &sink)
    }

    /// The same with files that are already open: only decoding and summing.
    func sum(of files: [AdapterFile], threads: Int) throws {
        var sink = DiscardingSink()
        try aggregate(zip(inputs, files).map { input, file in contribution(input) { file } }, threads, into: &sink)
    }

    private func aggregate<Sink: RoundSink & ~Copyable>(threads: Int, into sink: inout Sink) throws {
        let contributions = inputs.map { input in
            contribution(input) { try AdapterFile(SafetensorsFile(path: input.path)) }
        }
        try aggregate(contributions, threads, into: &sink)
    }

    private func aggregate<Sink: RoundSink & ~Copyable>(
        _ contributions: [Contribution], _ threads: Int, into sink: inout Sink
    ) throws {
        try Aggregator(strategy: strategy, shape: shape, scaling: .constant(1))
            .aggregate(
                contributions, round: 1, after: EarlierRound(previous: previous), threads: threads, into: &sink)
    }

    private func contribution(
        _ input: BenchCohort.Input, open: @escaping @Sendable () throws -> AdapterFile
    ) -> Contribution {
        Contribution(client: input.client, samples: input.samples, open: open)
    }

    /// The largest difference between two folders' adapters, relative to the largest number.
    func difference(between ours: String, and theirs: String) throws -> Double {
        let one = try SafetensorsFile(path: ours + "/adapter.safetensors")
        let other = try SafetensorsFile(path: theirs + "/adapter.safetensors")
        var difference: Float = 0
        var largest: Float = 0
        for tensor in one.tensors {
            guard let match = other[tensor.name], match.shape == tensor.shape else {
                throw BenchError("the reference's \(tensor.name) is missing or has another shape")
            }
            for (a, b) in zip(tensor.floats(), match.floats()) {
                difference = max(difference, abs(a - b))
                largest = max(largest, abs(a))
            }
        }
        return largest > 0 ? Double(difference / largest) : 0
    }
}

/// A sink that discards everything.
private struct DiscardingSink: RoundSink {
    mutating func begin(_ outline: RoundOutline) {}
    mutating func take(_ result: ModuleResult, of module: ModuleShape) {}
    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) {}
}

/// SHA-256 over the names and bytes of a folder's files, in order of name.
func digest(ofFolder folder: String) throws -> String {
    var hash = SHA256()
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    for name in names {
        if names.count > 1 { hash.update(data: Data(name.utf8)) }
        hash.update(data: try Data(contentsOf: URL(filePath: folder).appending(path: name), options: .alwaysMapped))
    }
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

extension FileManager {
    /// Creates an empty folder, or empties an existing one.
    func remakeFolder(_ path: String) throws {
        if fileExists(atPath: path) { try removeItem(atPath: path) }
        try createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func byteCount(ofFolder path: String) throws -> Int {
        try contentsOfDirectory(atPath: path).reduce(0) {
            $0 + (try attributesOfItem(atPath: "\(path)/\($1)")[.size] as? Int ?? 0)
        }
    }
}
