import Foundation
import HTTPServing
import HTTPTypes
import TestStage
import Testing

/// The table of RFC 9110 and RFC 9112 over a raw socket: bytes in, answers out, and what comes after.
@Suite(.ownThread) struct ConformanceTests {
    private static let table: [ConformanceCase] =
        ConformanceCase.requestLines + ConformanceCase.targets + ConformanceCase.hosts + ConformanceCase.fields
        + ConformanceCase.lengths + ConformanceCase.codings + ConformanceCase.chunks + ConformanceCase.connections
        + ConformanceCase.methods + ConformanceCase.ranges + ConformanceCase.conditions

    private static let probe = Array("GET /probe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".utf8)

    private func routes(_ router: inout Router) {
        router.on(.get, "/hello") { _ in .text("hello") }
        router.on(.get, "/probe") { _ in .text("probe") }
        router.on(.get, "/name/{name}") { .text($0.parameters["name"] ?? "") }
        router.on(.delete, "/gone") { _ in Response(status: .noContent) }
        router.on(.post, "/echo") { .text(String(decoding: try await $0.body.collect(upTo: 1000), as: UTF8.self)) }
        router.on(.post, "/ignore") { _ in .text("ignored") }
        router.on(.get, "/digits") { request in
            guard let etag = EntityTag("v1") else { throw RequestFailure.internal }
            return try Response.bytes(Array("0123456789".utf8), etag: etag, contentType: "text/plain", for: request)
        }
    }

    @Test(arguments: table)
    func `a request is answered as the RFCs say`(row: ConformanceCase) async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            // What follows must not be served after a request that ends its connection.
            try client.send(row.bytes + (row.isHalfClosed || row.after == .kept ? [] : Self.probe))
            if row.isHalfClosed { client.finishSending() }
            try check(row, client)
        }
    }

    @Test(arguments: table)
    func `a request is answered alike when it comes in pieces`(row: ConformanceCase) async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            let size = row.bytes.count > 1000 ? 400 : 1
            for start in stride(from: 0, to: row.bytes.count, by: size) {
                try client.send(Array(row.bytes[start..<min(start + size, row.bytes.count)]))
            }
            if row.isHalfClosed { client.finishSending() }
            try check(row, client)
        }
    }

    private func check(_ row: ConformanceCase, _ client: RawClient) throws {
        for reply in row.replies {
            let answer = try client.receiveAnswer(hasBody: reply.hasBody)
            #expect(answer.status == reply.status)
            if let text = reply.text { #expect(answer.text == text) }
            for (name, value) in reply.fields { #expect(answer[name] ?? "" == value) }
        }
        switch row.after {
        case .kept:
            try client.send(Self.probe)
            #expect(try client.receiveAnswer().text == "probe")
            #expect(try client.receiveAll().isEmpty)
        case .closed:
            client.finishSending()
            #expect(try client.receiveAll().isEmpty)
        case .keptOrClosed:
            client.finishSending()
            let rest = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(rest.isEmpty || rest.hasSuffix("\r\n\r\nprobe"))
            #expect(!rest.contains("smuggled"))
        }
    }
}
