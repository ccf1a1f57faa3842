import Dispatch
import Foundation
import Logging
import Testing

@testable import HTTPServing

/// What a shard does between the steps of a task that comes from elsewhere.
@Suite struct ShardTests {
    private static func shard() throws -> Shard {
        let limits = HTTPServer.Configuration.onAnyPort.limits
        return try Shard(
            index: 0,
            settings: Shard.Settings(
                router: Router(), limits: limits, sweepInterval: .seconds(1),
                renderFailure: { .text($0.detail, $0.status) },
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                census: ConnectionLimiter(limits: limits, proxies: TrustedProxies(ranges: []), connections: 10),
                bodies: BodyLimiter(limits: limits), proxies: TrustedProxies(ranges: []), tls: nil,
                disk: DiskLanes(count: 1), metrics: nil))
    }

    @Test func `a connection that closes just as somebody begins to wait for it is not waited for`() async throws {
        let shard = try Self.shard()
        let queue = shard.executor.queue
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        defer { close(ends[1]) }
        // Half a head, so that the stop does not find the connection idle.
        try #require(write(ends[1], "GET", 3) == 3)
        queue.sync {
            shard.assumeIsolated {
                $0.adopt(ends[0], SocketAddress(host: .v4(0), port: 1), .admitted)
                $0.beginDraining()
            }
        }
        #expect(queue.sync { shard.assumeIsolated { $0.connections.count } } == 1)
        // It runs up to where it queues up for the shard; the closing comes right behind it.
        queue.suspend()
        let waiting = Task.immediate { await shard.drained() }
        queue.async { shard.assumeIsolated { shard in shard.connections.all.forEach { shard.hangUp($0) } } }
        queue.resume()
        // Behind the closing, and behind what the waiting task has queued up by then.
        for _ in 0..<3 { queue.sync {} }
        #expect(queue.sync { shard.assumeIsolated { $0.drainWaiters.count } } == 0)
        queue.sync { shard.assumeIsolated { $0.endDraining() } }
        await waiting.value
    }

    @Test func `a stop whose time is over waits for no handler`() async throws {
        let shard = try Self.shard()
        shard.executor.queue.sync {
            shard.assumeIsolated {
                $0.handlersUnderWay = 1
                $0.beginDraining()
                $0.endDraining()
            }
        }
        // As that of the second shard, which nobody waited for while its time ran out.
        await shard.drained()
    }
}
