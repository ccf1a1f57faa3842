/// The parts of a strategy and what it needs: the only place where a strategy differs from the others.
///
/// A conforming type takes its parameters and states what differs from the defaults. `Strategy` and everything outside
/// this module read these properties and know no strategy by its name.
protocol StrategyRecipe: Sendable {
    /// The name in a federation's settings.
    static var name: String { get }
    /// The parameters under which it accepts updates of any rank, even if the result is then not exact.
    static var parametersForAnyRank: [String: ParameterValue] { get }
    /// Whether a client keeps a personal adapter between rounds and trains it beside the shared one.
    static var keepsPersonalAdapter: Bool { get }
    /// Whether robust rules go with it: it publishes nothing but means of factors, of the shape that clients send.
    static var takesRules: Bool { get }

    /// Takes the strategy's own parameters.
    init(_ parameters: inout StrategyParameters) throws(StrategyError)

    /// A condition that updates must satisfy.
    var admission: Admission { get }
    /// Whether rounds publish a merge.
    var publishesMerge: Bool { get }
    /// Whether a server optimizer can work on its factors.
    var isContinuous: Bool { get }
    /// The only weighting that it allows; nil for any, with samples as the default.
    var weighting: Weighting? { get }
    /// The default optimizer.
    var optimizer: ServerOptimizer { get }
    /// Why its result is no mean of rows, which exact sums are of, as "it …"; nil where it is one.
    var objectionToExactSum: String? { get }
    /// How the rank falls from round to round; nil where it stays.
    var schedule: RankSchedule? { get }
    /// The sparse stage that it begins with; nil for none.
    var sparse: SparseStart? { get }

    /// The instructions to clients for a round, without those of the sparse stage.
    func demand(in round: Int) -> ClientDemand

    /// Computes what is published of a module in a round from the clients' factors.
    func projection(in round: Int) -> any Projection
}

extension StrategyRecipe {
    static var parametersForAnyRank: [String: ParameterValue] { [:] }
    static var keepsPersonalAdapter: Bool { false }
    static var takesRules: Bool { false }

    var admission: Admission { .anyRank }
    var publishesMerge: Bool { false }
    var isContinuous: Bool { false }
    var weighting: Weighting? { nil }
    var optimizer: ServerOptimizer { .none }
    var objectionToExactSum: String? { "is not a row sum" }
    var schedule: RankSchedule? { nil }
    var sparse: SparseStart? { nil }

    func demand(in round: Int) -> ClientDemand { ClientDemand() }
}
