import ArgumentParser
import Federation
import Foundation
import SettingsFiles

/// The data folder of a command, found by the same rules as in `serve`.
struct DataOptions: ParsableArguments {
    @Option(help: "The server's settings document, such as Config/server.yaml.") var config: String?
    @Option(help: "The data folder (default: RANKWISE_DATA, else the document's, else data).") var data: String?

    /// The folder; throws where the settings name a database.
    func folder() throws -> String {
        let named = try named()
        guard !ClusterSettings.isDatabase(named) else {
            throw ValidationError(
                "data is \(ClusterSettings.withoutPassword(named)); expected a folder. Back PostgreSQL up with pg_dump and the "
                    + "bucket with its own tools, under a pin; docs/operating.md tells how.")
        }
        return named
    }

    private func named() throws -> String {
        if let data { return data }
        do {
            let file = try config.map { try ConfigFile.read(ServerDocument.self, from: $0) } ?? ServerDocument()
            let environment = ProcessInfo.processInfo.environment
            return try ServerSettings(file: file, environment: environment).data
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
