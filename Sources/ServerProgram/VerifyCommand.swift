import ArgumentParser
import Coordinator
import Federation
import Foundation
import Logging
import SQLiteStore

/// Checks a data folder from end to end, also while a server runs on it.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a data folder: database, audit logs, updates and adapters.",
        discussion: """
            Checks SQLite's own structure, the hash chain of every audit log, the bytes of every update whose round is \
            open, and that every published adapter still renders as recorded. Every finding is a line that begins with \
            'finding:'; exits with 0 if there is none, else with 1.

            Keep a log's head elsewhere and pass it later with --pin, to be sure that nothing up to it was changed:

              rankwise-server verify --data ./data --pin digits=sha256:…
            """)

    @OptionGroup var data: DataOptions
    @Option(help: "FEDERATION=HASH: an event's hash that must still be in that federation's audit log.")
    var pin: [String] = []

    func run() async throws {
        let pins = try Dictionary(pin.map(Self.pin), uniquingKeysWith: { $1 })
        let logger = Logger(label: "rankwise-server")
        let store = try SQLiteStore(beside: try data.folder(), logger: logger)
        let folder = NSTemporaryDirectory() + "rankwise-verify-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let audit: StoreAudit
        do throws(StoreError) {
            audit = try store.audit(pins: pins)
        } catch {
            throw StoreFailure(error)
        }
        let services = Services(
            // One file at a time: no file is rendered twice.
            stores: Stores(store), cache: try AdapterCache(folder: folder, byteLimit: 0),
            access: Access(mode: .none, clock: SystemClock()), clock: SystemClock(), threads: 1, logger: logger)
        var findings = audit.findings
        var rounds: [FederationID: Int] = [:]
        do {
            let adapters = try await services.audit()
            findings += adapters.findings
            rounds = adapters.rounds
        } catch {
            findings.append("the adapters cannot be checked: \(error)")
        }
        try store.close()
        for log in audit.logs {
            print("\(log.federation): \(log.rowCount.counted("event")), head \(log.head)")
            print("\(log.federation): \((rounds[log.federation] ?? 0).counted("published adapter"))")
        }
        print("updates of open rounds: \(audit.heldBlobs); blobs to be swept: \(audit.unclaimedBlobs)")
        print("parts of adapters: \(audit.parts)")
        for finding in findings { print("finding: \(finding)") }
        print(findings.isEmpty ? "ok" : "findings: \(findings.count)")
        guard findings.isEmpty else { throw ExitCode.failure }
    }

    private static func pin(_ text: String) throws -> (FederationID, ContentDigest) {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let federation = try? FederationID(String(parts[0])),
            let hash = ContentDigest(hex: parts[1])
        else { throw ValidationError("--pin is '\(text)'; expected FEDERATION=sha256:HASH") }
        return (federation, hash)
    }
}
