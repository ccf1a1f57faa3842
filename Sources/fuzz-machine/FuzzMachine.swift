import Coordinator
import CoordinatorAPI
import Federation
import Foundation
import FuzzInput
import RankwiseWire

/// Feeds a federation's machine events of every kind in any order, with clocks that jump. A trap is a finding, and so is a
/// round that cannot be shown, or more clients than the limit.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var source = ByteSource(UnsafeRawBufferPointer(start: start, count: count))
    guard var settings = try? source.settings() else { return 0 }
    // Most bytes are to become events: what is unsound gives way to what is not.
    if (try? FederationService.check(settings)) == nil, !soften(&settings) { return 0 }
    var run = Run(FederationMachine(settings: settings))
    // A step costs far more than what long inputs could show beyond short ones.
    for _ in 0..<60 where !source.isEmpty { run.step(&source) }
    run.show()
    return 0
}

/// Whether the settings are sound with a plain adapter and strategy, or with a plain policy too.
private func soften(_ settings: inout FederationSettings) -> Bool {
    settings.adapter = .init(
        maximumRank: 4, scaling: .lora(alpha: 8), elementType: .float32,
        modules: [
            "m0": .init(kind: .linear, inputs: 3, outputs: 2, maximumRank: nil, bias: false),
            "m1": .init(kind: .linear, inputs: 2, outputs: 2, maximumRank: 9, bias: false),
        ], dense: [:])
    settings.strategy = .init(name: "rbla")
    settings.server = .init()
    settings.evaluation = settings.evaluation.map { _ in
        .init(best: .init(metric: "loss", mode: .min), patience: 5)
    }
    if (try? FederationService.check(settings)) != nil { return true }
    settings.limits = .init(clients: 5, samples: 1_000_000_000, normOverMedian: 3)
    let selection = settings.policy.selection
    settings.policy = RoundPolicy(
        total: 50, minimumClients: 2, minimumUpdates: 1, targetUpdates: nil, deadlineSeconds: 10,
        onMissedQuorum: settings.policy.onMissedQuorum, selection: .fraction(1),
        preference: settings.policy.preference, overSelection: 0, seenSeconds: 30)
    if case .count(let count) = selection, count >= 1 { settings.policy.selection = selection }
    return (try? FederationService.check(settings)) != nil
}

private struct Run {
    var machine: FederationMachine
    var now: Int64 = 1_700_000_000_000
    private let names = ["a", "b", "c", "d", "e", "f", "g"].map { ClientName(unchecked: $0) }

    init(_ machine: FederationMachine) { self.machine = machine }

    mutating func step(_ source: inout ByteSource) {
        let moved = now.addingReportingOverflow(Int64(source.integer()) &* (source.flag() ? 1000 : 1))
        if !moved.overflow, source.byte() % 8 != 0 { now = moved.partialValue }
        let count = source.byte() % 3 + 1
        var seen = ClientTable(names.prefix(Int(source.byte()) % 8).map { ($0, Seen(at: time(&source))) })
        for name in names.prefix(Int(source.byte()) % 3) {
            seen[name] = Seen(at: (seen[name] ?? .never).at, isAbsent: true)
        }
        let context = FederationMachine.Context(
            now: Timestamp(milliseconds: now), seen: seen, sampler: HashedSampler())
        var next = machine
        _ = next.step(in: context) { machine, step in
            for _ in 0..<count { handleEvent(of: &source, by: &machine, in: &step) }
        }
        machine = next
        check()
    }

    private func time(_ source: inout ByteSource) -> Timestamp {
        Timestamp(milliseconds: source.flag() ? now : Int64(source.integer()))
    }

    private func check() {
        precondition(machine.clients.values.count(where: \.holdsPlace) <= machine.settings.limits.clients)
        _ = machine.isDue(at: Timestamp(milliseconds: now))
        for name in names {
            _ = machine.maySelect(name)
            _ = machine.objection(to: name, round: machine.round?.number ?? 0)
        }
        if let evaluation = machine.evaluation {
            precondition(evaluation.isOpen == (evaluation.figures == nil))
            precondition(machine.state != .finished || !evaluation.isOpen, "a finished federation evaluates")
            for metric in (evaluation.figures?.metrics ?? [:]).values {
                precondition([metric.mean, metric.median, metric.worstDecile].allSatisfy(\.isFinite))
            }
        }
        guard let round = machine.round else { return }
        precondition(round.acceptedCount <= round.receivedCount && round.heldByteCount >= 0)
        let metrics = round.metrics
        precondition([metrics.loss, metrics.accuracy].allSatisfy { $0?.isFinite ?? true })
    }

    func show() {
        guard let round = machine.round else { return }
        do throws(WireError) {
            _ = try WireJSON.encode(
                RoundBody(round, of: machine, evaluation: machine.evaluation.map(ListedEvaluation.init)))
        } catch {
            preconditionFailure("a round cannot be shown: \(error)")
        }
    }

    private func handleEvent(
        of source: inout ByteSource, by machine: inout FederationMachine, in step: inout FederationMachine.Step
    ) {
        let name = source.pick(names)
        let number = source.byte() % 4 == 0 ? source.integer() : (machine.round?.number ?? 0)
        func handle<Success, Failure>(_ event: FederationMachine.Event<Success, Failure>) {
            _ = machine.handle(event, in: &step)
        }
        switch source.byte() % 22 {
        case 0...4:
            handle(
                .register(
                    name: name, rank: source.integer(), token: Self.digest(1),
                    capabilities: source.flag() ? .none : Self.evaluating,
                    enrolment: source.pick([nil, nil, "t"])))
        case 5: handle(.revoke(name, byItself: source.flag()))
        case 6:
            handle(
                .issue(
                    IssuedToken(
                        id: "t", role: .enrolment, hash: Self.digest(2), createdAt: time(&source),
                        expiresAt: source.flag() ? time(&source) : nil, usesLeft: source.pick([nil, 0, 1, .max]))))
        case 7: handle(.withdraw("t"))
        case 8...12: handle(.update(update(of: name, &source), round: number))
        case 13:
            handle(
                .refused(
                    Refusal(client: name, at: time(&source), code: "update.shape", detail: "", count: 1),
                    round: number))
        case 14:
            if source.flag() {
                handle(.decline(name, round: number, reason: "r"))
            } else {
                handle(.leave(name, reason: "r"))
            }
        case 15:
            if source.flag() {
                let adapter = PublishedAdapter(digest: Self.digest(3), byteCount: source.integer(), ranks: [:])
                handle(.aggregated(adapter, round: number))
            } else {
                handle(.aggregationFailed(reason: "r", round: number))
            }
        case 16: handle(.lost([name: "gone"], round: number))
        case 17: handle(.setState(source.pick(FederationState.allCases)))
        case 18: handle(.takeBack(name, round: number))
        case 20, 21:
            // Evaluations lag behind the rounds.
            let evaluated = source.byte() % 4 == 0 ? number : machine.evaluation?.round ?? number
            let answer = source.evaluationAnswer()
            if let objection = answer.objection(most: machine.settings.limits.samples) {
                handle(.evaluationRefused(name, round: evaluated, reason: objection.detail))
            } else {
                handle(.evaluate(answer, by: name, round: evaluated))
            }
        default:
            if source.flag(), let other = try? source.settings() {
                handle(.setPolicy(other.policy))
            } else {
                handle(.tick(arrivals: names.filter { _ in source.flag() }))
            }
        }
    }

    private static let evaluating = Capabilities(text: #"{"evaluate":true}"#) {
        try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8))
    }

    /// As the services let one pass.
    private func update(of name: ClientName, _ source: inout ByteSource) -> Update {
        let metrics = Metrics(
            loss: source.flag() ? source.number() : nil, accuracy: source.flag() ? source.number() : nil)
        let sizes = (0..<2 * machine.settings.adapter.modules.count).map { _ in Float(source.number()).magnitude }
        let norm = source.flag() ? nil : source.number().magnitude
        return Update(
            client: name, digest: Self.digest(source.byte()), byteCount: max(1, source.integer()),
            rank: max(1, source.integer() % 65_537),
            samples: min(machine.settings.limits.samples, max(1, source.integer())),
            metrics: metrics.objection == nil ? metrics : Metrics(), receivedAt: time(&source),
            ranks: source.flag() ? nil : ["m0": max(1, source.integer() % 65_537)],
            norm: norm.map { $0.isFinite ? $0 : .greatestFiniteMagnitude },
            factorSizes: source.flag() && sizes.allSatisfy(\.isFinite) ? FactorSizes(values: sizes) : nil)
    }

    private static func digest(_ byte: UInt8) -> ContentDigest {
        guard let digest = ContentDigest(bytes: [UInt8](repeating: byte, count: 32)) else {
            preconditionFailure("a digest has 32 bytes")
        }
        return digest
    }
}
