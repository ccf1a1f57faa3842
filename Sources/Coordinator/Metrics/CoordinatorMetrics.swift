package import CoreMetrics
import Federation
import Synchronization

/// What the services count and time.
struct CoordinatorMetrics: Sendable {
    let commitSeconds: Timer
    let aggregationSeconds: Timer
    let aggregatedBytes: Counter
    let publicationSeconds: Timer
    let publishedBytes: Counter
    let resumedUploads: Counter
    let storeFailures: CounterTable
    let auditEvents: CounterTable
    let aggregations: CounterTable

    init(_ factory: any MetricsFactory) {
        commitSeconds = Timer(label: "rankwise_store_commit_seconds", dimensions: [], factory: factory)
        aggregationSeconds = Timer(label: "rankwise_aggregation_seconds", dimensions: [], factory: factory)
        aggregatedBytes = Counter(label: "rankwise_aggregation_bytes_total", dimensions: [], factory: factory)
        publicationSeconds = Timer(label: "rankwise_publication_seconds", dimensions: [], factory: factory)
        publishedBytes = Counter(label: "rankwise_publication_bytes_total", dimensions: [], factory: factory)
        resumedUploads = Counter(label: "rankwise_uploads_resumed_total", dimensions: [], factory: factory)
        storeFailures = CounterTable("rankwise_store_failures_total", label: "error", factory)
        auditEvents = CounterTable("rankwise_audit_events_total", label: "kind", factory)
        aggregations = CounterTable("rankwise_aggregations_total", label: "outcome", factory)
        // A counter that stands at zero before its first failure shows that failure as an increase.
        for error in StoreError.metricNames { storeFailures.add(0, to: error) }
        for outcome in AggregationOutcome.allCases { aggregations.add(0, to: outcome.rawValue) }
    }

    /// How an attempt to aggregate a round ended.
    enum AggregationOutcome: String, CaseIterable {
        case published
        /// The round can never be published.
        case failed
        /// Updates are lost; the round asks for them again.
        case reopened
        /// It will be tried again.
        case retried
    }
}

/// Counters of one metric that differ in one label, made when they are first needed.
package final class CounterTable: Sendable {
    private let name: String
    private let label: String
    private let factory: any MetricsFactory
    private let counters = Mutex<[String: Counter]>([:])

    package init(_ name: String, label: String, _ factory: any MetricsFactory) {
        self.name = name
        self.label = label
        self.factory = factory
    }

    package func add(_ count: Int, to value: String) {
        let counter = counters.withLock { counters in
            if let known = counters[value] { return known }
            let made = Counter(label: name, dimensions: [(label, value)], factory: factory)
            counters[value] = made
            return made
        }
        counter.increment(by: count)
    }
}

extension StoreError {
    static let metricNames = ["full", "fenced", "exists", "gone", "unsound", "failed"]

    /// The error's name as a label.
    var metricName: String {
        switch self {
        case .full: "full"
        case .fenced: "fenced"
        case .exists: "exists"
        case .gone: "gone"
        case .unsound: "unsound"
        case .failed: "failed"
        }
    }
}
