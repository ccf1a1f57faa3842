import AdapterFormat
import AdapterOperations
import Aggregation
import Coordinator
import DurableFiles
import Federation
import Foundation
import Training

/// The global adapter as clients of different ranks download it, rendered once for each rank.
struct Downloads: Sendable {
    struct File: Sendable {
        /// The file that training starts from.
        let plain: String
        /// The bytes sent over the network: fewer than the file's length where messages are quantised.
        let byteCount: Int
        let ranks: [String: Int]
    }

    /// The bits of each number in a message; nil for plain messages.
    let bits: MessageBits?
    private let files: [Int: File]

    init(
        of state: FederationState, for ranks: [Int], round: Int, plan: AdapterPlan, settings: FederationSettings,
        folder: String
    ) throws(SimulationError) {
        bits = settings.adapter.messageBits.flatMap(MessageBits.init)
        var files: [Int: File] = [:]
        do {
            let adapter = try state.openAdapter()
            for rank in Set(ranks) {
                let path = folder + "/rank-\(rank).safetensors"
                let granted = plan.ranks(for: rank, round: round)
                try Self.write(
                    adapter, as: plan.strategy.publishedShape(of: plan.shape, round: round - 1), granted, plan, bits,
                    to: path)
                let length = try ScratchFolder.size(of: path)
                if bits != nil {
                    try AdapterMessage.rewrite(path, to: path + ".plain")
                    try DurableFile.rename(path + ".plain", to: path)
                }
                files[rank] = File(plain: path, byteCount: length, ranks: granted)
            }
        } catch {
            throw .file(state.adapter, reason: "\(error)")
        }
        self.files = files
    }

    func file(forRank rank: Int) throws(SimulationError) -> File {
        guard let file = files[rank] else { throw .file("rank \(rank)", reason: "was not rendered") }
        return file
    }

    func remove() {
        for file in files.values { unlink(file.plain) }
    }

    private static func write(
        _ adapter: AdapterFile, as shape: AdapterShape, _ ranks: [String: Int], _ plan: AdapterPlan,
        _ bits: MessageBits?, to path: String
    ) throws {
        let file = try OwnedFile(path, for: .replacing)
        // B stands for the scale at the federation's maximum rank, whatever rank the round was published at.
        var writer = try AdapterWriter(
            shape: plan.shape, ranks: ranks, scaling: plan.scaling, messageBits: bits, descriptor: file.number)
        for module in plan.shape.modules {
            guard let factors = adapter.factors(of: module, rank: module.maximumRank) else {
                throw SafetensorsWriteError.missing(module.name)
            }
            try writer.take(factors, of: module)
        }
        for tensor in shape.dense { try writer.take(adapter.values(of: tensor) ?? [], of: tensor) }
        try writer.finish()
        withExtendedLifetime(file) {}
    }
}
