import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// In which order the built server asks the kernel to make an update durable: what a power cut depends on.
@Suite(.ownThread) struct SyncOrderTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let token = String(repeating: "ab", count: 32)
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-2-6-2", "seed": 5},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 6}}},
         "round": {"total": 2, "min_clients": 1, "min_updates": 1, "seen_seconds": 600}, "seed": 6}
        """

    private static func tracing(to file: String) -> [String] {
        // -D: the server is this process, and its tracer another.
        [
            "strace", "-D", "-f", "-y", "-q", "-e", "trace=fsync,fdatasync,rename,write,writev,sendto,sendmsg", "-o",
            file,
        ]
    }

    /// Whether this machine has strace and lets it trace.
    private static var mayTrace: Bool { Program.succeeds(tracing(to: "/dev/null") + ["true"]) }

    @Test(.enabled(if: mayTrace))
    func `an update's bytes, its name, its folder and its row are synced in this order before it is answered with 201`()
        async throws
    {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/data"],
            environment: ["RANKWISE_ADMIN_TOKEN": Self.admin], wrapper: Self.tracing(to: folder + "/trace"))
        let url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
        let fetcher = try HTTPFetcher()
        func call(
            _ method: FetchRequest.Method, _ path: String, as token: String = Self.admin,
            _ body: FetchRequest.Body = .none
        ) async throws -> FetchResponse {
            try await fetcher.fetch(
                FetchRequest(
                    method, url + "/v1/federations" + path, fields: [HTTPField("Authorization", "Bearer \(token)")],
                    body: body))
        }
        let created = try await call(.post, "", .bytes(Array(Self.settings.utf8)))
        let enrolment = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
        let registration = #"{"rank": 4, "token": "\#(Self.token)"}"#
        _ = try await call(.put, "/f/clients/edge", as: enrolment, .bytes(Array(registration.utf8)))
        let adapter = try await call(.get, "/f/adapter").body
        let sent = try await call(.put, "/f/rounds/1/update?samples=5", as: Self.token, .bytes(adapter))
        #expect(sent.status == 201)
        #expect(server.stop() == 0)

        let trace = try await Self.calls(in: folder + "/trace")
        let begin = try #require(trace.firstIndex { $0.contains("/spool/") && $0.hasPrefix("write(") })
        let update = trace[begin...]
        let answer = try #require(update.firstIndex { $0.contains("201 Created") })
        let order = update[..<answer].compactMap { call in
            ["fdatasync(": "/spool/", "rename(": "/blobs/", "fsync(": "/blobs>"].contains {
                call.hasPrefix($0.key) && call.contains($0.value)
            } || (call.hasPrefix("fdatasync(") && call.contains("rankwise.sqlite-wal>"))
                ? call.prefix { $0 != "(" } : nil
        }
        #expect(order.prefix(4) == ["fdatasync", "rename", "fsync", "fdatasync"])
    }

    /// The completed calls of a trace, in order, once the tracer has seen the process end.
    private static func calls(in file: String) async throws -> [String] {
        let deadline = ContinuousClock.now + .seconds(300)
        while true {
            try #require(ContinuousClock.now < deadline, "the trace does not end")
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let lines = text.split(separator: "\n").map { line in
                String(line.drop { $0 != " " }.drop { $0 == " " })
            }
            if lines.contains(where: { $0.hasPrefix("+++ exited") }) { return Self.joined(text) }
            await Task.yield()
        }
    }

    /// Lines without process ids. A call that others interrupt in the trace counts by its end; the answer by its start.
    private static func joined(_ text: String) -> [String] {
        var begun: [Substring: String] = [:]
        var calls: [String] = []
        for line in text.split(separator: "\n") {
            let thread = line.prefix { $0 != " " }
            let call = String(line.dropFirst(thread.count).drop { $0 == " " })
            if call.hasSuffix("<unfinished ...>"), !call.contains("201 Created") {
                begun[thread] = call
            } else if call.hasPrefix("<... "), let start = begun.removeValue(forKey: thread) {
                calls.append(start + call)
            } else {
                calls.append(call)
            }
        }
        return calls
    }
}
