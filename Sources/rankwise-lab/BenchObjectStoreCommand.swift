import ArgumentParser
import Foundation
import HTTPServing
import Logging
import MemoryObjects
import ObjectStorage
import ProcessSignals

/// `rankwise-lab bench object-store`: an S3 server in memory, for measurements and trials of servers that share a bucket.
struct BenchObjectStoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "object-store",
        abstract: "Serve an S3 bucket from memory until SIGTERM, for trials.",
        discussion: """
            Prints `listening on http://…` once it answers. Everything that it stores is gone when it ends. It serves what \
            Rankwise's servers ask of a store, and refuses requests that are not signed with its one key.

              rankwise-lab bench object-store --listen 127.0.0.1:9000 --access-key trial --secret trial-secret
            """)

    @Option(help: "The address and port to listen on; port 0 for a free one.") var listen = "127.0.0.1:0"
    @Option(help: "The id of the key that requests are signed with.") var accessKey = "memory"
    @Option(help: "The key's secret. Others on this machine can see it while the command runs.")
    var secret = "memory-secret"
    @Option(name: .customLong("bucket"), help: "A bucket that is there from the start; may be given again.")
    var buckets: [String] = ["rankwise"]

    func run() async throws {
        StopSignal.hold()
        let signal = StopSignal()
        var settings = ObjectServer.Configuration()
        settings.address = try address()
        settings.credentials = Credentials(accessKeyID: accessKey, secretAccessKey: secret)
        settings.buckets = buckets
        let server = ObjectServer(settings, logger: Logger(label: "rankwise.objects"))
        let url: String
        do throws(HTTPServerError) {
            url = try server.start()
        } catch {
            throw LabFailure.shown(error)
        }
        try FileHandle.standardOutput.write(contentsOf: Data("listening on \(url)\n".utf8))
        _ = await signal.received()
        await server.stop()
    }

    private func address() throws -> ListeningAddress {
        guard let colon = listen.lastIndex(of: ":"), let port = UInt16(listen[listen.index(after: colon)...]),
            colon > listen.startIndex
        else { throw ValidationError("\(listen) is no address with a port, such as 127.0.0.1:9000.") }
        let host = listen[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        return .tcp(host: isBracketed ? String(host.dropFirst().dropLast()) : String(host), port: Int(port))
    }
}
