import ArgumentParser
import Foundation
import RankwiseWire
import ServerCalls

/// Prints a federation's audit log.
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Print a federation's audit log, the oldest first.",
        discussion: "With --json: one event a line.")

    @OptionGroup var target: FederationArgument
    @Option(help: ArgumentHelp("Only events after this id.", valueName: "id")) var after: Int64 = 0
    @Option(help: "How many events at most (default: all).") var limit: Int?
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    /// What the server gives at a time.
    private static let page = 1000

    func validate() throws {
        guard after >= 0 else { throw ValidationError("--after is \(after); expected at least 0") }
        if let limit, limit < 1 { throw ValidationError("--limit is \(limit); expected at least 1") }
    }

    func run() async throws {
        let api = try server.api()
        var last = after
        var left = limit ?? .max
        while left > 0 {
            let asked = min(left, Self.page)
            let events = try await api.events(target.federation, after: last, limit: asked).body.events
            try show(events, &last)
            left -= events.count
            guard events.count == asked else { return }
        }
    }

    private func show(_ events: [JSONValue], _ last: inout Int64) throws(AdminError) {
        var rows: [[String]] = []
        for json in events {
            let event: EventBody
            do throws(WireError) {
                event = try WireJSON.decode(EventBody.self, from: try WireJSON.encode(json))
            } catch {
                throw .damaged("the server's audit log cannot be read: \(error)")
            }
            last = event.id
            if output.json {
                try OutputOptions.write(String(decoding: try OutputOptions.encoded(json), as: UTF8.self))
            } else {
                rows.append([
                    "\(event.id)", event.at, event.kind, Cells.text(event.round), Cells.text(event.client),
                    event.detail ?? "",
                ])
            }
        }
        if !rows.isEmpty {
            try OutputOptions.write(Cells.list(["ID", "AT", "EVENT", "ROUND", "CLIENT", "DETAIL"], rows))
        }
    }
}
