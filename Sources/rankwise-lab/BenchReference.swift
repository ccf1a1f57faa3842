import ArgumentParser
import Foundation

/// What a benchmark runs in turn with Rankwise: PyTorch's streaming sum, or a copy of the same bytes.
final class BenchReference {
    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case none
        case torch
        case copy
    }

    /// One run's times, in seconds.
    struct Times: Codable {
        let total: Double
        /// Without writing.
        let sum: Double?
        /// Of all threads, in all.
        let processor: Double
    }

    /// What the PyTorch script is told on its first line.
    private struct Job: Encodable {
        let files: [String]
        let samples: [Int]
        let rank: Int
        let threads: Int
        let out: String
    }

    private struct Greeting: Decodable {
        let versions: String
    }

    /// With versions; nil for none.
    let name: String?
    private let kind: Kind
    private let inputs: [BenchCohort.Input]
    private let out: String
    private let process: Process
    private let questions = Pipe()
    private let answers = Pipe()

    init(
        _ kind: Kind, inputs: [BenchCohort.Input], rank: Int, threads: Int, out: String, python: String, script: String
    ) throws {
        self.kind = kind
        self.inputs = inputs
        self.out = out
        process = Process()
        guard kind == .torch else {
            name = kind == .copy ? "copy: the inputs read and the published bytes written, in blocks of 256 KiB" : nil
            return
        }
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [python, script]
        process.standardInput = questions
        process.standardOutput = answers
        try process.run()
        let job = Job(
            files: inputs.map(\.path), samples: inputs.map(\.samples), rank: rank, threads: threads,
            out: out + "/adapter.safetensors")
        try Self.send(try JSONEncoder().encode(job), to: questions)
        name = try Self.answer(Greeting.self, from: answers).versions
    }

    /// Whether it publishes what Rankwise does.
    var isComparable: Bool { kind == .torch }

    /// Runs once into an empty folder; nil where there is nothing to run.
    func run(publishedBytes: Int) throws -> Times? {
        switch kind {
        case .none: return nil
        case .copy:
            let times = try BenchTimes { try copy(publishedBytes) }
            return Times(total: times.seconds, sum: nil, processor: times.processorSeconds)
        case .torch:
            try Self.send(Data("run".utf8), to: questions)
            return try Self.answer(Times.self, from: answers)
        }
    }

    func stop() {
        guard process.isRunning else { return }
        try? questions.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Reads every input once, and again where the output is longer; writes until it is as long as what was published.
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

    private static func send(_ line: Data, to pipe: Pipe) throws {
        try pipe.fileHandleForWriting.write(contentsOf: line + Data("\n".utf8))
    }

    private static func answer<Answer: Decodable>(_: Answer.Type, from pipe: Pipe) throws -> Answer {
        var line = Data()
        while line.last != 0x0A {
            let data = pipe.fileHandleForReading.availableData
            guard !data.isEmpty else { throw BenchError("the PyTorch reference ended; see above for its reason") }
            line += data
        }
        return try JSONDecoder().decode(Answer.self, from: line)
    }
}
