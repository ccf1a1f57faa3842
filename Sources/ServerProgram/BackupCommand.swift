import ArgumentParser
import Federation
import Foundation
import Logging
import SQLiteStore

/// Copies a data folder into one file, also while a server runs on it.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Write a data folder into one tar archive, while serving or not.",
        discussion: """
            The archive is one moment's state: database and the updates of open rounds. It holds no token, only their \
            hashes; admin.token is not in it. To restore:

              mkdir -m 700 restored && tar -xf FILE -C restored
              rankwise-server serve --data restored

            Exits with 0, or with 1 where it could not be written or an update's bytes are missing or altered.
            """)

    @Argument(help: "The archive to write; an older one is replaced once the new one is whole.") var file: String
    @OptionGroup var data: DataOptions

    func run() throws {
        let store = try SQLiteStore(beside: try data.folder(), logger: Logger(label: "rankwise-server"))
        let backup: StoreBackup
        do throws(StoreError) {
            backup = try store.backUp(to: file)
            try store.close()
        } catch {
            throw StoreFailure(error)
        }
        for finding in backup.findings { print("finding: \(finding)") }
        print(
            "\(file): \(backup.byteCount) bytes, a database of \(backup.databaseBytes) and \(backup.blobs.counted("update"))"
        )
        guard backup.findings.isEmpty else { throw ExitCode.failure }
    }
}
