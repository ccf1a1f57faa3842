import Foundation

/// A run on disk: `settings.json`, `rounds.csv` with one row a round, and `state-N` with the state after round N.
///
/// A round is stored in three steps: its state is copied and renamed into place, the table is replaced by one with its
/// row, and the state before is removed. A run that was killed in between continues after the last row and gets the
/// same rows.
package struct RunFolder: Sendable {
    package let path: String
    package private(set) var records: [RoundRecord]
    package let document: SimulationDocument

    private var settings: URL { URL(filePath: path + "/settings.json") }
    private var table: URL { URL(filePath: path + "/rounds.csv") }

    /// Opens the run at `path`, or creates it.
    ///
    /// - Throws: `otherRun` where the folder has a run that `document` does not continue.
    package init(path: String, document: SimulationDocument) throws(SimulationError) {
        self.path = path
        self.document = document
        records = []
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw .file(path, reason: "\(error)")
        }
        if FileManager.default.fileExists(atPath: settings.path) {
            let kept = try RunFolder(reading: path)
            guard document.continues(kept.document) else { throw .otherRun(folder: path) }
            records = kept.records
        }
        try Self.replace(settings, with: try document.json())
        try removeStates(but: records.count)
    }

    /// Reads a run without continuing it.
    package init(reading path: String) throws(SimulationError) {
        self.path = path
        records = []
        guard let json = FileManager.default.contents(atPath: path + "/settings.json") else {
            throw .file(path + "/settings.json", reason: "cannot be read")
        }
        document = try SimulationDocument(json: json)
        guard let text = FileManager.default.contents(atPath: table.path) else { return }
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst() {
            guard let record = RoundRecord(csv: line), record.round == records.count + 1 else {
                throw .file(table.path, reason: "row \(records.count + 1) is not one of this version's")
            }
            records.append(record)
        }
    }

    /// The state after the last stored round; nil before the first.
    package var lastState: String? { records.isEmpty ? nil : state(records.count) }

    /// Stores a round and its state.
    package mutating func keep(_ record: RoundRecord, _ state: FederationState) throws(SimulationError) {
        let files = FileManager.default
        let (part, place) = (path + "/state.part", self.state(record.round))
        do {
            if files.fileExists(atPath: part) { try files.removeItem(atPath: part) }
            if files.fileExists(atPath: place) { try files.removeItem(atPath: place) }
            try files.copyItem(atPath: state.folder, toPath: part)
            try files.moveItem(atPath: part, toPath: place)
        } catch {
            throw .file(place, reason: "\(error)")
        }
        try keep(record)
        try removeStates(but: record.round)
    }

    /// Stores a round of a run that cannot continue later.
    package mutating func keep(_ record: RoundRecord) throws(SimulationError) {
        records.append(record)
        let lines = [RoundRecord.header] + records.map(\.csv)
        try Self.replace(table, with: Data((lines.joined(separator: "\n") + "\n").utf8))
    }

    /// Removes every round.
    package mutating func clear() throws(SimulationError) {
        records = []
        try Self.replace(table, with: Data((RoundRecord.header + "\n").utf8))
        try removeStates(but: 0)
    }

    private func state(_ round: Int) -> String { path + "/state-\(round)" }

    private func removeStates(but round: Int) throws(SimulationError) {
        do {
            for name in try FileManager.default.contentsOfDirectory(atPath: path)
            where name.hasPrefix("state") && name != "state-\(round)" {
                try FileManager.default.removeItem(atPath: path + "/" + name)
            }
        } catch {
            throw .file(path, reason: "\(error)")
        }
    }

    private static func replace(_ url: URL, with data: Data) throws(SimulationError) {
        do {
            try data.write(to: url, options: .atomic)
        } catch {
            throw .file(url.path, reason: "\(error)")
        }
    }
}
