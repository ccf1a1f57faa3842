import Federation
import Synchronization
import Testing

@testable import Coordinator

/// Who a token stands for, by its hash alone, and how often it may be shown.
@Suite struct AccessTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let peer = PeerAddress(ipv4: 7, isLoopback: false)
    private let clock = HandClock()

    private func access(_ limits: RateLimits = .unlimited) -> Access {
        Access(mode: .tokens(admin: Access.hash(Self.admin)), clock: clock, limits: limits)
    }

    private func error(_ access: Access, _ token: String?, from peer: PeerAddress = peer) -> ServiceError? {
        do throws(ServiceError) {
            _ = try access.principal(bearer: token, from: peer)
            return nil
        } catch {
            return error
        }
    }

    private func isRefused(_ error: ServiceError?) -> Bool {
        if case .tooManyRequests = error { true } else { false }
    }

    @Test func `only the text that hashes to what is kept is a token`() throws {
        let access = access()
        let token = Access.makeToken()
        let id = try FederationID("f")
        access.grant(.reader(id), toTokenWithHash: Access.hash(token))
        #expect(try access.principal(bearer: token, from: Self.peer) == .reader(id))
        #expect(try access.principal(bearer: Self.admin, from: Self.peer) == .admin)
        for known in [token, Self.admin] {
            let hash = Access.hash(known)
            let bytes = String(decoding: hash.bytes, as: UTF8.self)
            for wrong in [
                "", hash.hex, "\(hash)", bytes, String(known.dropLast()), known + "A", " " + known, known.lowercased(),
            ] where wrong != known {
                #expect(error(access, wrong) == .unauthenticated)
            }
        }
        #expect(error(access, nil) == .unauthenticated)
    }

    @Test func `a revocation holds although the registration ends after it`() throws {
        let access = access()
        let name = try ClientName("c")
        let client = Principal.client(try FederationID("f"), name)
        let hash = Access.hash("t")
        access.revoke(client, tokenWithHash: hash)
        access.grant(client, toTokenWithHash: hash)
        #expect(error(access, "t") == .revoked(name))
    }

    @Test func `tokens come from all of base64url, and none comes twice`() {
        let tokens = (0..<200).map { _ in Access.makeToken() }
        #expect(Set(tokens).count == 200 && tokens.allSatisfy { $0.utf8.count == 43 && Access.isClientToken($0) })
        #expect(Set(tokens.joined()).count == 64)
    }

    @Test
    func
        `a client has its own pace, registering again does not renew it, and good tokens outlive a neighbour's guesses`()
        throws
    {
        var limits = RateLimits()
        (limits.clientRequestsPerSecond, limits.sharedTokenRequestsPerSecond) = (0.5, 1)
        (limits.authFailures, limits.anonymousRequestsPerSecond) = (1, 0)
        let access = access(limits)
        let id = try FederationID("f")
        let client = Principal.client(id, try ClientName("c"))
        access.grant(client, toTokenWithHash: Access.hash("c"))
        access.grant(.client(id, try ClientName("d")), toTokenWithHash: Access.hash("d"))
        access.grant(.reader(id), toTokenWithHash: Access.hash("r"))
        for _ in 0..<5 { #expect(error(access, "c") == nil) }
        #expect(error(access, "c") == .tooManyRequests(retryAfter: 1))
        access.grant(client, toTokenWithHash: Access.hash("c"))
        #expect(isRefused(error(access, "c")))
        #expect(error(access, "d") == nil)
        for _ in 0..<10 { #expect(error(access, "r") == nil) }
        #expect(isRefused(error(access, "r")))
        for _ in 0..<100 { #expect(error(access, Self.admin) == nil) }
        #expect(error(access, "wrong") == .unauthenticated && error(access, "wrong") == .unauthenticated)
        #expect(error(access, "wrong") == .tooManyRequests(retryAfter: 1))
        #expect(error(access, "d") == nil && error(access, Self.admin) == nil)
        clock.advance(seconds: 2)
        #expect(error(access, "c") == nil && isRefused(error(access, "c")) && error(access, "r") == nil)
    }

    @Test func `each of several servers gives its part of a rate`() throws {
        var limits = RateLimits()
        (limits.clientRequestsPerSecond, limits.anonymousRequestsPerSecond) = (4, 0.4)
        let servers = Mutex(4)
        let access = Access(
            mode: .tokens(admin: Access.hash(Self.admin)), clock: clock, limits: limits,
            serverCount: { servers.withLock { $0 } })
        access.grant(.client(try FederationID("f"), try ClientName("c")), toTokenWithHash: Access.hash("c"))
        // Ten seconds' worth of a quarter.
        for _ in 0..<10 { #expect(error(access, "c") == nil) }
        #expect(isRefused(error(access, "c")))
        #expect(error(access, "wrong") == .unauthenticated)
        #expect(isRefused(error(access, "wrong")), "one guess in ten seconds, and not four")
        servers.withLock { $0 = 1 }
        clock.advance(seconds: 1)
        for _ in 0..<4 { #expect(error(access, "c") == nil) }
    }

    @Test func `bytes are reckoned before they come and settled when they came`() throws {
        var limits = RateLimits.unlimited
        limits.uploadBytesPerMinute = 600
        let access = access(limits)
        let id = try FederationID("f")
        for name in ["c", "d"] { access.grant(.client(id, try ClientName(name)), toTokenWithHash: Access.hash(name)) }
        access.grant(.reader(id), toTokenWithHash: Access.hash("r"))
        func begin(_ count: Int?, _ token: String?) throws -> Access.Upload? {
            try access.beginUpload(count, bearer: token, from: Self.peer)
        }
        for other in ["r", "nobody", Self.admin, nil] { #expect(try begin(1 << 40, other) == nil) }
        // Cut off after 100 of 1000 bytes: 500 are left.
        access.endUpload(try #require(try begin(1000, "c")), byteCount: 100)
        let second = try #require(try begin(500, "c"))
        #expect(throws: ServiceError.tooManyRequests(retryAfter: 1)) { try begin(1, "c") }
        access.endUpload(second, byteCount: 500)
        // Of unknown length: a minute's worth, until it turns out to be two.
        let unsized = try #require(try begin(nil, "d"))
        #expect(throws: ServiceError.tooManyRequests(retryAfter: 1)) { try begin(1, "d") }
        access.endUpload(unsized, byteCount: 1200)
        #expect(throws: ServiceError.tooManyRequests(retryAfter: 60)) { try begin(1, "d") }
        clock.advance(seconds: 61)
        #expect(try begin(1, "d") != nil)
    }
}
