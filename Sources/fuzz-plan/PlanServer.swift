import AdapterFormat
import Crypto
import Foundation
import HTTPFetching
import Synchronization

/// Answers as a server whose plan is what it was given, a few times over; then the federation is finished.
final class PlanServer: Fetching {
    private let plan: [UInt8]
    private let polls = Mutex(0)
    private static let mostPolls = 4

    init(_ plan: [UInt8]) { self.plan = plan }

    func fetch(_ request: FetchRequest) async throws(FetchError) -> FetchResponse {
        let path = request.url.prefix { $0 != "?" }
        switch (request.method, path.split(separator: "/").last) {
        case (.put, "c"): return Self.json(201, #"{"name":"c"}"#)
        case (.get, "f"): return Self.json(200, Self.settings)
        case (.get, "plan"):
            let count = polls.withLock { count in
                count += 1
                return count
            }
            return count > Self.mostPolls
                ? Self.json(200, Self.finished) : FetchResponse(status: 200, body: plan)
        case (.get, "adapter"), (.get, "merge"): return try save(Self.adapter, request)
        case (.get, "adapter_config.json"): return try save(Array("{}".utf8), request)
        case (.put, "update"): return try receipt(for: request)
        case (.put, _): return FetchResponse(status: 204)
        default:
            return FetchResponse(
                status: 404, fields: [HTTPField("Content-Type", "application/problem+json")],
                body: Array(#"{"type":"","title":"","status":404,"code":"path.unknown","detail":""}"#.utf8))
        }
    }

    private static func json(_ status: Int, _ text: String) -> FetchResponse {
        FetchResponse(status: status, body: Array(text.utf8))
    }

    private func save(_ bytes: [UInt8], _ request: FetchRequest) throws(FetchError) -> FetchResponse {
        guard case .file(let path, _) = request.destination else { throw .malformedRequest("no file") }
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
            throw .file(path: path, reason: "cannot be written")
        }
        return FetchResponse(status: 200, savedBytes: Int64(bytes.count))
    }

    private func receipt(for request: FetchRequest) throws(FetchError) -> FetchResponse {
        guard case .file(let path) = request.body, let bytes = FileManager.default.contents(atPath: path) else {
            throw .malformedRequest("no file")
        }
        let digest = SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return Self.json(201, #"{"digest":"sha256:\#(digest)","rank":2,"samples":6,"received":1}"#)
    }

    private static let settings = """
        {"id": "f", "state": "running", "round": 1, "revision": 1, "clients": 1, "created_at": "", "settings":
         {"id": "f", "base_model": {"name": "mlp-4-3-2", "seed": 1}, "strategy": {"name": "rbla"},
          "adapter": {"max_rank": 2, "modules": {"fc1": {"in": 4, "out": 3}, "fc2": {"in": 3, "out": 2}}}}}
        """

    private static let finished = """
        {"federation": "f", "round": 1, "phase": "published", "state": "finished", "revision": 9, "client": "c",
         "selected": false, "answered": false, "rank": 1, "ranks": {}, "scales": {}, "reinitialise": false, "seed": 1,
         "train": [], "send": [], "penalty": 0, "training": {}, "update": ""}
        """

    /// An adapter of rank 2 for the model above.
    private static let adapter: [UInt8] = {
        let path = "/dev/shm/rankwise-fuzz-adapter-\(ProcessInfo.processInfo.processIdentifier)"
        defer { unlink(path) }
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        do {
            let shape = try AdapterShape(modules: [
                ModuleShape(name: "fc1", inputs: 4, outputs: 3, maximumRank: 2),
                ModuleShape(name: "fc2", inputs: 3, outputs: 2, maximumRank: 2),
            ])
            var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
            for module in shape.modules {
                var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
                for index in factors.a.indices { factors.a[index] = Float(index % 5) - 2 }
                for index in factors.b.indices { factors.b[index] = Float(index % 3) - 1 }
                try writer.take(factors, of: module)
            }
            try writer.finish()
        } catch {
            preconditionFailure("\(error)")
        }
        return Array(FileManager.default.contents(atPath: path) ?? Data())
    }()
}
