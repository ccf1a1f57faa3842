import Dispatch
import HTTPFetching
import RankwiseWire
import Training

/// Brings a trained update to the server, whatever breaks on the way.
extension Agent {
    /// How a try to send the rest of an update ended.
    private enum Advance {
        case receipt(ReceiptBody)
        /// It broke, but the server holds more than before.
        case moved(Int64)
        case unsupported
        case ofAnother(Problem)
    }

    /// What the server says of the update.
    ///
    /// - Parameter isNew: whether this very start has trained it, so that the server can have nothing of it yet.
    func deliver(
        _ update: AgentProgress.Unacknowledged, _ files: RoundFiles, isNew: Bool
    ) async throws(AgentError) -> Answer<ReceiptBody> {
        let reading = await DispatchQueue.files.result { () throws(StateError) in
            try OutgoingUpdate(
                path: files.trained, round: update.round, samples: update.samples,
                metrics: RoundBody.Metrics(loss: update.loss, accuracy: update.accuracy))
        }
        let outgoing = try state { _ throws(StateError) in try reading.get() }
        return outgoing.length < configuration.resumableFrom
            ? try await sendWhole(outgoing) : try await sendInParts(outgoing, isNew: isNew)
    }

    /// Sends the update until it is acknowledged; an acknowledgement that was lost is asked for again first.
    private func sendWhole(_ update: OutgoingUpdate) async throws(AgentError) -> Answer<ReceiptBody> {
        let endpoint = endpoint
        let observe = observe
        return try await answer(to: "update") { (isRetry) async throws(CallError) in
            if isRetry, let receipt = try await endpoint.receipt(round: update.round),
                update.isAcknowledged(by: receipt)
            {
                return receipt
            }
            return try await endpoint.send(update) { observe(.uploading(round: update.round, $0)) }
        }
    }

    /// Sends the update from where the server has it; waits begin anew whenever the server got further.
    private func sendInParts(
        _ update: OutgoingUpdate, isNew: Bool
    ) async throws(AgentError) -> Answer<ReceiptBody> {
        var offset: Int64? = isNew ? 0 : nil
        var hasBegunAnew = false
        while true {
            let known = offset
            let answer = try await answer(to: "update") { (isRetry) async throws(CallError) in
                try await advance(update, from: known, asking: isRetry || known == nil)
            }
            switch answer {
            case .refused(let problem): return .refused(problem)
            case .value(.receipt(let receipt)):
                return update.isAcknowledged(by: receipt) ? .value(receipt) : .refused(.anotherUpdate(update.round))
            case .value(.moved(let held)): offset = held
            case .value(.unsupported): return try await sendWhole(update)
            case .value(.ofAnother(let problem)):
                guard !hasBegunAnew else { return .refused(problem) }
                hasBegunAnew = true
                if case .refused(let problem) = try await forgetUpload(round: update.round) { return .refused(problem) }
                offset = 0
            }
        }
    }

    /// One try to send the rest of the update.
    ///
    /// - Parameters:
    ///   - known: what the server held when it was last asked; nil where it was not.
    ///   - isAsking: whether to ask what the server holds first.
    private func advance(
        _ update: OutgoingUpdate, from known: Int64?, asking isAsking: Bool
    ) async throws(CallError) -> Advance {
        var offset = known ?? 0
        if isAsking {
            switch try await endpoint.uploadState(round: update.round) {
            case .none: return .unsupported
            case .complete:
                guard let receipt = try await endpoint.receipt(round: update.round) else { return .unsupported }
                return .receipt(receipt)
            case .partial(let held):
                guard held <= update.length else { return .ofAnother(.anotherUpdate(update.round)) }
                if known.map({ held > $0 }) ?? true { return .moved(held) }
                offset = held
            }
        }
        let observe = observe
        let answer = try await endpoint.finish(update, from: offset) { observe(.uploading(round: update.round, $0)) }
        switch answer {
        case .receipt(let receipt): return .receipt(receipt)
        case .unsupported: return .unsupported
        case .ofAnother(let problem): return .ofAnother(problem)
        }
    }

    private func forgetUpload(round: Int) async throws(AgentError) -> Answer<Void> {
        let endpoint = endpoint
        return try await answer(to: "update") { (_) async throws(CallError) in
            try await endpoint.cancelUpload(round: round)
        }
    }
}

extension Problem {
    /// The server holds bytes that are not this client's newest.
    fileprivate static func anotherUpdate(_ round: Int) -> Problem {
        Problem(
            title: "Conflict", status: 409, code: "update.exists",
            detail: "round \(round) holds another update of this client")
    }
}
