import Federation

/// Who holds each valid token, by the token's hash, and what the holders do now.
///
/// A million clients may be registered, of which few call at a time. So what only callers need is kept apart, and
/// forgotten once it says no more than nothing.
struct TokenHolders: Sendable {
    /// The holder of a token.
    struct Holder: Sendable {
        let principal: Principal
        var expiresAt: Timestamp?
        var isRevoked = false

        func isExpired(at now: Timestamp) -> Bool { expiresAt.map { now >= $0 } ?? false }
    }

    /// What a caller has done lately.
    struct Activity: Sendable {
        var requests: TokenBucket?
        var uploads: TokenBucket?
        var underWay = RequestsUnderWay()

        /// Whether a new caller would have the same.
        func isOver(at now: Timestamp) -> Bool {
            underWay.isEmpty && [requests, uploads].allSatisfy { $0.map { now >= $0.fullAt } ?? true }
        }
    }

    private var known: [ContentDigest: Holder] = [:]
    private var active: [ContentDigest: Activity] = [:]
    /// The number of active holders at which those are forgotten whose activity is over.
    private var limit = 4096

    var activeCount: Int { active.count }

    subscript(hash: ContentDigest) -> Holder? {
        get { known[hash] }
        set { known[hash] = newValue }
    }

    /// Changes the activity of a token's holder; nil where nobody holds it.
    mutating func act<Result>(
        _ hash: ContentDigest, at now: Timestamp, _ change: (inout Activity) -> Result?
    ) -> Result? {
        guard known[hash] != nil else { return nil }
        let result = change(&active[hash, default: Activity()])
        if active.count > limit {
            active = active.filter { !$0.value.isOver(at: now) }
            limit = max(4096, 2 * active.count)
        }
        return result
    }

    /// The functions that end the requests under way with a token.
    func ends(of hash: ContentDigest) -> [@Sendable () -> Void] { active[hash]?.underWay.ends ?? [] }

    /// Removes a token.
    ///
    /// - Returns: the functions that end the requests under way with it.
    mutating func remove(_ hash: ContentDigest) -> [@Sendable () -> Void] {
        known[hash] = nil
        return active.removeValue(forKey: hash)?.underWay.ends ?? []
    }

    /// Removes all tokens whose holders satisfy the condition.
    ///
    /// - Returns: the functions that end the requests under way with them.
    mutating func remove(where isGone: (Holder) -> Bool) -> [@Sendable () -> Void] {
        let gone = known.filter { isGone($0.value) }.keys
        return gone.flatMap { remove($0) }
    }
}
