import HTTPFetching

/// A few fetchers for many clients: a fetcher blocks a thread while it works, and a process has few such threads.
actor FetcherPool: Fetching {
    private var idle: [HTTPFetcher] = []
    private var waiting: [CheckedContinuation<HTTPFetcher, Never>] = []

    init(count: Int) throws(FetchError) {
        for _ in 0..<count { idle.append(try HTTPFetcher()) }
    }

    func fetch(_ request: FetchRequest) async throws(FetchError) -> FetchResponse {
        let fetcher = await borrow()
        defer { give(back: fetcher) }
        return try await fetcher.fetch(request)
    }

    private func borrow() async -> HTTPFetcher {
        if let fetcher = idle.popLast() { return fetcher }
        return await withCheckedContinuation { waiting.append($0) }
    }

    private func give(back fetcher: HTTPFetcher) {
        if waiting.isEmpty { idle.append(fetcher) } else { waiting.removeFirst().resume(returning: fetcher) }
    }
}
