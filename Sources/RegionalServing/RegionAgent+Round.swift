import ClientAgent
import Coordinator
import CoordinatorAPI
import Federation
import Foundation
import HTTPFetching
import Logging
import RankwiseWire
import ServerCalls

/// What is due between root and region.
extension RegionAgent {
    /// Does what is due by the root's newest plan for this region.
    ///
    /// - Returns: whether the root's federation is finished.
    func act(on plan: PlanBody, _ link: Link) async throws -> Bool {
        let regions = services.regions
        let federation = configuration.federation
        if let round = try regions.machine(of: federation).round, !round.hasEnded {
            let isOver = plan.round > round.number || ["published", "failed"].contains(plan.phase)
            guard isOver else {
                let isAsked = plan.round == round.number && plan.phase == "collecting" && plan.selected
                if isAsked, !plan.answered, round.phase == .aggregating { try await send(round.number, link) }
                return false
            }
            try await end(round.number, link)
        }
        let machine = try regions.machine(of: federation)
        if let round = machine.round, !round.hasEnded { return false }
        let last = plan.adapter?.round ?? 0
        if last > machine.round?.number ?? 0 { try await end(last, link) }
        if plan.state == "finished" {
            if machine.state != .finished { try await regions.finish(federation) }
            return true
        }
        guard plan.phase == "collecting", plan.selected, !plan.answered,
            try regions.machine(of: federation).publishedRound == last
        else { return false }
        try await regions.open(plan.round, until: deadline(of: plan), in: federation)
        return false
    }

    /// Nine tenths of the time that the root gives; the rest is for the sum and its way.
    private func deadline(of plan: PlanBody) throws -> Timestamp {
        guard let text = plan.deadlineAt, let end = Timestamp(timestamp: text) else {
            throw RegionError("the root's plan has the deadline \(plan.deadlineAt ?? "nothing"); expected a time")
        }
        let now = SystemClock().now()
        return now.adding(seconds: 0.9 * max(0, end.seconds(since: now)))
    }

    /// Ends a round here as the root has ended it.
    private func end(_ number: Int, _ link: Link) async throws {
        let root = try await link.calls.round(number)
        if root.phase == "failed" {
            let reason = "the root's round failed: \(root.reason ?? "it gave no reason")"
            return try await services.regions.fail(number, reason: reason, in: configuration.federation)
        }
        if root.phase == "published", let adapter = root.adapter { try await publish(adapter, number, link) }
    }

    /// Publishes the root's adapter of a round here, or fails the round where the root has it no more.
    private func publish(_ adapter: RoundBody.Adapter, _ number: Int, _ link: Link) async throws {
        guard let digest = ContentDigest(hex: adapter.digest) else {
            throw RegionError("the root's round \(number) has the digest \(adapter.digest); expected a SHA-256")
        }
        let federation = configuration.federation
        let path = link.path(ofRound: number)
        defer { unlink(path) }
        do {
            try await link.calls.downloadAdapter(round: number, cut: "dtype=F32", to: path, limit: Self.adapterLimit)
        } catch CallError.refused(let problem) {
            logger.error(
                "a round fails here, since the root has its adapter no more",
                metadata: ["round": "\(number)", "reason": "\(problem.summary)"])
            let reason = "the root does not give its adapter: \(problem.summary)"
            return try await services.regions.fail(number, reason: reason, in: federation)
        }
        try await services.regions.publish(path, digest: digest, asRound: number, in: federation)
        logger.info("the root's adapter is published here", metadata: ["round": "\(number)"])
    }

    /// Sends the sum of a closed round, once.
    private func send(_ number: Int, _ link: Link) async throws {
        guard link.refused != number else { return }
        let regions = services.regions
        guard let sum = try await regions.sum(ofRound: number, in: configuration.federation, as: configuration.name)
        else { return }
        do {
            let update = try OutgoingUpdate(
                path: sum.path, round: number, samples: sum.samples,
                metrics: .init(loss: sum.metrics.loss, accuracy: sum.metrics.accuracy))
            let receipt = try await link.calls.deliver(update)
            if link.plan?.round == number { link.plan?.answered = true }
            logger.info(
                "the region's sum was sent",
                metadata: ["round": "\(number)", "digest": "\(receipt.digest)", "samples": "\(sum.samples)"])
        } catch CallError.refused(let problem) {
            // The root's round goes on without this region, and ends here as it ends there.
            link.refused = number
            logger.error(
                "the root refused the region's sum",
                metadata: ["round": "\(number)", "reason": "\(problem.summary)"])
        } catch {
            await regions.discard(sum)
            throw error
        }
        await regions.discard(sum)
    }
}

extension FederationEndpoint {
    /// Sends an update; a large one goes on where an earlier attempt broke off.
    func deliver(_ update: OutgoingUpdate) async throws(CallError) -> ReceiptBody {
        guard update.length >= 4 << 20 else { return try await send(update) }
        let answer: UploadAnswer
        switch try await uploadState(round: update.round) {
        // The server compares the bytes.
        case .complete: return try await send(update)
        case .none: answer = try await finish(update, from: 0, isNew: true)
        case .partial(let offset): answer = try await finish(update, from: min(offset, update.length), isNew: false)
        }
        switch answer {
        case .receipt(let receipt): return receipt
        case .unsupported: return try await send(update)
        case .ofAnother:
            try await cancelUpload(round: update.round)
            return try await send(update)
        }
    }
}
