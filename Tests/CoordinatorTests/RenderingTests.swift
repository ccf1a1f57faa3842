import AdapterFormat
import Dispatch
import Federation
import Foundation
import Synchronization
import Testing

@testable import Coordinator

/// Files rendered for many who ask at once, and for some who leave.
@Suite struct RenderingTests {
    private static func caller(_ name: String) throws -> RenderingCaller {
        RenderingCaller(
            .client(try FederationID("f"), try ClientName(name)), bearer: nil,
            from: PeerAddress(ipv4: 1, isLoopback: false))
    }

    private static func key(_ rank: Int) throws -> AdapterCache.Key {
        AdapterCache.Key(
            federation: try FederationID("f"), content: .adapter(round: 1, rank: rank, trainedIn: 1, bits: nil),
            type: .f32)
    }

    /// Writes a byte, as the smallest of files.
    private static let rendering: AdapterCache.Rendering = { descriptor, _ in
        #expect(write(descriptor, "x", 1) == 1)
        return [:]
    }

    @Test func `callers take turns, and none may have many waiting`() async throws {
        let lanes = RenderingLanes(queues: [BlockingQueue(label: "test")], pauseFactor: 0)
        let (greedy, modest) = (try Self.caller("greedy"), try Self.caller("modest"))
        let gate = DispatchSemaphore(value: 0)
        let order = Mutex<[String]>([])
        let (ends, ended) = AsyncStream<Void>.makeStream()
        func submit(_ caller: RenderingCaller, _ name: String) throws {
            try lanes.submit(for: caller) {
                gate.wait()
                order.withLock { $0.append(name) }
                ended.yield()
            }
        }
        for index in 1...RenderingLanes.worksPerCaller { try submit(greedy, "greedy \(index)") }
        #expect(throws: ServiceError.tooManyRequests(retryAfter: 1)) { try submit(greedy, "greedy too often") }
        try submit(modest, "modest")
        for _ in 0...RenderingLanes.worksPerCaller { gate.signal() }
        var count = 0
        for await _ in ends {
            count += 1
            if count == RenderingLanes.worksPerCaller + 1 { break }
        }
        #expect(order.withLock { $0 } == ["greedy 1", "greedy 2", "modest", "greedy 3", "greedy 4"])
        try submit(greedy, "greedy again")
        gate.signal()
    }

    @Test func `after a work its caller pauses, and others go on`() async throws {
        let pauses = Mutex<[(seconds: Double, end: RenderingLanes.Work)]>([])
        let lanes = RenderingLanes(queues: [BlockingQueue(label: "test")], pauseFactor: 4) { seconds, end in
            pauses.withLock { $0.append((seconds, end)) }
        }
        let (greedy, modest) = (try Self.caller("greedy"), try Self.caller("modest"))
        let (ends, ended) = AsyncStream<String>.makeStream()
        var order = ends.makeAsyncIterator()
        let gate = DispatchSemaphore(value: 0)
        for index in 1...3 {
            try lanes.submit(for: greedy) {
                gate.wait()
                ended.yield("greedy \(index)")
            }
        }
        gate.signal()
        #expect(await order.next() == "greedy 1")
        try lanes.submit(for: modest) { ended.yield("modest") }
        #expect(await order.next() == "modest")
        while pauses.withLock({ $0.count }) < 2 { await Task.yield() }
        // Its next work begins with the end of its pause alone.
        gate.signal()
        let first = try #require(pauses.withLock { $0.first })
        #expect(first.seconds > 0)
        #expect(lanes.busyCount == 0)
        first.end()
        #expect(await order.next() == "greedy 2")
    }

    @Test func `while a round is published one lane is left to those who ask`() async throws {
        let lanes = RenderingLanes(queues: [BlockingQueue(label: "test.0"), BlockingQueue(label: "test.1")])
        let (begun, begin) = AsyncStream<Int>.makeStream()
        let gate = DispatchSemaphore(value: 0)
        let running = Atomic(0)
        try await lanes.publishing {
            for index in 0..<3 {
                try lanes.submit(for: try Self.caller("c\(index)")) {
                    begin.yield(running.add(1, ordering: .sequentiallyConsistent).newValue)
                    gate.wait()
                    running.subtract(1, ordering: .sequentiallyConsistent)
                }
            }
            var first = begun.makeAsyncIterator()
            #expect(await first.next() == 1)
            gate.signal()
            #expect(await first.next() == 1)
        }
        var rest = begun.makeAsyncIterator()
        #expect(await rest.next() == 2)
        gate.signal()
        gate.signal()
    }

    @Test func `who asks for what is being rendered waits for it, and one who leaves ends nothing`() async throws {
        let folder = try TemporaryFolder()
        let cache = try AdapterCache(folder: folder.path + "/cache", byteLimit: 1 << 20)
        let lanes = RenderingLanes(queues: [BlockingQueue(label: "test.0"), BlockingQueue(label: "test.1")])
        let gate = DispatchSemaphore(value: 0)
        let renderings = Mutex(0)
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let rendering: AdapterCache.Rendering = { descriptor, interruption in
            renderings.withLock { $0 += 1 }
            begin.yield()
            gate.wait()
            try interruption.check()
            return try Self.rendering(descriptor, interruption)
        }
        let key = try Self.key(1)
        let first = Task {
            try await cache.file(key, for: try Self.caller("first"), on: lanes, rendering: rendering)
        }
        for await _ in begun { break }
        let second = Task {
            try await cache.file(key, for: try Self.caller("second"), on: lanes, rendering: rendering)
        }
        while await cache.waiterCount(of: key) < 2 { await Task.yield() }
        first.cancel()
        await #expect(throws: ServiceError.abandoned) { try await first.value }
        gate.signal()
        #expect(try await second.value.byteCount == 1)
        #expect(renderings.withLock { $0 } == 1)
    }

    @Test func `a rendering that nobody waits for any more ends, and is begun anew for the next`() async throws {
        let folder = try TemporaryFolder()
        let cache = try AdapterCache(folder: folder.path + "/cache", byteLimit: 1 << 20)
        let lanes = RenderingLanes(queues: [BlockingQueue(label: "test")])
        let gate = DispatchSemaphore(value: 0)
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let (ended, end) = AsyncStream<Bool>.makeStream()
        let key = try Self.key(2)
        let leaving = Task {
            try await cache.file(key, for: try Self.caller("leaving"), on: lanes) { descriptor, interruption in
                begin.yield()
                gate.wait()
                let isWanted = (try? interruption.check()) != nil
                end.yield(isWanted)
                try interruption.check()
                return try Self.rendering(descriptor, interruption)
            }
        }
        for await _ in begun { break }
        // What waits behind it is given up before it begins.
        let behind = Task {
            try await cache.file(try Self.key(3), for: try Self.caller("behind"), on: lanes) { _, _ in
                Issue.record("rendered for nobody")
                return [:]
            }
        }
        let waiting = try Self.key(3)
        while await cache.waiterCount(of: waiting) < 1 { await Task.yield() }
        for task in [leaving, behind] {
            task.cancel()
            await #expect(throws: ServiceError.abandoned) { try await task.value }
        }
        let next = Task {
            try await cache.file(key, for: try Self.caller("next"), on: lanes, rendering: Self.rendering)
        }
        gate.signal()
        for await isWanted in ended {
            #expect(!isWanted)
            break
        }
        let file = try await next.value
        #expect(FileManager.default.contents(atPath: file.path) == Data("x".utf8))
    }
}

extension AdapterCache {
    /// How many wait for a rendering.
    fileprivate func waiterCount(of key: Key) async -> Int { flights.waiterCount(of: key) }
}
