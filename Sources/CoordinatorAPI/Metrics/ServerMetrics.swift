package import Coordinator
package import CoreMetrics
package import HTTPServing
package import MetricsExposition
import Synchronization

/// The metrics of one server: what it counts, and what it reads when somebody asks.
package final class ServerMetrics: Sendable {
    private let registry = MetricsRegistry(declaring: MetricCatalog.counted)
    private let problems: CounterTable
    private let version: String
    private let folders: [String]
    private let federationLimit: Int
    private let start = ContinuousClock.now
    private let load = Mutex<@Sendable () -> ServingLoad>({ ServingLoad() })
    /// One scrape at a time, and none on a shard: a scrape looks at every client of every federation.
    private let queue = BlockingQueue(label: "metrics")

    /// - Parameters:
    ///   - folders: the folders whose disks matter.
    ///   - federationLimit: how many federations get a label of their own.
    package init(version: String, folders: [String], federationLimit: Int) {
        self.version = version
        self.folders = folders
        self.federationLimit = federationLimit
        problems = CounterTable("rankwise_problems_total", label: "code", registry)
    }

    /// Where services and servers count.
    package var factory: any MetricsFactory { registry }

    /// The metrics that are counted without a declaration.
    package var undeclared: [String] { registry.undeclared }

    /// Reads connections and bodies of this server from now on.
    package func read(_ server: HTTPServer) { load.withLock { $0 = { server.load } } }

    /// Counts a refusal.
    func count(problem code: String) {
        // The key of a configuration comes from the caller.
        problems.add(1, to: code.hasPrefix("config.") ? "config" : code)
    }

    /// The text of a scrape.
    package func scrape(_ services: Services, as format: ExpositionFormat) async -> [UInt8] {
        await queue.run { [self] in
            let began = ContinuousClock.now
            let figures = services.figures
            var families = registry.families
            families += FederationMetrics.families(of: figures, limit: federationLimit)
            families += read(figures)
            families += ProcessFigures()?.families ?? []
            var took = MetricFamily(MetricCatalog.scrapeSeconds)
            took.add((ContinuousClock.now - began) / .seconds(1))
            return ExpositionWriter.write(families + [took], as: format)
        }
    }

    private func read(_ services: ServiceFigures) -> [MetricFamily] {
        func family(_ declaration: MetricDeclaration, _ values: [(Double, MetricFamily.Labels)]) -> MetricFamily {
            var family = MetricFamily(declaration)
            for (value, labels) in values { family.add(value, labels) }
            return family
        }
        func one(_ declaration: MetricDeclaration, _ value: Int) -> MetricFamily {
            family(declaration, [(Double(value), [])])
        }
        let load = load.withLock { $0 }()
        let disks = folders.compactMap { folder in DiskFigures(folder: folder).map { (folder, $0) } }
        return [
            family(MetricCatalog.buildInfo, [(1, [("version", version)])]),
            family(MetricCatalog.uptime, [((ContinuousClock.now - start) / .seconds(1), [])]),
            one(MetricCatalog.connections, load.connections),
            one(MetricCatalog.refusedConnections, load.refusedConnections),
            one(MetricCatalog.bodies, load.bodies),
            one(MetricCatalog.bodyBytes, load.bodyBytes),
            family(MetricCatalog.diskFree, disks.map { (Double($1.freeBytes), [("folder", $0)]) }),
            family(MetricCatalog.diskSize, disks.map { (Double($1.sizeBytes), [("folder", $0)]) }),
            one(MetricCatalog.roundsToAggregate, services.roundsToAggregate),
            family(
                MetricCatalog.renderingsWaiting, services.renderings.map { (Double($0.waiting), [("lane", $0.lane)]) }),
            family(
                MetricCatalog.renderingsRunning, services.renderings.map { (Double($0.running), [("lane", $0.lane)]) }),
            one(MetricCatalog.unfinishedUploads, services.unfinishedUploads),
            one(MetricCatalog.unfinishedUploadBytes, services.unfinishedUploadBytes),
        ]
    }
}
