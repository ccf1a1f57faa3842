import Foundation
import Logging
import RankwiseWire

/// Writes each log entry as one JSON line to standard error, for collectors.
struct JSONLogHandler: LogHandler {
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]
    let label: String

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line: [String: JSONValue] = [
            "at": .string(Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(Date())),
            "level": .string(event.level.rawValue),
            "logger": .string(label),
            "message": .string("\(event.message)"),
        ]
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) {
            line[key] = .string("\(value)")
        }
        guard var bytes = try? WireJSON.encode(line) else { return }
        bytes.append(UInt8(ascii: "\n"))
        // A log that cannot be written must not end the server: `write(_:)` would trap.
        try? FileHandle.standardError.write(contentsOf: bytes)
    }
}
