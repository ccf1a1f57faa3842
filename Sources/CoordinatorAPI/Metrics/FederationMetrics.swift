import Coordinator
import Federation
import MetricsExposition

/// The metrics whose label is a federation. Their number is bounded.
///
/// All are gauges: a federation may move to the common label and back, and a counter must never go down.
struct FederationMetrics {
    private static let own = ["federation"]
    private static let count = MetricDeclaration(
        "rankwise_federations", .gauge, labels: ["state"], "Federations that the server runs, by state.")
    private static let setAside = MetricDeclaration(
        "rankwise_federations_set_aside", .gauge, "Federations that this version cannot run.")
    private static let unnamed = MetricDeclaration(
        "rankwise_federations_unnamed", .gauge,
        "Federations beyond the setting metrics.federations, which share the label _other.")
    private static let phase = MetricDeclaration(
        "rankwise_federation_rounds", .gauge, labels: ["federation", "phase"],
        "1 for the phase of the current round, 0 for others; of _other, the number of federations.")
    private static let round = MetricDeclaration(
        "rankwise_federation_round", .gauge, labels: own, "Number of the current round; of _other, the highest.")
    private static let publishedRound = MetricDeclaration(
        "rankwise_federation_published_round", .gauge, labels: own,
        "Number of the last published round; of _other, the highest.")
    private static let age = MetricDeclaration(
        "rankwise_federation_round_age_seconds", .gauge, unit: "seconds", labels: own,
        "Time since the round opened, while it collects or is aggregated; else 0; of _other, the longest.")
    private static let overdue = MetricDeclaration(
        "rankwise_federation_round_overdue_seconds", .gauge, unit: "seconds", labels: own,
        "For how long a round has collected beyond its deadline; of _other, the longest.")
    private static let selected = MetricDeclaration(
        "rankwise_federation_selected", .gauge, labels: own, "Clients that the current round has selected.")
    private static let received = MetricDeclaration(
        "rankwise_federation_updates_received", .gauge, labels: own, "Updates of the current round that are held.")
    private static let accepted = MetricDeclaration(
        "rankwise_federation_updates_accepted", .gauge, labels: own, "Updates of the current round that count.")
    private static let quorum = MetricDeclaration(
        "rankwise_federation_updates_quorum", .gauge, labels: own, "Updates that the current round needs.")
    private static let refused = MetricDeclaration(
        "rankwise_federation_updates_refused", .gauge, labels: own, "Updates that the current round has refused.")
    private static let evaluationsAwaited = MetricDeclaration(
        "rankwise_federation_evaluations_awaited", .gauge, labels: own,
        "Clients that the open evaluation waits for.")
    private static let bestRound = MetricDeclaration(
        "rankwise_federation_best_round", .gauge, labels: own,
        "Number of the best evaluated round, 0 where there is none; of _other, the highest.")
    private static let clients = MetricDeclaration(
        "rankwise_federation_clients", .gauge, labels: own, "Registered clients that are not revoked.")
    private static let seen = MetricDeclaration(
        "rankwise_federation_clients_seen", .gauge, labels: own,
        "Clients that called within the policy's seen_seconds and have not left.")
    private static let waits = MetricDeclaration(
        "rankwise_federation_long_polls", .gauge, labels: own, "Callers that wait for the federation to change.")

    static let declarations = [
        count, setAside, unnamed, phase, round, publishedRound, age, overdue, selected, received, accepted, quorum,
        refused, evaluationsAwaited, bestRound, clients, seen, waits,
    ]

    /// A figure with its metric, and how federations of the common label are put together.
    private static let figures:
        [(
            MetricDeclaration, combine: @Sendable (Double, Double) -> Double,
            value: @Sendable (FederationFigures) -> Double
        )] = [
            (round, max, { Double($0.round) }),
            (publishedRound, max, { Double($0.publishedRound) }),
            (age, max, { $0.roundAge ?? 0 }),
            (overdue, max, { $0.overdue }),
            (selected, +, { Double($0.selected) }),
            (received, +, { Double($0.received) }),
            (accepted, +, { Double($0.accepted) }),
            (quorum, +, { Double($0.quorum) }),
            (refused, +, { Double($0.refused) }),
            (evaluationsAwaited, +, { Double($0.evaluationsAwaited) }),
            (bestRound, max, { Double($0.bestRound) }),
            (clients, +, { Double($0.clients) }),
            (seen, +, { Double($0.clientsSeen) }),
            (waits, +, { Double($0.waits) }),
        ]

    /// - Parameter limit: how many federations get a label of their own. Those that are not finished come first, and
    ///   among them the oldest, so that a new federation takes no label away.
    static func families(of services: ServiceFigures, limit: Int) -> [MetricFamily] {
        let federations = services.federations.sorted {
            ($0.state == .finished ? 1 : 0, $0.createdAt, $0.id) < ($1.state == .finished ? 1 : 0, $1.createdAt, $1.id)
        }
        let bound = LabelBound(federations.map(\.id.rawValue), limit: limit)
        let named = federations.prefix(federations.count - bound.unnamedCount)
        let others = federations.dropFirst(named.count)
        return counts(of: services, unnamed: bound.unnamedCount) + [phases(named, others)]
            + figures.map { declaration, combine, value in
                var family = MetricFamily(declaration)
                for one in named { family.add(value(one), [("federation", one.id.rawValue)]) }
                if let first = others.first {
                    family.add(
                        others.dropFirst().reduce(value(first)) { combine($0, value($1)) },
                        [("federation", LabelBound.other)])
                }
                return family
            }
    }

    private static func counts(of services: ServiceFigures, unnamed others: Int) -> [MetricFamily] {
        var (states, aside, unnamed) = (MetricFamily(count), MetricFamily(setAside), MetricFamily(unnamed))
        for state in FederationState.allCases {
            states.add(services.federations.count { $0.state == state }, [("state", state.rawValue)])
        }
        aside.add(services.federationsSetAside)
        unnamed.add(others)
        return [states, aside, unnamed]
    }

    private static func phases(
        _ named: some Sequence<FederationFigures>, _ others: some Collection<FederationFigures>
    ) -> MetricFamily {
        var family = MetricFamily(phase)
        for one in named {
            for name in FederationFigures.phases {
                family.add(one.phase == name ? 1 : 0, [("federation", one.id.rawValue), ("phase", name)])
            }
        }
        guard !others.isEmpty else { return family }
        for name in FederationFigures.phases {
            family.add(others.count { $0.phase == name }, [("federation", LabelBound.other), ("phase", name)])
        }
        return family
    }
}
