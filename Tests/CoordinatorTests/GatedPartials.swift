import Federation
import SQLiteStore
import Synchronization

/// Real files of unfinished uploads, whose beginning a test can hold up and whose cutting it can make fail.
final class GatedPartials: UploadStore {
    private struct State {
        var holdsBeginnings = false
        var failsToCut = false
        var held: [CheckedContinuation<Void, Never>] = []
        var arrivals: [CheckedContinuation<Void, Never>] = []
    }

    private let store: SQLiteStore
    private let state = Mutex(State())

    init(_ store: SQLiteStore) { self.store = store }

    func holdBeginnings() { state.withLock { $0.holdsBeginnings = true } }

    func letBegin() {
        let held = state.withLock { state in
            state.holdsBeginnings = false
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    /// Returns once a beginning is held.
    func beginningArrives() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.held.isEmpty { state.arrivals.append(continuation) }
                return !state.held.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }

    func failToCut() { state.withLock { $0.failsToCut = true } }

    func partialUploads() async throws(StoreError) -> [PartialUpload] { try await store.partialUploads() }

    func beginUpload(_ key: UploadKey, length: Int?, sureLength: Int?) async throws(StoreError) -> SpoolFile {
        await withCheckedContinuation { continuation in
            let arrivals: [CheckedContinuation<Void, Never>]? = state.withLock { state in
                guard state.holdsBeginnings else { return nil }
                state.held.append(continuation)
                defer { state.arrivals = [] }
                return state.arrivals
            }
            guard let arrivals else { return continuation.resume() }
            for arrival in arrivals { arrival.resume() }
        }
        return try await store.beginUpload(key, length: length, sureLength: sureLength)
    }

    func note(
        length: Int?, sureLength: Int?, of key: UploadKey, in file: SpoolFile
    ) async throws(StoreError) -> SpoolFile {
        try await store.note(length: length, sureLength: sureLength, of: key, in: file)
    }

    func truncate(_ file: SpoolFile, to offset: Int) async throws(StoreError) {
        if state.withLock({ $0.failsToCut }) { throw .failed("the disk does not answer") }
        try await store.truncate(file, to: offset)
    }

    func keep(_ range: Range<Int>, of key: UploadKey, in file: SpoolFile) async throws(StoreError) {
        try await store.keep(range, of: key, in: file)
    }
    func refreshed(_ known: PartialUpload?, of key: UploadKey) async throws(StoreError) -> PartialUpload? {
        try await store.refreshed(known, of: key)
    }
    func gather(_ key: UploadKey, into file: SpoolFile) async throws(StoreError) {
        try await store.gather(key, into: file)
    }
    func endUploads(idleFor seconds: Double) async throws(StoreError) { try await store.endUploads(idleFor: seconds) }
    func endUpload(_ key: UploadKey) async throws(StoreError) { try await store.endUpload(key) }
}
