import ArgumentParser
import Foundation

/// The reference that a benchmark runs in turn with Rankwise: PyTorch's streaming sum, a copy of the same bytes, or
/// Rankwise's own sum in float, or its round without a robust rule.
final class BenchReference {
    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case none
        case torch
        case torchByClient = "torch-by-client"
        case copy
        case float
        case plain
    }

    /// One run's times, in seconds.
    struct Times: Codable {
        let total: Double
        /// The time without writing.
        let sum: Double?
        /// The total processor time of all threads.
        let processor: Double
    }

    /// The job that the PyTorch script reads on its first line.
    private struct Job: Encodable {
        let files: [String]
        let samples: [Int]
        let rank: Int
        let threads: Int
        let out: String
        let by: String
    }

    /// The reference's name with versions; nil for none.
    let name: String?
    private let kind: Kind
    private let inputs: [BenchCohort.Input]
    private let out: String
    private let torch: BenchScript?
    private let other: BenchRound
    private let threads: Int

    /// - Parameter other: the same round, summed in float and without a robust rule.
    init(
        _ kind: Kind, inputs: [BenchCohort.Input], rank: Int, threads: Int, out: String, python: String, script: String,
        other: BenchRound
    ) throws {
        self.kind = kind
        self.inputs = inputs
        self.out = out
        self.other = other
        self.threads = threads
        guard kind == .torch || kind == .torchByClient else {
            torch = nil
            name =
                switch kind {
                case .copy: "copy: the inputs read and the published bytes written, in blocks of 256 KiB"
                case .float: "float: the same round with sum float"
                case .plain: "plain: the same round without a robust rule"
                case .none, .torch, .torchByClient: nil
                }
            return
        }
        let job = Job(
            files: inputs.map(\.path), samples: inputs.map(\.samples), rank: rank, threads: threads,
            out: out + "/adapter.safetensors", by: kind == .torchByClient ? "client" : "module")
        let torch = try BenchScript(python: python, script: script, job: job)
        self.torch = torch
        name = torch.versions
    }

    /// Whether it publishes the same as Rankwise.
    var isComparable: Bool { kind == .torch || kind == .torchByClient || kind == .float }

    /// Runs once into an empty folder; nil where there is no reference.
    func run(publishedBytes: Int) throws -> Times? {
        switch kind {
        case .none: return nil
        case .copy:
            let times = try BenchTimes { try copy(publishedBytes) }
            return Times(total: times.seconds, sum: nil, processor: times.processorSeconds)
        case .float, .plain:
            let times = try BenchTimes { try other.publish(into: out, threads: threads) }
            let sum = try BenchTimes { try other.sum(threads: threads) }
            return Times(total: times.seconds, sum: sum.seconds, processor: times.processorSeconds)
        case .torch, .torchByClient:
            return try torch?.run(Times.self)
        }
    }

    func stop() { torch?.stop() }

    /// Reads every input once, and again where the output is longer. Writes as many bytes as were published.
    private func copy(_ publishedBytes: Int) throws {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 4096)
        defer { block.deallocate() }
        let target = open(out + "/copy", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644)
        guard target >= 0 else { throw BenchError("\(out)/copy cannot be written") }
        defer { close(target) }
        var rest = publishedBytes
        repeat {
            for input in inputs {
                let source = open(input.path, O_RDONLY | O_CLOEXEC)
                guard source >= 0 else { throw BenchError("\(input.path) cannot be read") }
                defer { close(source) }
                while true {
                    let count = read(source, block.baseAddress, block.count)
                    guard count >= 0 else { throw BenchError("\(input.path) cannot be read") }
                    guard count > 0 else { break }
                    guard write(target, block.baseAddress, min(count, rest)) == min(count, rest) else {
                        throw BenchError("\(out)/copy cannot be written")
                    }
                    rest -= min(count, rest)
                }
            }
        } while rest > 0
    }
}
