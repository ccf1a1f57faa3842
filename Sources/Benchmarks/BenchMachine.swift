import AdapterFormat
import Foundation
import LinearAlgebra
import Synchronization
import Training

/// The machine that a benchmark ran on.
package struct BenchMachine: Encodable {
    let processor: String
    let cores: Int
    let memoryBytes: UInt64
    let system: String

    package init() {
        let lines = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split(separator: "\n")
        let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last
        processor = model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        cores = ProcessInfo.processInfo.activeProcessorCount
        memoryBytes = ProcessInfo.processInfo.physicalMemory
        system = ProcessInfo.processInfo.operatingSystemVersionString
    }
}

/// Measures this process's anonymous memory (RssAnon) every five milliseconds, on its own thread.
final class MemorySampler: Sendable {
    /// In bytes.
    struct Peak: Sendable {
        let before: Int
        let highest: Int
    }

    private struct State {
        var isRunning = false
        var before = 0
        var highest = 0
    }

    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)

    func start() {
        let now = Self.anonymousBytes()
        state.withLock { $0 = State(isRunning: true, before: now, highest: now) }
        Thread.detachNewThread { [self] in
            while sample() { usleep(5000) }
            ended.signal()
        }
    }

    func stop() -> Peak {
        _ = sample()
        state.withLock { $0.isRunning = false }
        ended.wait()
        return state.withLock { Peak(before: $0.before, highest: $0.highest) }
    }

    private func sample() -> Bool {
        let now = Self.anonymousBytes()
        return state.withLock { state in
            state.highest = max(state.highest, now)
            return state.isRunning
        }
    }

    private static func anonymousBytes() -> Int { ProcessMemory.bytes("RssAnon") }
}

/// A plain read of the same mapped bytes in the same pieces: the speed of a program that only reads.
struct ReadPass {
    /// The seconds of a pass that maps the pages into the process, as every aggregation must.
    let firstTouch: Double
    /// The seconds of a pass over pages that are already mapped.
    let mapped: Double

    /// - Parameter files: files that were just mapped and not read yet.
    init(_ files: [AdapterFile], threads: Int) throws {
        firstTouch = try BenchTimes { try Self.read(files, threads: threads) }.seconds
        mapped = try BenchTimes { try Self.read(files, threads: threads) }.seconds
    }

    private static func read(_ files: [AdapterFile], threads: Int) throws {
        var total: UInt64 = 0
        try orderedPipeline(
            count: files.first?.modules.count ?? 0, threads: threads,
            prepare: { $0 },
            work: { index, _ in
                files.reduce(0) { sum, file in
                    let module = file.modules[index]
                    return [module.a, module.b].compactMap(\.self).reduce(sum) { $0 &+ $1.withBytes(Self.sum) }
                }
            },
            consume: { total &+= $1 })
        // The sum must be used, or the compiler could remove its computation.
        if total == 0 { throw BenchError("the files hold nothing but zeros") }
    }

    /// The sum of the bytes as 64-bit words.
    private static func sum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sums = (SIMD8<UInt64>(), SIMD8<UInt64>())
        var index = 0
        while index + 128 <= bytes.count {
            sums.0 &+= bytes.loadUnaligned(fromByteOffset: index, as: SIMD8<UInt64>.self)
            sums.1 &+= bytes.loadUnaligned(fromByteOffset: index + 64, as: SIMD8<UInt64>.self)
            index += 128
        }
        return (sums.0 &+ sums.1).wrappedSum()
    }
}
