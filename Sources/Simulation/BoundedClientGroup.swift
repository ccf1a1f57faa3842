/// Runs the work of a round's clients, a limited number at a time.
enum BoundedClientGroup {
    /// Returns the updates in the order in which the clients finish.
    ///
    /// - Parameters:
    ///   - clients: in the order in which they start; those with the most work come first, so that no long one runs
    ///     alone at the end.
    ///   - threads: how many work at a time.
    ///   - progress: called after every client.
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
