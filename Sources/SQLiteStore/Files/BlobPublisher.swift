import Dispatch
import DurableFiles
import Federation
import Synchronization

/// Renames files to their blobs' names. Renames that come at once share one sync of the folder.
final class BlobPublisher: Sendable {
    private struct Request {
        let staged: SpoolFile
        let digest: ContentDigest
        let continuation: CheckedContinuation<FileError?, Never>
    }

    private let directory: DataDirectory
    private let queue = DispatchQueue(label: "rankwise.store.publishing")
    private let waiting = Mutex<[Request]>([])

    init(in directory: DataDirectory) { self.directory = directory }

    /// Returns once the name is durable.
    func publish(_ staged: SpoolFile, as digest: ContentDigest) async throws(FileError) {
        let error = await withCheckedContinuation { continuation in
            let isFirst = waiting.withLock { waiting in
                waiting.append(Request(staged: staged, digest: digest, continuation: continuation))
                return waiting.count == 1
            }
            if isFirst { queue.async { self.publishWaiting() } }
        }
        if let error { throw error }
    }

    /// Waits for the renames under way.
    func close() { queue.sync {} }

    private func publishWaiting() {
        let requests = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        let results = requests.map { request -> FileError? in
            do throws(FileError) { try directory.keep(request.staged, as: request.digest) } catch { return error }
            return nil
        }
        var failure: FileError?
        do throws(FileError) { try directory.syncBlobs() } catch { failure = error }
        for (request, error) in zip(requests, results) { request.continuation.resume(returning: error ?? failure) }
    }
}
