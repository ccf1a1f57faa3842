import Federation

extension JobStore {
    /// How long a lease is valid without renewal, in seconds.
    private static var leaseSeconds: Double { 30 }

    /// Takes the lease of a job; nil while somebody else holds it.
    func take(_ job: Job) async throws(StoreError) -> Lease? { try await take(job, seconds: Self.leaseSeconds) }

    /// Renews a lease while the work runs, and gives the job up at its end.
    ///
    /// Where a renewal fails, the work still runs to its end, and the store refuses its result.
    func keeping(
        _ lease: Lease, _ work: @escaping @Sendable () async throws(StoreError) -> Void
    ) async throws(StoreError) {
        let result = await withTaskGroup(of: Result<Void, StoreError>?.self) { group in
            group.addTask {
                while (try? await Task.sleep(for: .seconds(Self.leaseSeconds / 3))) != nil {
                    guard (try? await renew(lease, seconds: Self.leaseSeconds)) == true else { break }
                }
                return nil
            }
            group.addTask {
                do throws(StoreError) { return .success(try await work()) } catch { return .failure(error) }
            }
            var result: Result<Void, StoreError>?
            while result == nil, let next = await group.next() { result = next }
            group.cancelAll()
            return result
        }
        try? await giveUp(lease)
        try result?.get()
    }
}
