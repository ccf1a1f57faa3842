import Foundation

/// A Python script beside a benchmark. It receives its job as one line of JSON and answers with its versions. Then it
/// answers every line with the times of a run.
final class BenchScript {
    private struct Greeting: Decodable {
        let versions: String
    }

    /// The versions of its software, in words.
    let versions: String
    private let process = Process()
    private let questions = Pipe()
    private let answers = Pipe()

    /// - Parameter python: a program's path or name.
    init(python: String, script: String, job: some Encodable) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [python, script]
        process.standardInput = questions
        process.standardOutput = answers
        try process.run()
        try Self.send(try JSONEncoder().encode(job), to: questions)
        versions = try Self.answer(Greeting.self, from: answers).versions
    }

    /// Runs once and waits for the result.
    func run<Answer: Decodable>(_: Answer.Type) throws -> Answer {
        try Self.send(Data("run".utf8), to: questions)
        return try Self.answer(Answer.self, from: answers)
    }

    func stop() {
        guard process.isRunning else { return }
        try? questions.fileHandleForWriting.close()
        process.waitUntilExit()
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
