package import HTTPFetching
package import RankwiseWire
import ServerCalls
package import Training

/// What an agent reports to its observer.
package enum AgentEvent: Sendable {
    case registered(client: String, rank: Int)
    /// The server keeps this client at its old rank.
    case rankKept(wanted: Int, reason: String)
    /// The identity of an earlier start is used again.
    case resumed(client: String, lastRound: Int)
    /// There is nothing to do at this point of the federation.
    case waiting(PlanBody)
    case started(round: Int, rank: Int)
    case downloading(round: Int, FetchProgress)
    case training(round: Int, TrainingProgress)
    case trained(round: Int, TrainingOutcome)
    case uploading(round: Int, FetchProgress)
    /// The server holds the update.
    case accepted(round: Int, received: Int)
    /// The round went on without this client.
    case missed(round: Int, reason: String)
    /// The server refuses this update.
    case refused(round: Int, Problem)
    /// Training the round will be tried again.
    case retraining(round: Int, reason: String, after: Duration)
    /// This client sends nothing in the round.
    case declined(round: Int, reason: String)
    /// This client has scored the adapter of a round.
    case evaluated(round: Int, EvaluationOutcome)
    /// It has not, for this reason.
    case notEvaluated(round: Int, reason: String)
    /// The server could not be told that this client ends.
    case unheard(reason: String)
    case retrying(call: String, reason: String, after: Duration)
}

extension AgentEvent: CustomStringConvertible {
    /// One printable line: much of it comes from the network and goes to a terminal.
    package var description: String { words.printable }

    private var words: String {
        switch self {
        case .registered(let client, let rank): "registered as \(client) with rank \(rank)"
        case .rankKept(let wanted, let reason): "rank \(wanted) would do, but the server keeps the old one: \(reason)"
        case .resumed(let client, let lastRound): "going on as \(client) after round \(lastRound)"
        case .waiting(let plan): "waiting: \(plan.waitingReason)"
        case .started(let round, let rank): "round \(round): begins at rank \(rank)"
        case .downloading(let round, let counts):
            "round \(round): download \(ByteCount(counts.received))\(Self.total(counts.toReceive))"
        case .training(let round, let progress):
            "round \(round): epoch \(progress.epoch)/\(progress.epochs), loss \(progress.loss.rounded(to: 4))"
                + (progress.accuracy.map { ", accuracy \($0.rounded(to: 4))" } ?? "")
        case .trained(let round, let outcome):
            "round \(round): trained, samples \(outcome.samples), loss \(outcome.loss.rounded(to: 4))"
                + (outcome.accuracy.map { ", accuracy \($0.rounded(to: 4))" } ?? "")
        case .uploading(let round, let counts):
            "round \(round): upload \(ByteCount(counts.sent))\(Self.total(counts.toSend))"
        case .accepted(let round, let received): "round \(round): update accepted, \(received) received by now"
        case .missed(let round, let reason): "round \(round): went on without this client: \(reason)"
        case .refused(let round, let problem): "round \(round): update refused: \(problem.summary)"
        case .retraining(let round, let reason, let delay): "round \(round): \(reason); next try in \(delay.inSeconds)"
        case .declined(let round, let reason): "round \(round): declined: \(reason)"
        case .evaluated(let round, let outcome) where outcome.samples == 0:
            "round \(round): not evaluated: there are too few examples to hold some out"
        case .evaluated(let round, let outcome):
            "round \(round): evaluated on \(outcome.samples) held-out samples"
                + outcome.metrics.sorted { $0.key < $1.key }.map { ", \($0.key) \($0.value.rounded(to: 4))" }.joined()
        case .notEvaluated(let round, let reason): "round \(round): not evaluated: \(reason)"
        case .unheard(let reason): "the server may wait for this client in vain: \(reason)"
        case .retrying(let call, let reason, let delay): "\(call): \(reason); next try in \(delay.inSeconds)"
        }
    }

    private static func total(_ bytes: Int64?) -> String {
        bytes.map { " of \(ByteCount($0))" } ?? ""
    }
}

extension PlanBody {
    /// Why there is nothing to do.
    var waitingReason: String {
        switch (state, phase) {
        case ("waiting", _): "the federation has not begun"
        case ("paused", _): "the federation is paused"
        case (_, "collecting") where answered: "round \(round) has this client's update and collects others"
        case (_, "collecting") where !selected: "round \(round) does without this client"
        case (_, let phase): "round \(round) is \(phase)"
        }
    }
}

extension Duration {
    fileprivate var inSeconds: String { "\((Double(inMilliseconds) / 1000).rounded(to: 1)) s" }

    var inMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
