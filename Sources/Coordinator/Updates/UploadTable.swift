import Federation
import Synchronization

/// The uploads that have not arrived completely. One call at a time holds each.
///
/// A later call for the same upload stops the earlier one and continues when the earlier one has released it. The
/// client has surely given the earlier call up, even if its connection is still open.
final class UploadTable: Sendable {
    struct Entry: Sendable {
        var file: SpoolFile
        var length: Int?
        /// The number of first bytes that are durable and verified.
        var offset: Int
        /// The verified length in the file's name, where that is not the whole file.
        var sureLength: Int?
        var changedAt: Timestamp

        init(file: SpoolFile, length: Int?, offset: Int, sureLength: Int?, changedAt: Timestamp) {
            self.file = file
            self.length = length
            self.offset = offset
            self.sureLength = sureLength
            self.changedAt = changedAt
        }

        init(_ upload: PartialUpload) {
            self.init(
                file: upload.file, length: upload.length, offset: upload.offset, sureLength: upload.sureLength,
                changedAt: upload.changedAt)
        }
    }

    private struct Waiter {
        let stop: @Sendable () -> Void
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct Holder {
        let stop: @Sendable () -> Void
        var waiters: [Waiter] = []
    }

    private struct State {
        var entries: [UploadKey: Entry] = [:]
        /// The byte counts of uploads whose entries are being made or changed.
        var reserved: [UploadKey: Int] = [:]
        var holders: [UploadKey: Holder] = [:]
    }

    private let state = Mutex(State())

    subscript(key: UploadKey) -> Entry? {
        get { state.withLock { $0.entries[key] } }
        set { state.withLock { $0.entries[key] = newValue } }
    }

    /// The number of uploads, and their durable bytes.
    var figures: (count: Int, bytes: Int) {
        state.withLock { state in (state.entries.count, state.entries.values.reduce(0) { $0 + $1.offset }) }
    }

    var keys: [UploadKey] { state.withLock { Array($0.entries.keys) } }

    /// Reserves bytes for the upload until `release`; from then on its entry counts. Returns false where the
    /// federation's other uploads leave too little. A single upload always fits.
    ///
    /// - Parameters:
    ///   - limit: the limit of bytes for all uploads of the federation.
    ///   - longest: the byte count that an upload of unknown length is charged.
    func reserve(_ byteCount: Int, for key: UploadKey, upTo limit: Int, unknownAs longest: Int) -> Bool {
        state.withLock { state in
            var others = 0
            func count(_ other: UploadKey, _ length: Int) {
                guard other.federation == key.federation, other != key else { return }
                let (sum, overflow) = others.addingReportingOverflow(length)
                others = overflow ? .max : sum
            }
            for (other, entry) in state.entries { count(other, state.reserved[other] ?? entry.length ?? longest) }
            for (other, length) in state.reserved where state.entries[other] == nil { count(other, length) }
            guard others == 0 || others <= limit - byteCount else { return false }
            state.reserved[key] = byteCount
            return true
        }
    }

    func release(_ key: UploadKey) { state.withLock { $0.reserved[key] = nil } }

    /// Returns once the caller alone holds the upload; the caller must call `letGo`.
    ///
    /// - Parameter stop: called when another call wants the upload, on any thread.
    func hold(_ key: UploadKey, stop: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            let earlier: (@Sendable () -> Void)? = state.withLock { state in
                guard let holder = state.holders[key] else {
                    state.holders[key] = Holder(stop: stop)
                    return nil
                }
                state.holders[key]?.waiters.append(Waiter(stop: stop, continuation: continuation))
                return holder.stop
            }
            if let earlier { earlier() } else { continuation.resume() }
        }
    }

    /// Holds the upload if nobody else does. Otherwise asks the holder to stop, if `stops` is set.
    func holdIfFree(_ key: UploadKey, elseStop stops: Bool) -> Bool {
        let holder: Holder? = state.withLock { state in
            if let holder = state.holders[key] { return holder }
            state.holders[key] = Holder(stop: {})
            return nil
        }
        if stops { holder?.stop() }
        return holder == nil
    }

    func letGo(_ key: UploadKey) {
        let (next, isStale) = state.withLock { state -> (Waiter?, Bool) in
            guard var holder = state.holders[key], !holder.waiters.isEmpty else {
                state.holders[key] = nil
                return (nil, false)
            }
            let next = holder.waiters.removeFirst()
            holder = Holder(stop: next.stop, waiters: holder.waiters)
            state.holders[key] = holder
            return (next, !holder.waiters.isEmpty)
        }
        next?.continuation.resume()
        if isStale { next?.stop() }
    }
}
