import HTTPFetching
import Logging

/// One call on the store, on its lane's thread: sends a request until it is answered for good or the patience is used
/// up.
struct ObjectCall: ~Copyable {
    /// In milliseconds.
    private static let firstPause = 100
    private static let longestPause = 5000

    let store: StoreClient
    let fetcher: BlockingFetcher
    let cancellation: CallCancellation
    let patience: ObjectPatience
    let clock: CallClock
    /// When the whole call is over.
    let end: ContinuousClock.Instant

    /// Sends a request and gives the answer of a success.
    ///
    /// - Parameter check: looks at the answer. What it finds `.damaged` is asked for once more, because it may have been
    ///   altered on its way.
    func perform<Value>(
        _ request: ObjectRequest, _ check: (FetchResponse) throws(ObjectError) -> Value
    ) throws(ObjectError) -> Value {
        let lastTry = min(clock.now() + patience.retrying, end)
        var wasDamaged = false
        var refused: Credentials?
        var tries = 0
        while true {
            tries += 1
            let credentials = try store.credentials.current()
            // What was refused before is worth another try only with other credentials.
            let failure: ObjectError
            do throws(ObjectError) {
                return try check(accepted(try send(request, credentials), request))
            } catch {
                failure = error
            }
            switch failure {
            case .unavailable(_, let seconds):
                let pause = pauseBefore(tries + 1, retryAfter: seconds)
                guard tries < patience.tries, clock.now() + pause < lastTry else { throw failure }
                store.logger.debug(
                    "asking the object store again",
                    metadata: ["reason": "\(failure)", "try": "\(tries)", "pause": "\(pause)"])
                clock.pause(pause, cancellation)
            case .damaged where !wasDamaged && clock.now() < lastTry:
                wasDamaged = true
            case .refused(_, let code, _) where Self.doubtsCredentials(code) && refused == nil:
                refused = credentials
                store.credentials.distrust(credentials)
                guard try store.credentials.current() != credentials else { throw failure }
            default:
                throw failure
            }
            if cancellation.isCancelled { throw .cancelled }
        }
    }

    private func send(_ request: ObjectRequest, _ credentials: Credentials) throws(ObjectError) -> FetchResponse {
        let rest = end - clock.now()
        guard rest > .zero else { throw .unavailable(reason: "the call took too long", retryAfter: nil) }
        let fetch = request.signed(
            for: store, by: credentials, at: CalendarTime(seconds: clock.wall()),
            patience: FetchRequest.Patience(
                connect: patience.connect, stall: patience.stall, leastBytesPerSecond: patience.leastBytesPerSecond,
                total: rest))
        let (fetcher, cancellation) = (fetcher, cancellation)
        cancellation.onCancel { fetcher.wake() }
        defer { cancellation.onCancel(nil) }
        do throws(FetchError) {
            return try fetcher.fetch(fetch, isCancelled: { cancellation.isCancelled })
        } catch {
            throw ObjectError(error, from: store.endpoint.origin)
        }
    }

    /// Throws unless the store has done what it was asked for.
    private func accepted(_ response: FetchResponse, _ request: ObjectRequest) throws(ObjectError) -> FetchResponse {
        guard !(200..<300).contains(response.status) else { return response }
        throw ObjectError(response, asksForObject: request.key != nil)
    }

    /// Grows twofold, with jitter of a half; never shorter than what the store asks for.
    private func pauseBefore(_ number: Int, retryAfter: Int?) -> Duration {
        let most = min(Self.longestPause, Self.firstPause << min(number - 2, 10))
        let jittered = Int(Double(most) * (0.5 + clock.random() / 2))
        return max(.milliseconds(jittered), .seconds(retryAfter ?? 0))
    }

    private static func doubtsCredentials(_ code: String) -> Bool {
        ["ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "SignatureDoesNotMatch"]
            .contains(code)
    }
}
