import Foundation
import HTTPFetching
import Synchronization

/// One client's connection to the server: it uses the pool, holds polls back until the signal, and counts downloads.
final class SimulatedLine: Fetching {
    /// The bytes that all clients have downloaded, by the round of the adapter or merge.
    final class Meter: Sendable {
        private let bytes = Mutex<[Int: Int]>([:])

        func add(_ count: Int, ofRound round: Int) { bytes.withLock { $0[round, default: 0] += count } }
        func bytes(ofRound round: Int) -> Int { bytes.withLock { $0[round] ?? 0 } }
    }

    /// A poll is sent after this time even without a signal.
    private static let longestHold = Duration.seconds(10)

    private let pool: FetcherPool
    private let bell: RoundSignal
    private let meter: Meter
    /// The number of signals at this client's last poll.
    private let heard = Mutex(0)

    init(pool: FetcherPool, bell: RoundSignal, meter: Meter) {
        self.pool = pool
        self.bell = bell
        self.meter = meter
    }

    func fetch(_ request: FetchRequest) async throws(FetchError) -> FetchResponse {
        var request = request
        if let query = request.url.firstRange(of: "/plan?after="), let wait = request.url.firstRange(of: "&wait=") {
            if query.upperBound < wait.lowerBound {
                await bell.wait(after: heard.withLock { $0 }, atMost: Self.longestHold)
                if Task.isCancelled { throw .cancelled }
                request.url = request.url[..<wait.upperBound] + "0"
            }
        }
        if request.url.contains("/plan") {
            let rings = bell.rings
            heard.withLock { $0 = rings }
        }
        let response = try await pool.fetch(request)
        if case .file(let path, _) = request.destination, (200...299).contains(response.status),
            let round = Self.round(in: request.url), let size = try? ScratchFolder.size(of: path)
        {
            meter.add(size, ofRound: round)
        }
        return response
    }

    /// The N of `…/rounds/N/adapter…` and `…/rounds/N/merge…`.
    private static func round(in url: String) -> Int? {
        guard let start = url.firstRange(of: "/rounds/") else { return nil }
        let parts = url[start.upperBound...].split(separator: "/", maxSplits: 1)
        guard parts.count == 2, parts[1].hasPrefix("adapter?") || parts[1].hasPrefix("merge") else { return nil }
        return Int(parts[0])
    }
}
