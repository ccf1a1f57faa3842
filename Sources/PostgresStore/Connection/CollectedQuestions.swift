import Federation
import Synchronization

/// Asks questions that come while another one is under way together, with one query.
final class CollectedQuestions<Question: Sendable, Answer: Sendable>: Sendable {
    private struct Waiting {
        let question: Question
        let continuation: CheckedContinuation<Result<Answer, StoreError>, Never>
    }

    private struct State {
        var waiting: [Waiting] = []
        var isAsking = false
    }

    /// The most questions of one query.
    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int = 500) { self.limit = limit }

    /// The answer to one question.
    ///
    /// - Parameter query: the answers to several questions, in their order.
    func answer(
        to question: Question, by query: @escaping @Sendable ([Question]) async throws(StoreError) -> [Answer]
    ) async throws(StoreError) -> Answer {
        let result = await withCheckedContinuation { continuation in
            let begins = state.withLock { state in
                state.waiting.append(Waiting(question: question, continuation: continuation))
                defer { state.isAsking = true }
                return !state.isAsking
            }
            if begins { Task { await askAll(by: query) } }
        }
        return try result.get()
    }

    private func askAll(by query: ([Question]) async throws(StoreError) -> [Answer]) async {
        while true {
            let waiting = state.withLock { state in
                let next = Array(state.waiting.prefix(limit))
                state.waiting.removeFirst(next.count)
                if next.isEmpty { state.isAsking = false }
                return next
            }
            guard !waiting.isEmpty else { return }
            do throws(StoreError) {
                let answers = try await query(waiting.map(\.question))
                for (one, answer) in zip(waiting, answers) { one.continuation.resume(returning: .success(answer)) }
            } catch {
                for one in waiting { one.continuation.resume(returning: .failure(error)) }
            }
        }
    }
}
