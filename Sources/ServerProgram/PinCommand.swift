import ArgumentParser
import Federation
import Logging
import SettingsFiles

/// Keeps objects while a backup reads.
struct PinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin",
        abstract: "Keep all objects of a bucket for some time, while a backup reads.",
        discussion: """
            A backup of PostgreSQL and of the bucket belong together: set a pin, dump the database, copy the objects, end \
            the pin.

              rankwise-server pin --config server.yaml --name nightly --seconds 7200
              rankwise-server pin --config server.yaml --name nightly --seconds 0
            """)

    @Option(help: "The server's settings document.") var config: String
    @Option(help: "The pin's name; a second pin of the same name replaces it.") var name: String
    @Option(help: "For so long no object is deleted; 0 ends the pin.") var seconds: Int

    func run() throws {
        guard seconds >= 0 else { throw ValidationError("--seconds is \(seconds); expected 0 or more") }
        let settings: ClusterSettings?
        do {
            settings = try ServerSettings.cluster(try ConfigFile.read(ServerDocument.self, from: config), nil, [:])
        } catch {
            throw ValidationError("\(error)")
        }
        guard let settings else {
            throw ValidationError("\(config) names no database; a data folder needs no pin, see backup")
        }
        guard let cluster = RankwiseServer.cluster else { try ClusterHandover.take(since: "data names PostgreSQL") }
        do {
            try cluster.pin(settings, name, seconds, Logger(label: "rankwise-server"))
        } catch let error as StoreError {
            throw StoreFailure(error)
        }
        print(seconds == 0 ? "\(name): ended" : "\(name): no object is deleted for \(seconds) s")
    }
}
