/// Has the clients of a round do their work, some at a time.
enum BoundedClientGroup {
    /// Answers in the order in which they are done.
    ///
    /// - Parameters:
    ///   - clients: in the order in which they begin; those with the most work come first, so that no one is left to the end.
    ///   - threads: how many are at work at a time.
    ///   - progress: hears of every client that is done.
    static func run<Client: Sendable, Update: Sendable>(
        _ clients: [Client], threads: Int, progress: @escaping @Sendable (_ trained: Int, _ selected: Int) -> Void,
        _ work: @escaping @Sendable (Client) async throws -> Update
    ) async throws(SimulationError) -> [Update] {
        var waiting = clients.makeIterator()
        var updates: [Update] = []
        do {
            try await withThrowingTaskGroup(of: Update.self) { group in
                for _ in 0..<threads {
                    guard let next = waiting.next() else { break }
                    group.addTask { try await work(next) }
                }
                while let update = try await group.next() {
                    updates.append(update)
                    progress(updates.count, clients.count)
                    guard let next = waiting.next() else { continue }
                    group.addTask { try await work(next) }
                }
            }
        } catch let error as SimulationError {
            throw error
        } catch {
            throw .cancelled
        }
        return updates
    }
}
