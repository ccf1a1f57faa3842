import Foundation
import HTTPServing
import HTTPTypes
import Testing

@Suite struct RequestFailureTests {
    @Test(arguments: [
        (RequestBodyError.noSpace, 507), (.tooLong(limit: 5), 413), (.tooSlow, 408), (.malformed(.chunkSize), 400),
        (.fileFailed(errno: EIO), 500), (.alreadyRead, 500),
    ])
    func `a body's failure that a handler lets through has its status`(
        error: RequestBodyError, status: Int
    ) async throws {
        try await serving {
            $0.on(.get, "/") { _ in throw error }
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().status == status)
        }
    }

    @Test func `a handler that is cancelled asks its peer to come back`() async throws {
        try await serving {
            $0.on(.get, "/") { _ in throw CancellationError() }
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer.status == 503)
            #expect(answer["retry-after"] == "5")
        }
    }

    @Test(arguments: [
        (RequestFailure.lengthRequired, 411), (.versionNotSupported, 505), (.unsupportedTransferCoding, 501),
        (.insufficientStorage, 507), (.overloaded(retryAfter: 1), 503), (.uriTooLong(limit: 1), 414),
        (.headerTooLarge(bytes: 1, fields: 1), 431), (.rangeNotSatisfiable(length: 1), 416), (.internal, 500),
        (.expectationFailed, 417), (.timeout, 408), (.notFound, 404), (.methodNotAllowed(allow: [.get]), 405),
    ])
    func `a failure has the status that RFC 9110 gives it`(failure: RequestFailure, status: Int) {
        #expect(failure.status.code == status)
        #expect(!failure.detail.isEmpty)
    }
}
