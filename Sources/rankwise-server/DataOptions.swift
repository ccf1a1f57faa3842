import ArgumentParser
import Federation
import Foundation

/// The data folder of a command, found by the same rules as in `serve`.
struct DataOptions: ParsableArguments {
    @Option(help: "The server's settings document, such as Config/server.yaml.") var config: String?
    @Option(help: "The data folder (default: RANKWISE_DATA, else the document's, else data).") var data: String?

    func folder() throws -> String {
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
