import Dispatch
import FoundationEssentials
import HTTPFetching
import RankwiseWire
import ServerCalls
import Training

/// Sends a trained update to the server, over any number of broken connections.
extension Agent {
    /// Sends the update and returns the server's answer.
    ///
    /// - Parameter isNew: whether this start of the agent has trained it, so that the server cannot have any of it yet.
    func deliver(
        _ update: AgentProgress.Unacknowledged, _ files: RoundFiles, isNew: Bool
    ) async throws(AgentError) -> Answer<ReceiptBody> {
        let reading = await DispatchQueue.files.result { () throws(StateError) in
            try OutgoingUpdate(
                path: files.trained, round: update.round, samples: update.samples,
                metrics: RoundBody.Metrics(loss: update.loss, accuracy: update.accuracy))
        }
        let outgoing = try await state { _ throws(StateError) in try reading.get() }
        if let problem = try await sendConfiguration(files.trainedConfiguration, round: update.round) {
            return .refused(problem)
        }
        return outgoing.length < configuration.resumableFrom
            ? try await sendWhole(outgoing) : try await sendInParts(outgoing, isNew: isNew)
    }

    /// Sends the trainer's configuration before its update, if there is one.
    ///
    /// - Returns: why the server refuses it; nil if it accepts it, or if its version does not know this call.
    private func sendConfiguration(_ path: String, round: Int) async throws(AgentError) -> Problem? {
        guard let text = FileManager.default.contents(atPath: path) else { return nil }
        let endpoint = endpoint
        let answer = try await answer(to: "adapter_config.json") { _ async throws(CallError) in
            try await endpoint.sendConfiguration(round: round, text: Array(text))
        }
        guard case .refused(let problem) = answer, problem.code != "path.unknown" else { return nil }
        return problem
    }

    /// Sends the update until it is acknowledged. If an acknowledgement was lost, it asks for that first.
    private func sendWhole(_ update: OutgoingUpdate) async throws(AgentError) -> Answer<ReceiptBody> {
        let endpoint = endpoint
        let observe = observe
        return try await answer(to: "update") { (isRetry) async throws(CallError) in
            if isRetry, let receipt = try await endpoint.receipt(round: update.round),
                update.isAcknowledged(by: receipt)
            {
                return receipt
            }
            // A proxy may refuse it for longer than the round lasts.
            if isRetry, let reason = await reasonToStop(update.round) { throw .refused(.tooLate(update.round, reason)) }
            return try await endpoint.send(update) { observe(.uploading(round: update.round, $0)) }
        }
    }

    /// Sends the update from the server's offset, until it is acknowledged.
    private func sendInParts(
        _ update: OutgoingUpdate, isNew: Bool
    ) async throws(AgentError) -> Answer<ReceiptBody> {
        var isKnown = isNew
        var hasBegunAnew = false
        let headway = TransferProgress()
        while true {
            let knows = isKnown
            let answer = try await answer(to: "update", headway: headway) { (isRetry) async throws(CallError) in
                try await finish(update, asking: isRetry || !knows, headway)
            }
            switch answer {
            case .refused(let problem): return .refused(problem)
            case .value(.receipt(let receipt)):
                return update.isAcknowledged(by: receipt) ? .value(receipt) : .refused(.anotherUpdate(update.round))
            case .value(.unsupported): return try await sendWhole(update)
            case .value(.ofAnother(let problem)):
                guard !hasBegunAnew else { return .refused(problem) }
                if case .refused(let problem) = try await forgetUpload(round: update.round) { return .refused(problem) }
                hasBegunAnew = true
                isKnown = true
            }
        }
    }

    /// Tries once to send the rest of the update.
    ///
    /// - Parameter isAsking: whether to ask for the server's offset; otherwise it is zero.
    private func finish(
        _ update: OutgoingUpdate, asking isAsking: Bool, _ headway: TransferProgress
    ) async throws(CallError) -> FederationEndpoint.UploadAnswer {
        var offset: Int64 = 0
        if isAsking {
            switch try await endpoint.uploadState(round: update.round) {
            case .none: return .unsupported
            case .complete:
                return try await endpoint.receipt(round: update.round).map { .receipt($0) } ?? .unsupported
            case .partial(let held):
                guard held <= update.length else { return .ofAnother(.anotherUpdate(update.round)) }
                if let reason = await reasonToStop(update.round) {
                    throw .refused(.tooLate(update.round, reason))
                }
                offset = held
                headway.reached(held)
            }
        }
        let observe = observe
        return try await endpoint.finish(update, from: offset, isNew: !isAsking) {
            observe(.uploading(round: update.round, $0))
        }
    }

    private func forgetUpload(round: Int) async throws(AgentError) -> Answer<Void> {
        let endpoint = endpoint
        return try await answer(to: "update") { (_) async throws(CallError) in
            try await endpoint.cancelUpload(round: round)
            // A 204 has no body, so nothing shows whether the server itself sent it.
            guard case .partial(1...) = try await endpoint.uploadState(round: round) else { return }
            throw .unavailable(.stillThere(round), retryAfter: nil)
        }
    }
}

extension Problem {
    fileprivate static func tooLate(_ round: Int, _ reason: String) -> Problem {
        Problem(
            title: "Conflict", status: 409, code: "round.closed",
            detail: "\(reason) while the update of round \(round) was on its way")
    }

    fileprivate static func stillThere(_ round: Int) -> Problem {
        Problem(
            title: "Conflict", status: 409, code: "upload.exists",
            detail: "the server still holds what it had of the update of round \(round)")
    }

    /// The server holds bytes that are not this client's newest update.
    fileprivate static func anotherUpdate(_ round: Int) -> Problem {
        Problem(
            title: "Conflict", status: 409, code: "update.exists",
            detail: "round \(round) holds another update of this client")
    }
}
