/// One exchange in progress: curl's callbacks read from it and write to it. Used by one thread.
final class Transfer {
    private static let headLimit = 64 << 10

    private let request: FetchRequest
    private let resume: PartialFile.ResumePoint?
    private var source: UploadSource?
    private var headBytes = 0
    private var headIsComplete = false
    private var status = 0
    private var fields: [HTTPField] = []
    private var memory: [UInt8] = []
    private var file: PartialFile?
    /// Set once a successful answer's body goes to the request's sink.
    private var sink: (any FetchSink)?
    private var sunkBytes: Int64 = 0
    private var expectedLength: Int64?
    private var reported: FetchProgress?
    /// The reason why a callback stopped the transfer; curl does not know the reason.
    private(set) var failure: FetchError?

    init(_ request: FetchRequest) throws(FetchError) {
        self.request = request
        source = try UploadSource(request.body)
        if case .file(let path, _) = request.destination, request.method == .get {
            resume = PartialFile.resumePoint(of: path)
        } else {
            resume = nil
        }
    }

    var uploadLength: Int64? { source?.length }

    var resumeFields: [HTTPField] {
        guard let resume else { return [] }
        return [HTTPField("Range", "bytes=\(resume.offset)-"), HTTPField("If-Range", resume.etag)]
    }

    /// The answer, once curl reports success. Nil asks for the same request again, because the download to continue is
    /// gone.
    func finish() throws(FetchError) -> FetchResponse? {
        if status == 416, resume != nil, case .file(let path, _) = request.destination {
            PartialFile.discard(path)
            return nil
        }
        if let file {
            if let expectedLength, file.length != expectedLength {
                file.abandon()
                throw .interrupted("\(file.length) of \(expectedLength) bytes came")
            }
            try file.finish()
        }
        return FetchResponse(
            status: status, fields: fields, body: memory, savedBytes: sink == nil ? file?.length : sunkBytes)
    }

    func abandon() {
        file?.abandon()
    }

    // MARK: What curl calls

    /// Returns whether to continue.
    func head(_ line: UnsafeRawBufferPointer) -> Bool {
        attempt { () throws(FetchError) in
            headBytes += line.count
            guard headBytes <= Self.headLimit else {
                throw .malformedResponse("its head is longer than \(Self.headLimit) bytes")
            }
            guard !headIsComplete else { return }  // Trailers say nothing that a caller needs.
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix("HTTP/") {
                try begin(statusLine: text)
            } else if let colon = text.firstIndex(of: ":") {
                fields.append(
                    HTTPField(String(text[..<colon]), Self.trimmed(text[text.index(after: colon)...])))
            } else if Self.trimmed(text[...]).isEmpty, status >= 200 {
                headIsComplete = true
                try open()
            }
        }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        attempt { () throws(FetchError) in
            if let file {
                try file.append(bytes)
            } else if let sink {
                sunkBytes += Int64(bytes.count)
                try sink.take(bytes)
            } else {
                let limit =
                    switch request.destination {
                    case .memory(let limit): limit
                    case .file, .sink: FetchRequest.memoryLimit
                    }
                guard bytes.count <= limit - memory.count else { throw .tooLarge(limit: Int64(limit)) }
                memory.append(contentsOf: bytes)
            }
        }
    }

    /// The bytes read into `buffer`, or nil to stop.
    func send(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        var count: Int?
        _ = attempt { () throws(FetchError) in count = try source?.read(into: buffer) ?? 0 }
        return count
    }

    func rewind(to offset: Int64) -> Bool {
        source?.seek(to: offset) ?? false
    }

    func progress(_ counts: FetchProgress) {
        guard let report = request.progress else { return }
        var counts = counts
        if let file, resume != nil, status == 206 {
            counts.received = file.length
            counts.toReceive = expectedLength
        }
        guard counts != reported else { return }
        reported = counts
        report(counts)
    }

    // MARK: The head of the answer

    private func begin(statusLine: String) throws(FetchError) {
        let parts = statusLine.split(whereSeparator: \.isWhitespace)
        guard parts.count >= 2, let code = Int(parts[1]), (100...999).contains(code) else {
            throw .malformedResponse("its status line reads \(Self.trimmed(statusLine[...]))")
        }
        status = code
        fields = []
    }

    /// Opens the file or the sink for the body, if the request wants one and the answer has a body.
    private func open() throws(FetchError) {
        let announced = fields["Content-Length"].flatMap { Int64($0) }
        if case .sink(let sink) = request.destination, status == 200, request.method != .head {
            try sink.begin(byteCount: announced)
            self.sink = sink
            return
        }
        guard case .file(let path, let limit) = request.destination, request.method != .head else { return }
        switch status {
        case 200:
            expectedLength = announced
            if let announced, announced > limit { throw .tooLarge(limit: limit) }
            file = try PartialFile(target: path, limit: limit, etag: fields["ETag"])
        case 206:
            guard let resume, let range = fields["Content-Range"].flatMap(ContentRange.init),
                range.first == resume.offset, fields["ETag"].map({ $0 == resume.etag }) ?? true
            else {
                PartialFile.discard(path)
                throw .interrupted("the part that came does not continue the part that is there")
            }
            expectedLength = range.total
            if range.total > limit { throw .tooLarge(limit: limit) }
            file = try PartialFile(target: path, limit: limit, continuing: resume)
        default:
            return
        }
    }

    private func attempt(_ work: () throws(FetchError) -> Void) -> Bool {
        do {
            try work()
            return true
        } catch {
            failure = error
            return false
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
