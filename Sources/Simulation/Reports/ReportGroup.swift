import Foundation
import RankwiseWire

/// Runs that differ only in strategy, robust rule and seed; a report shows them in one chart.
package struct ReportGroup: Sendable {
    package let name: String
    /// The common settings of the runs, in one line.
    package let about: String
    package let series: [SeriesSummary]

    package init(name: String, about: String, series: [SeriesSummary]) {
        self.name = name
        self.about = about
        self.series = series
    }

    /// Reads every run below a folder and groups runs that differ only in strategy, robust rule and seed.
    ///
    /// Groups are in the order of their names, their strategies in the order of final accuracy, the best first.
    package static func read(below folder: String) throws(SimulationError) -> [ReportGroup] {
        var runs: [String: [RunFolder]] = [:]
        for path in try runFolders(below: folder) {
            let run = try RunFolder(reading: path)
            runs[URL(filePath: path).deletingLastPathComponent().lastPathComponent, default: []].append(run)
        }
        return runs.sorted { $0.key < $1.key }.compactMap { name, runs in
            let series = Dictionary(grouping: runs, by: \.document.federation.label).compactMap { label, runs in
                SeriesSummary(
                    label: label, runs: runs.map { (seed: $0.document.federation.seed, records: $0.records) })
            }
            // Plain averaging has one rank where the others have many.
            let documents = runs.map(\.document)
            let mixed = documents.max { Set($0.simulation.ranks).count < Set($1.simulation.ranks).count }
            guard let mixed, !series.isEmpty else { return nil }
            return ReportGroup(
                name: name, about: about(mixed),
                series: series.sorted { ($1.finalAccuracy.mean, $0.label) < ($0.finalAccuracy.mean, $1.label) })
        }
    }

    private static func runFolders(below folder: String) throws(SimulationError) -> [String] {
        guard let names = FileManager.default.enumerator(atPath: folder) else {
            throw .file(folder, reason: "cannot be read")
        }
        var found: [String] = []
        for case let name as String in names where name.hasSuffix("settings.json") {
            found.append(URL(filePath: folder).appending(path: name).deletingLastPathComponent().path)
        }
        guard !found.isEmpty else { throw .file(folder, reason: "holds no run: no settings.json is below it") }
        return found.sorted()
    }

    private static func about(_ document: SimulationDocument) -> String {
        let (federation, simulation) = (document.federation, document.simulation)
        let ranks = Set(simulation.ranks).sorted()
        let share =
            federation.round.selection.count.map { "\($0)" }
            ?? "\(Int((federation.round.selection.fraction * 100).rounded()))%"
        var parts = [
            federation.baseModel.name, "\(simulation.clients) clients", "\(share) of them a round",
            ranks.count == 1 ? "rank \(ranks[0])" : "ranks \(ranks[0]) to \(ranks[ranks.count - 1])",
            "\(simulation.partition.scheme.rawValue) split",
        ]
        for key in ["epochs", "batch_size", "optimizer", "learning_rate", "momentum"] {
            guard let value = federation.training[key] else { continue }
            let text = value.string ?? value.int.map(String.init) ?? value.double.map { "\($0)" } ?? ""
            parts.append("\(key.replacingOccurrences(of: "_", with: " ")) \(text)")
        }
        return parts.joined(separator: ", ")
    }
}

extension FederationDocument {
    /// The strategy, with the robust rule that it has.
    fileprivate var label: String {
        guard let robust else { return strategy.name }
        let parameters = robust.parameters.sorted { $0.key < $1.key }.compactMap { key, value in
            value.int.map { "\(key) \($0)" } ?? value.double.map { "\(key) \($0)" }
        }
        return ([strategy.name + " + " + robust.rule] + parameters).joined(separator: ", ")
    }
}
