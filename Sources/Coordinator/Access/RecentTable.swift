/// A table of bounded size. When it is full, it forgets the half that was least recently used.
struct RecentTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let limit: Int
    private var recent: [Key: Value] = [:]
    private var older: [Key: Value] = [:]

    /// - Parameter limit: the highest number of entries.
    init(limit: Int) { self.limit = limit }

    var count: Int { recent.count + older.count }

    /// Changes the entry of `key`; a missing entry begins as `initial`.
    mutating func update<Result>(
        _ key: Key, initially initial: @autoclosure () -> Value, _ change: (inout Value) -> Result
    ) -> Result {
        var value = recent[key] ?? older.removeValue(forKey: key) ?? initial()
        if recent[key] == nil, recent.count >= max(1, limit / 2) {
            older = recent
            recent = [:]
        }
        let result = change(&value)
        recent[key] = value
        return result
    }
}
