import CoreMetrics
import HTTPTypes

/// What one shard counts: answers by route and status, the time that they took, and bytes.
///
/// Each shard has counters of its own, so that processors do not share them; the metrics' backend adds them up.
struct ShardMetrics {
    /// The name that stands in place of a pattern where no route took the request.
    static let noRoute = "none"
    /// The statuses that have a counter of their own; others share one.
    private static let statuses = [
        200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412,
        413, 414, 415, 416, 417, 422, 423, 425, 428, 429, 431, 500, 501, 502, 503, 504, 505, 507,
    ]
    /// The place of a status among the counters of a route, from 100 on.
    private static let places: [UInt8] = {
        var places = [UInt8](repeating: UInt8(statuses.count), count: 500)
        for (place, status) in statuses.enumerated() { places[status - 100] = UInt8(place) }
        return places
    }()

    private struct Route {
        let dimensions: [(String, String)]
        var answers = [Counter?](repeating: nil, count: statuses.count + 1)
        var seconds: Timer?
    }

    private let factory: any MetricsFactory
    let received: Counter
    let sent: Counter
    /// In the order of the router; the last one is for requests that no route took.
    private var routes: [Route]

    init(_ factory: any MetricsFactory, routes: [Router.Name]) {
        self.factory = factory
        received = Counter(label: "rankwise_http_received_bytes_total", dimensions: [], factory: factory)
        sent = Counter(label: "rankwise_http_sent_bytes_total", dimensions: [], factory: factory)
        self.routes = routes.map { Route(dimensions: [("method", $0.method.rawValue), ("route", $0.pattern)]) }
        self.routes.append(Route(dimensions: [("method", Self.noRoute), ("route", Self.noRoute)]))
    }

    /// Counts an answer. The first one of a route and status makes its counter.
    ///
    /// - Parameters:
    ///   - route: the route's number; nil where none took the request.
    ///   - nanoseconds: from the request's arrival to its answer; nil where the handler waited for something to happen.
    mutating func count(_ status: Int, of route: Int?, after nanoseconds: UInt64?) {
        let index = route ?? routes.count - 1
        let place = (100..<600).contains(status) ? Int(Self.places[status - 100]) : Self.statuses.count
        if let counter = routes[index].answers[place] {
            counter.increment()
        } else {
            let text = place < Self.statuses.count ? String(status) : "other"
            let counter = Counter(
                label: "rankwise_http_requests_total", dimensions: routes[index].dimensions + [("status", text)],
                factory: factory)
            routes[index].answers[place] = counter
            counter.increment()
        }
        guard let nanoseconds else { return }
        if let timer = routes[index].seconds {
            timer.recordNanoseconds(Int64(clamping: nanoseconds))
        } else {
            let timer = Timer(
                label: "rankwise_http_request_seconds", dimensions: routes[index].dimensions, factory: factory)
            routes[index].seconds = timer
            timer.recordNanoseconds(Int64(clamping: nanoseconds))
        }
    }
}
