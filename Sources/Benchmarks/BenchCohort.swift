import AdapterFormat
import DurableFiles
import Foundation
import LinearAlgebra

/// The files of a benchmark's clients. They are drawn from a seed, so the same settings give the same bytes.
struct BenchCohort {
    /// One client's file.
    struct Input: Sendable {
        let client: String
        let path: String
        let byteCount: Int
        let samples: Int
    }

    let folder: String
    let shape: BenchShape
    let ranks: [Int]
    let type: ScalarType
    let seed: UInt64
    let commonStart: Bool

    /// The settings of a folder's files, so that files of other settings are not used.
    private struct Manifest: Codable, Equatable {
        let shape: [Int]
        let ranks: [Int]
        let dtype: String
        let seed: UInt64
        let commonStart: Bool
    }

    /// The spread of a client's numbers around the common start, relative to the start's size.
    private static let drift: Float = 0.001

    /// R, the maximum rank.
    var rank: Int { ranks.max() ?? 1 }

    /// The adapter that a round publishes.
    func adapterShape() throws -> AdapterShape {
        try AdapterShape(modules: modules(rank: rank), type: type)
    }

    /// The files of clients 0 to `clients` - 1. Missing files are created, and all are read once.
    func prepare(clients: Int, threads: Int) throws -> [Input] {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try checkManifest()
        try orderedPipeline(
            count: clients, threads: threads,
            prepare: { $0 },
            work: { client, _ in
                if !FileManager.default.fileExists(atPath: path(of: client)) { try write(client) }
            },
            consume: { _, _ in })
        return try (0..<clients).map { client in
            var generator = SeededGenerator(seed: seed, stream: "bench samples", String(client))
            let attributes = try FileManager.default.attributesOfItem(atPath: path(of: client))
            return Input(
                client: name(of: client), path: path(of: client), byteCount: attributes[.size] as? Int ?? 0,
                samples: 100 + Int(generator.next() % 900))
        }
    }

    /// The last round's adapter: the start that the clients are near, if there is a common one.
    func previous() throws -> AdapterFile {
        let path = "\(folder)/previous.safetensors"
        if !FileManager.default.fileExists(atPath: path) {
            let adapter = try adapterShape()
            try DurableFile.replace(path, promising: .nothing, mode: 0o644) { file in
                var writer = try AdapterWriter(shape: adapter, descriptor: file.number)
                for module in adapter.modules { try writer.take(factors(of: module, client: nil), of: module) }
                try writer.finish()
            }
        }
        return try AdapterFile(SafetensorsFile(path: path))
    }

    private func checkManifest() throws {
        let url = URL(filePath: folder).appending(path: "bench.json")
        let manifest = Manifest(
            shape: [shape.modules, shape.inputs, shape.outputs], ranks: ranks, dtype: type.rawValue, seed: seed,
            commonStart: commonStart)
        if let text = try? Data(contentsOf: url) {
            guard try JSONDecoder().decode(Manifest.self, from: text) == manifest else {
                throw BenchError("\(folder) holds files of other settings")
            }
        } else {
            try JSONEncoder().encode(manifest).write(to: url)
        }
    }

    private func name(of client: Int) -> String {
        let number = String(client)
        return "client-" + String(repeating: "0", count: max(0, 3 - number.count)) + number
    }

    private func path(of client: Int) -> String { "\(folder)/\(name(of: client)).safetensors" }

    private func modules(rank: Int) -> [ModuleShape] {
        (0..<shape.modules).map {
            ModuleShape(name: shape.name(of: $0), inputs: shape.inputs, outputs: shape.outputs, maximumRank: rank)
        }
    }

    /// Writes a file under another name first, so that an existing file is complete.
    private func write(_ client: Int) throws {
        let adapter = try AdapterShape(modules: modules(rank: ranks[client % ranks.count]), type: type)
        try DurableFile.replace(path(of: client), promising: .nothing, mode: 0o644) { file in
            var writer = try AdapterWriter(shape: adapter, descriptor: file.number)
            for module in adapter.modules { try writer.take(factors(of: module, client: name(of: client)), of: module) }
            try writer.finish()
        }
    }

    /// Uniform numbers of about the size of trained factors.
    ///
    /// - Parameter client: nil for the start alone.
    private func factors(of module: ModuleShape, client: String?) -> ModuleFactors {
        var own = SeededGenerator(seed: seed, stream: "bench", module.name, client ?? "")
        var start = SeededGenerator(seed: seed, stream: "bench start", module.name)
        let scale: Float = commonStart ? Self.drift : 1
        var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
        func draw(_ bound: Float) -> Float {
            (commonStart || client == nil ? start.uniform(within: bound) : 0)
                + (client == nil ? 0 : scale * own.uniform(within: bound))
        }
        // Drawn component by component, so that a lower rank's numbers are a prefix.
        for component in 0..<module.maximumRank {
            for index in 0..<module.inputs { factors.a[component * module.inputs + index] = draw(0.02) }
            for index in 0..<module.outputs { factors.b[component * module.outputs + index] = draw(0.02) }
        }
        return factors
    }
}

/// Why a benchmark cannot run, in words.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
