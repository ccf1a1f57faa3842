import ClientAgent
package import Coordinator
package import Federation
import Foundation
import HTTPFetching
package import Logging
import RankwiseWire
import ServerCalls

/// Takes part in a root's federation as a region: opens and ends the region's rounds as the root does, and sends one
/// partial sum of the region's clients for each.
///
/// It decides by what root and region store, so either may stop at any moment. A call that was made already is repeated
/// without harm.
package struct RegionAgent: Sendable {
    package struct Configuration: Sendable {
        /// The root's address.
        package var server: String
        package var federation: FederationID
        /// This region's name among the root's clients.
        package var name: ClientName
        /// The most clients of this region.
        package var clients: Int
        /// A file that has a token of the root of the role region; needed until the region is registered.
        package var tokenFile: String?
        /// The CA certificates for the root (PEM), in place of the system's.
        package var caFile: String?
        /// Where the region's own token is kept.
        package var folder: String

        package init(
            server: String, federation: FederationID, name: ClientName, clients: Int, tokenFile: String?,
            caFile: String?, folder: String
        ) {
            self.server = server
            self.federation = federation
            self.name = name
            self.clients = clients
            self.tokenFile = tokenFile
            self.caFile = caFile
            self.folder = folder
        }
    }

    let configuration: Configuration
    let services: Services
    let logger: Logger

    package init(_ configuration: Configuration, services: Services, logger: Logger) {
        self.configuration = configuration
        self.services = services
        var logger = logger
        logger[metadataKey: "federation"] = "\(configuration.federation)"
        logger[metadataKey: "upstream"] = "\(configuration.server)"
        self.logger = logger
    }

    /// Follows the root until the task is cancelled or the federation is finished.
    package func run() async {
        var backoff = Backoff(first: .milliseconds(200), longest: .seconds(30))
        var generator = SystemRandomNumberGenerator()
        let files: StateFolder
        do throws(StateError) {
            files = try StateFolder("\(configuration.folder)/\(configuration.federation)")
        } catch {
            return logger.critical("the region cannot keep its state", metadata: ["reason": "\(error)"])
        }
        while !Task.isCancelled {
            let began = ContinuousClock.now
            do {
                let link = try await Link(configuration, files)
                try await prepare(link)
                try await follow(link)
                return logger.notice("the root's federation is finished")
            } catch {
                guard !Task.isCancelled else { return }
                if ContinuousClock.now - began > .seconds(60) { backoff.reset() }
                let pause = (error as? RegionError) == nil ? backoff.next(using: &generator) : .seconds(30)
                logger.error(
                    "the root cannot be followed now", metadata: ["reason": "\(error)", "again_in": "\(pause)"])
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Creates the region's federation from the root's settings.
    private func prepare(_ link: Link) async throws {
        let root = try await link.calls.settings()
        try link.confirm(root)
        let settings = try FederationSettings(region: root.settings, clients: configuration.clients)
        guard try await services.regions.begin(settings) else { return }
        logger.notice("the region's federation was made", metadata: ["region": "\(configuration.name)"])
        if root.settings.adapter.template {
            let path = link.path(ofRound: 0)
            try await link.calls.downloadAdapter(round: 0, cut: "dtype=F32", to: path, limit: Self.adapterLimit)
            defer { unlink(path) }
            try await services.regions.takeInitial(path, of: configuration.federation)
        }
    }

    /// More than any adapter of 2³⁰ numbers has.
    static let adapterLimit: Int64 = 1 << 33

    /// Acts whenever something is new at the root or here. Returns when the root's federation is finished.
    private func follow(_ link: Link) async throws {
        let (news, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                var revision: Int64?
                while !Task.isCancelled {
                    guard let (plan, _) = try await link.polls.plan(after: revision, wait: .seconds(25)) else {
                        continue
                    }
                    revision = plan.revision
                    link.plan = plan
                    bell.yield()
                }
            }
            group.addTask {
                var revision: Int64 = 0
                while !Task.isCancelled {
                    revision = try await services.regions.news(of: configuration.federation, after: revision)
                    bell.yield()
                }
            }
            group.addTask {
                for await _ in news {
                    guard let plan = link.plan else { continue }
                    if try await act(on: plan, link) { return }
                }
            }
            // The first that ends: the root's federation is finished, or something failed.
            try await group.next()
        }
    }
}
