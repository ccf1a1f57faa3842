package import MetricsExposition

/// All metrics of a server, in the order in which they are written. docs/operating.md has them in a table.
package enum MetricCatalog {
    /// Those that are counted when something happens.
    static let counted: [MetricDeclaration] = [
        .init(
            "rankwise_http_requests_total", .counter, labels: ["method", "route", "status"],
            "Answers by declared route and status; the route is none where no route took the request."),
        .init(
            "rankwise_http_request_seconds", .histogram(bounds: MetricDeclaration.secondBounds), unit: "seconds",
            labels: ["method", "route"],
            "From a request's arrival to its answer; without long polls that waited."),
        .init(
            "rankwise_http_received_bytes_total", .counter, unit: "bytes",
            "Bytes that came over HTTP connections, heads included."),
        .init(
            "rankwise_http_sent_bytes_total", .counter, unit: "bytes",
            "Bytes that went out over HTTP connections, heads included."),
        .init(
            "rankwise_problems_total", .counter, labels: ["code"],
            "Refusals by the stable code of their problem; all codes of one configuration key count as config."),
        .init(
            "rankwise_uploads_resumed_total", .counter, "Parts of uploads that continued where an earlier part ended."),
        .init(
            "rankwise_aggregations_total", .counter, labels: ["outcome"],
            "Attempts to aggregate a round: published, failed, reopened for lost updates, or retried later."),
        .init(
            "rankwise_aggregation_seconds", .histogram(bounds: workBounds), unit: "seconds",
            "Time to add a round's updates up and to render the adapter."),
        .init(
            "rankwise_aggregation_bytes_total", .counter, unit: "bytes", "Bytes of the updates that were added up."),
        .init(
            "rankwise_publication_seconds", .histogram(bounds: workBounds), unit: "seconds",
            "From a round's close until its adapter was published."),
        .init(
            "rankwise_publication_bytes_total", .counter, unit: "bytes", "Bytes of the adapters that were published."),
        .init(
            "rankwise_store_commit_seconds", .histogram(bounds: MetricDeclaration.secondBounds), unit: "seconds",
            "Time of a stored step: the wait for the federation's lock, the decision and the commit."),
        .init(
            "rankwise_store_failures_total", .counter, labels: ["error"],
            "Calls of the metadata store that failed: full, fenced, exists, gone, unsound or failed."),
        .init(
            "rankwise_audit_events_total", .counter, labels: ["kind"],
            "Events that this server has written to audit logs, by kind."),
    ]

    /// Those that are read when somebody asks.
    static let read: [MetricDeclaration] = [
        buildInfo, uptime, connections, refusedConnections, bodies, bodyBytes, diskFree, diskSize, roundsToAggregate,
        renderingsWaiting, renderingsRunning, unfinishedUploads, unfinishedUploadBytes, scrapeSeconds,
    ]

    package static var all: [MetricDeclaration] {
        counted + read + FederationMetrics.declarations + ProcessFigures.declarations
    }

    /// Bounds for the work on a round, from a hundredth of a second to an hour; seconds.
    private static let workBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]

    static let buildInfo = MetricDeclaration(
        "rankwise_build_info", .gauge, labels: ["version"], "Always 1; the label says the server's version.")
    static let uptime = MetricDeclaration(
        "rankwise_uptime_seconds", .gauge, unit: "seconds", "Time since the server's start.")
    static let connections = MetricDeclaration("rankwise_http_connections", .gauge, "Open connections that are served.")
    static let refusedConnections = MetricDeclaration(
        "rankwise_http_connections_refused", .gauge,
        "Open connections that are being refused, because there are too many.")
    static let bodies = MetricDeclaration(
        "rankwise_http_bodies_in_flight", .gauge, "Requests with a body that are not answered yet.")
    static let bodyBytes = MetricDeclaration(
        "rankwise_http_bodies_in_flight_bytes", .gauge, unit: "bytes", "Bytes of these bodies, as they were declared.")
    static let diskFree = MetricDeclaration(
        "rankwise_disk_free_bytes", .gauge, unit: "bytes", labels: ["folder"],
        "Room that the server may still use on the folder's disk.")
    static let diskSize = MetricDeclaration(
        "rankwise_disk_size_bytes", .gauge, unit: "bytes", labels: ["folder"], "Size of the folder's disk.")
    static let roundsToAggregate = MetricDeclaration(
        "rankwise_aggregation_queue", .gauge, "Closed rounds that wait to be aggregated or are being aggregated.")
    static let renderingsWaiting = MetricDeclaration(
        "rankwise_renderings_waiting", .gauge, labels: ["lane"], "Files for download that wait to be rendered.")
    static let renderingsRunning = MetricDeclaration(
        "rankwise_renderings_running", .gauge, labels: ["lane"], "Files for download that are being rendered.")
    static let unfinishedUploads = MetricDeclaration(
        "rankwise_uploads_unfinished", .gauge, "Uploads of which a part has arrived.")
    static let unfinishedUploadBytes = MetricDeclaration(
        "rankwise_uploads_unfinished_bytes", .gauge, unit: "bytes", "Bytes of these parts.")
    static let scrapeSeconds = MetricDeclaration(
        "rankwise_scrape_seconds", .gauge, unit: "seconds",
        "Time that this scrape took to read all figures, without writing them.")
}
