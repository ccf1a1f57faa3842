import HTTPFetching

extension ObjectError {
    /// Why no complete answer came.
    /// - Parameter origin: the store's address.
    init(_ error: FetchError, from origin: String) {
        switch error {
        case .malformedRequest(let reason): self = .invalid(reason)
        case .untrusted(let reason): self = .untrusted("\(origin): \(reason)")
        case .unreachable, .timedOut, .interrupted, .malformedResponse:
            self = .unavailable(reason: "\(error)", retryAfter: nil)
        case .tooLarge(let limit): self = .damaged("more than \(limit) bytes came")
        case .noRoom(let path): self = .noRoom(path: path)
        case .file(let path, let reason): self = .file(path: path, reason: reason)
        case .cancelled: self = .cancelled
        }
    }

    /// What an answer that is no success means.
    /// - Parameter asksForObject: whether the request was about an object, and not about the bucket.
    init(_ response: FetchResponse, asksForObject: Bool) {
        let said = ErrorAnswer(response.body)
        let seconds = response.fields["Retry-After"].flatMap { Int($0) }.map { max(0, min($0, 86_400)) }
        switch (response.status, said.code) {
        case (500..., _), (429, _), (408, _), (400, "RequestTimeout"), (409, "OperationAborted"), (_, "SlowDown"):
            self = .unavailable(reason: "it answered \(response.status)\(said.suffix)", retryAfter: seconds)
        case (404, "NoSuchKey") where asksForObject, (404, "") where asksForObject:
            self = .missing
        case (400, "XAmzContentSHA256Mismatch"), (400, "BadDigest"), (400, "IncompleteBody"):
            self = .damaged("the store got other bytes than were announced (\(said.code))")
        case (416, _):
            self = .damaged("the object ends before the range that was asked for")
        default:
            self = .refused(status: response.status, code: said.code, message: said.message)
        }
    }
}
