import ClientAgent
import Federation
import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls
import Synchronization

/// A registered region's connections to the root: one for calls, and one that waits for news.
final class Link: Sendable {
    let calls: FederationEndpoint
    let polls: FederationEndpoint
    private let folder: String
    private let createdAt: String?
    private let state = Mutex<(plan: PlanBody?, refused: Int)>((nil, 0))

    /// The root's newest plan for this region.
    var plan: PlanBody? {
        get { state.withLock { $0.plan } }
        set { state.withLock { $0.plan = newValue } }
    }

    /// The last round whose sum the root has refused; 0 for none.
    var refused: Int {
        get { state.withLock { $0.refused } }
        set { state.withLock { $0.refused = newValue } }
    }

    /// Registers the region where it is not, under a token that is kept.
    init(_ configuration: RegionAgent.Configuration, _ files: StateFolder) async throws {
        let federation = configuration.federation.rawValue
        var identity = try files.identity(
            server: configuration.server, federation: federation, client: configuration.name.rawValue)
        let tls = HTTPFetcher.TLS(authority: configuration.caFile)
        func endpoint(_ token: String) throws -> FederationEndpoint {
            FederationEndpoint(
                server: configuration.server, federation: federation, token: token, fetcher: try HTTPFetcher(tls: tls))
        }
        calls = try endpoint(identity.token)
        polls = try endpoint(identity.token)
        folder = files.path
        if identity.registeredRank == nil {
            guard let path = configuration.tokenFile else {
                throw RegionError(
                    "the region is not registered; expected a token file with a token of the root of the role region")
            }
            guard let bytes = FileManager.default.contents(atPath: path) else {
                throw RegionError("the token file \(path) cannot be read")
            }
            let token = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            // Any rank: the root cuts it to the federation's.
            let registration = RegistrationBody(
                rank: Self.rank, token: identity.token,
                capabilities: ["region": .object(["clients": .integer(Int64(configuration.clients))])])
            do {
                try await endpoint(token).register(configuration.name.rawValue, registration)
            } catch CallError.refused(let problem) {
                throw RegionError("the root refuses the region: \(problem.summary)")
            }
            identity.registeredRank = Self.rank
            try files.keep(identity)
        }
        if identity.federationCreatedAt == nil {
            identity.federationCreatedAt = try await calls.settings().createdAt
            try files.keep(identity)
        }
        createdAt = identity.federationCreatedAt
    }

    private static let rank = 65_536

    /// Throws where the root's federation is a later one of the same name.
    func confirm(_ root: FederationBody) throws(RegionError) {
        guard root.createdAt == createdAt else {
            throw RegionError(
                "the root's federation was created at \(root.createdAt); this region follows one of "
                    + "\(createdAt ?? "no time"). Delete the region's federation and \(folder) to follow the new one")
        }
    }

    /// Where a round's adapter is kept while it is taken over.
    func path(ofRound number: Int) -> String { "\(folder)/adapter-\(number).safetensors" }
}

/// Why a region cannot follow its root; somebody has to change something.
struct RegionError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
