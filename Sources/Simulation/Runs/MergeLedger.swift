import Foundation

/// Counts the merge bytes that clients would download: each round's length, and each client's last round.
struct MergeLedger: Codable, Sendable {
    /// By round, from 1.
    private var lengths: [Int] = []
    private var sumLength = 0
    /// The last round whose adapter and merges a client has.
    private var synced: [String: Int] = [:]

    init() {}

    init(path: String) throws {
        self = try JSONDecoder().decode(MergeLedger.self, from: Data(contentsOf: URL(filePath: path)))
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try encoder.encode(self).write(to: URL(filePath: path))
    }

    /// The bytes that a client downloads before it trains on the result of `round`: the merges that it missed, or their
    /// sum where that is shorter.
    func bytes(for client: String, upTo round: Int) -> Int {
        let first = synced[client] ?? 0
        guard first < round, round <= lengths.count else { return 0 }
        return min(lengths[first..<round].reduce(0, +), sumLength)
    }

    /// Records a round in which these clients trained; they have all merges before it.
    mutating func note(round: Int, clients: [String], state: FederationState) throws {
        for client in clients { synced[client] = round - 1 }
        lengths.append(try Self.length(of: state.merge))
        sumLength = try Self.length(of: state.mergeSum)
    }

    private static func length(of path: String) throws -> Int {
        FileManager.default.fileExists(atPath: path) ? try ScratchFolder.size(of: path) : 0
    }
}
