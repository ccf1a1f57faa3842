/// `Content-Range: bytes 5-9/10`.
package struct ContentRange: Hashable {
    package var first: Int64
    package var total: Int64

    package init?(_ value: String) {
        guard value.hasPrefix("bytes ") else { return nil }
        let halves = value.dropFirst("bytes ".count).split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let total = Int64(halves[1]) else { return nil }
        let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]), 0 <= first, first <= last,
            last < total
        else { return nil }
        self.first = first
        self.total = total
    }
}
