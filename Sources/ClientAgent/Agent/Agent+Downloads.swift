import AdapterFormat
import AdapterOperations
import Dispatch
import HTTPFetching
import RankwiseWire
import ServerCalls
import Training

/// Downloads the start of a round: its adapter, its configuration and the sum of all merges.
extension Agent {
    /// Downloads everything that the plan names, or answers why the server refuses it.
    func download(_ plan: PlanBody, to files: RoundFiles) async throws(AgentError) -> Answer<Void> {
        let endpoint = endpoint
        let observe = observe
        let limit = configuration.adapterLimit
        let round = plan.adapter?.round ?? plan.round - 1
        let cut = plan.cut
        let bits = plan.messageBits.flatMap(MessageBits.init)
        let target = bits == nil ? files.adapter : files.message
        let headway = TransferProgress()
        let adapter = try await handedOut("adapter", headway) { () async throws(CallError) in
            try await endpoint.downloadConfiguration(round: round, cut: cut, to: files.configuration)
            try await endpoint.downloadAdapter(round: round, cut: cut, bits: bits, to: target, limit: limit) {
                headway.reached($0.received)
                observe(.downloading(round: plan.round, $0))
            }
        }
        if case .refused = adapter { return adapter }
        if bits != nil {
            try await onFiles { () throws(AdapterFileError) in try AdapterMessage.rewrite(target, to: files.adapter) }
            try await state { state throws(StateError) in try state.remove(target) }
        }
        guard let merge = plan.merge else { return .value(()) }
        return try await bring(merge, for: plan.round, files)
    }

    /// Updates the stored sum of merges to the plan's round. It uses the merges since the last update if the server
    /// still has them and they fit, else all of them.
    private func bring(
        _ merge: PlanBody.Merge, for round: Int, _ files: RoundFiles
    ) async throws(AgentError) -> Answer<Void> {
        let kept = MergeSum(path: state.merge)
        if kept?.round == merge.round { return .value(()) }
        if let kept, kept.round < merge.round {
            let addition = files.merges(since: kept.round)
            let answer = try await fetch(merge, since: kept.round, to: addition, for: round)
            switch answer {
            case .value:
                if try await add([kept.path, addition], upTo: merge.round) == nil { return answer }
            case .refused(let problem) where problem.status == 410: break
            case .refused: return answer
            }
        }
        let all = files.merges(since: 0)
        let answer = try await fetch(merge, since: 0, to: all, for: round)
        if case .value = answer, let error = try await add([all], upTo: merge.round) {
            throw .trainingFailed("\(error)")
        }
        return answer
    }

    private func fetch(
        _ merge: PlanBody.Merge, since: Int, to path: String, for round: Int
    ) async throws(AgentError) -> Answer<Void> {
        let endpoint = endpoint
        let observe = observe
        let limit = configuration.adapterLimit
        let headway = TransferProgress()
        return try await handedOut("merge", headway) { () async throws(CallError) in
            try await endpoint.downloadMerge(round: merge.round, since: since, to: path, limit: limit) {
                headway.reached($0.received)
                observe(.downloading(round: round, $0))
            }
        }
    }

    /// Replaces the kept sum by that of `paths`, of which the last one was downloaded and goes; the reason where they
    /// do not add up.
    private func add(_ paths: [String], upTo round: Int) async throws(AgentError) -> AdapterFileError? {
        let target = state.merge
        let error = try await onFiles { () throws(AdapterFileError) -> AdapterFileError? in
            do throws(AdapterFileError) {
                _ = try MergeSum(of: paths, round: round, to: target)
                return nil
            } catch {
                if case .noRoom = error { throw error }
                return error
            }
        }
        try await state { state throws(StateError) in
            if let addition = paths.last { try state.remove(addition) }
            if error == nil { try state.sync(target) }
        }
        return error
    }

    /// The answer to a download; a server that refuses this client ends the agent.
    private func handedOut(
        _ name: String, _ headway: TransferProgress, _ call: () async throws(CallError) -> Void
    ) async throws(AgentError) -> Answer<Void> {
        let answer = try await answer(to: name, headway: headway) { (_) async throws(CallError) in try await call() }
        if case .refused(let problem) = answer, problem.isOfTheClient { throw .refused(problem) }
        return answer
    }

    /// Runs long work on files off the cooperative pool; repeats it while the disk is full.
    func onFiles<Value: Sendable>(
        _ work: @escaping @Sendable () throws(AdapterFileError) -> Value
    ) async throws(AgentError) -> Value {
        var wait = RoomWait(start: clock.now, backoff: configuration.backoff)
        while true {
            switch await DispatchQueue.files.result(work) {
            case .success(let value): return value
            case .failure(.noRoom(let path)): try await rest(&wait, until: path)
            case .failure(let error): throw .trainingFailed("\(error)")
            }
        }
    }
}

extension DispatchQueue {
    static let files = DispatchQueue(label: "rankwise.files")
}

extension PlanBody {
    /// How the adapter is cut for this client: the query of its path. The endpoint makes the rest of the path.
    var cut: String {
        adapter.flatMap { adapter in
            adapter.href.firstIndex(of: "?").map { String(adapter.href[$0...].dropFirst()) }
        } ?? "rank=\(rank)"
    }
}
