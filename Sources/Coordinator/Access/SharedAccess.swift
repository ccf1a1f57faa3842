package import Federation
import Synchronization

/// Learns of federations and tokens that another server has just stored, before a call that names them is refused.
///
/// One server alone has nothing to learn. Unknown tokens are looked up once a second at most, so that a caller with
/// invented tokens does not keep the store busy.
package struct SharedAccess: Sendable {
    private let runtime: FederationRuntime
    private let access: Access
    private let credentials: any CredentialStore
    private let steps: any StepFeed
    private let clock: any WallClock
    private let misses = Misses()

    /// What was looked up in vain within the last second.
    private final class Misses: Sendable {
        private struct State {
            var since: Timestamp?
            var tokens: Set<ContentDigest> = []
            var federations: Set<FederationID> = []
        }

        private static let most = 4096
        private let state = Mutex(State())

        /// Whether it is worth a look; notes the look.
        func mayLook(for token: ContentDigest?, _ federation: FederationID?, at now: Timestamp) -> Bool {
            state.withLock { state in
                if let since = state.since, now.seconds(since: since) < 1 {
                } else {
                    state = State(since: now)
                }
                guard state.tokens.count + state.federations.count < Self.most else { return false }
                if let token { return state.tokens.insert(token).inserted }
                if let federation { return state.federations.insert(federation).inserted }
                return false
            }
        }
    }

    init(
        runtime: FederationRuntime, access: Access, credentials: any CredentialStore, steps: any StepFeed,
        clock: any WallClock
    ) {
        self.runtime = runtime
        self.access = access
        self.credentials = credentials
        self.steps = steps
        self.clock = clock
    }

    /// Whether a call must wait for `learn`.
    package var isNeeded: Bool { steps.isShared }

    /// Learns of the federation and of the token's holder where this server knows neither.
    ///
    /// Throws where this server may have missed a revocation, so that no token counts.
    package func learn(bearer: String?, federation: FederationID?) async throws(ServiceError) {
        guard bearer == nil || !steps.isBehind else {
            throw .store(.failed("this server does not hear of what other servers store"))
        }
        do throws(StoreError) {
            if let federation, !runtime.knows(federation), misses.mayLook(for: nil, federation, at: clock.now()) {
                try await runtime.find(federation)
            }
            guard let bearer else { return }
            let hash = Access.hash(bearer)
            guard !access.knows(hash), misses.mayLook(for: hash, nil, at: clock.now()),
                let holder = try await credentials.holder(ofTokenWithHash: hash)
            else { return }
            let owner =
                switch holder {
                case .client(let id, _, _): id
                case .issued(let id, _): id
                }
            if !runtime.knows(owner) { try await runtime.find(owner) }
            // The session admits the token with the step that granted it.
            if let session = try? runtime.session(owner), !access.knows(hash) { try await session.refresh() }
        } catch {
            throw .store(error)
        }
    }
}

extension Access {
    /// Whether the token has a holder here, or is one of the server's own.
    fileprivate func knows(_ hash: ContentDigest) -> Bool {
        if mode.holder(of: hash) != nil { return true }
        return holders.withLock { $0[hash] != nil }
    }
}
