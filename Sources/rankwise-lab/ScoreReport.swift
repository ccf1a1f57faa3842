import AdapterFormat
import Foundation
import Training

/// Many adapters' scores, for people and for programs.
struct ScoreReport: Encodable {
    struct Row: Encodable {
        let name: String
        let path: String
        let lowestRank: Int
        let highestRank: Int
        let accuracy: Double
        let loss: Double
    }

    let examples: Int
    let oneAtATime: Bool
    let seconds: Double
    let adapters: [Row]

    init(_ files: AdapterFiles, _ scores: [Evaluation], examples: Int, oneAtATime: Bool, seconds: Double) {
        self.examples = examples
        self.oneAtATime = oneAtATime
        self.seconds = seconds
        adapters = zip(files.entries, scores).map { entry, score in
            let ranks = entry.file.ranks.values
            return Row(
                name: entry.name, path: entry.path, lowestRank: ranks.min() ?? 0, highestRank: ranks.max() ?? 0,
                accuracy: score.accuracy, loss: score.loss)
        }
    }

    /// Columns separated by tabs.
    var table: String {
        let lines = adapters.map { row in
            let ranks =
                row.lowestRank == row.highestRank ? "\(row.highestRank)" : "\(row.lowestRank)-\(row.highestRank)"
            return [row.name, ranks, row.accuracy.formatted(places: 4), row.loss.formatted(places: 4)]
        }
        return ([["adapter", "rank", "accuracy", "loss"]] + lines).map { $0.joined(separator: "\t") + "\n" }.joined()
    }

    var csv: String {
        let lines = adapters.map { row in
            [
                Self.field(row.name), Self.field(row.path), "\(row.lowestRank)", "\(row.highestRank)",
                "\(row.accuracy)",
                "\(row.loss)",
            ]
        }
        return ([["name", "path", "lowest_rank", "highest_rank", "accuracy", "loss"]] + lines)
            .map { $0.joined(separator: ",") + "\n" }.joined()
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// A field in the form of RFC 4180.
    private static func field(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
}
