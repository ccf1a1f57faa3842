import CCurl
import Glibc

/// One curl easy handle. It carries one transfer at a time, and each transfer starts with new settings.
struct EasyHandle: ~Copyable {
    let pointer: UnsafeMutableRawPointer
    private let message: UnsafeMutablePointer<CChar>

    init() throws(FetchError) {
        guard Self.libraryIsReady, let pointer = curl_easy_init() else { throw .malformedRequest("curl has no memory") }
        self.pointer = pointer
        message = .allocate(capacity: Int(CURL_ERROR_SIZE))
        message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(pointer)
        message.deallocate()
    }

    /// curl's set-up for the whole process; a static is initialised once, at its first use.
    ///
    /// OpenSSL writes to a connection that its peer has closed, which would end the process by SIGPIPE.
    private static let libraryIsReady: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK
    }()

    /// The meaning of `code`, with curl's message about the last transfer; nil for success.
    func error(for code: CURLcode) -> FetchError? {
        code == CURLE_OK ? nil : FetchError(code, detail: String(cString: message))
    }

    /// Clears the last transfer and prepares `request`.
    ///
    /// `transfer` and `fields` must outlive the run, because curl keeps their addresses.
    func prepare(
        _ request: FetchRequest, fields: borrowing HeaderList, transfer: Transfer, tls: HTTPFetcher.TLS
    ) throws(FetchError) {
        curl_easy_reset(pointer)
        message[0] = 0
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        try check(rankwise_curl_set_buffer(pointer, CURLOPT_ERRORBUFFER, message))
        try check(rankwise_curl_allow_http_alone(pointer))
        try check(rankwise_curl_leave_lookups(pointer))
        try set(CURLOPT_NOSIGNAL, 1)
        // A proxy's answer to CONNECT is not the server's.
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_BUFFERSIZE, 256 << 10)
        try set(CURLOPT_UPLOAD_BUFFERSIZE, 256 << 10)
        try set(CURLOPT_CONNECTTIMEOUT_MS, Int(request.patience.connect.inMilliseconds))
        try set(CURLOPT_LOW_SPEED_LIMIT, request.patience.leastBytesPerSecond)
        try set(CURLOPT_LOW_SPEED_TIME, Int((request.patience.stall.inMilliseconds + 999) / 1000))
        if let total = request.patience.total { try set(CURLOPT_TIMEOUT_MS, Int(total.inMilliseconds)) }
        try check(rankwise_curl_set_string(pointer, CURLOPT_URL, request.url))
        try check(rankwise_curl_set_list(pointer, CURLOPT_HTTPHEADER, fields.first))
        try check(rankwise_curl_set_header(pointer, onHead, context))
        try check(rankwise_curl_set_write(pointer, onBody, context))
        try set(CURLOPT_CAINFO, tls.authority)
        if let text = tls.authorityText {
            try check(text.withUnsafeBytes { rankwise_curl_set_authority(pointer, $0.baseAddress, $0.count) })
        }
        try set(CURLOPT_SSLCERT, tls.certificate)
        try set(CURLOPT_SSLKEY, tls.key)
        try set(CURLOPT_NOPROGRESS, request.progress == nil ? 1 : 0)
        try check(rankwise_curl_set_progress(pointer, onProgress, context))
        try choose(request.method, uploading: transfer.uploadLength, context: context)
    }

    private func choose(
        _ method: FetchRequest.Method, uploading length: Int64?, context: UnsafeMutableRawPointer
    ) throws(FetchError) {
        switch (method, length) {
        case (.get, nil):
            try set(CURLOPT_HTTPGET, 1)
        case (.head, nil):
            try set(CURLOPT_NOBODY, 1)
        case (_, let length):
            try set(CURLOPT_UPLOAD, 1)
            try check(rankwise_curl_set_string(pointer, CURLOPT_CUSTOMREQUEST, method.rawValue))
            try check(rankwise_curl_set_offset(pointer, CURLOPT_INFILESIZE_LARGE, curl_off_t(length ?? 0)))
            try check(rankwise_curl_set_read(pointer, onSend, context))
            try check(rankwise_curl_set_seek(pointer, onSeek, context))
        }
    }

    private func set(_ option: CURLoption, _ value: Int) throws(FetchError) {
        try check(rankwise_curl_set_long(pointer, option, value))
    }

    private func set(_ option: CURLoption, _ path: String?) throws(FetchError) {
        if let path { try check(rankwise_curl_set_string(pointer, option, path)) }
    }

    private func check(_ code: CURLcode) throws(FetchError) {
        if let error = error(for: code) { throw error }
    }
}

/// The lines of a request's head, in curl's list.
struct HeaderList: ~Copyable {
    private(set) var first: UnsafeMutablePointer<curl_slist>?

    init(_ fields: [HTTPField]) throws(FetchError) {
        for field in fields {
            guard field.isSendable else { throw .malformedRequest("the field \(field.name) is not one line") }
            // curl reads "Name:" as an instruction to omit the field, and "Name;" as an empty field.
            let line = field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)"
            guard let grown = curl_slist_append(first, line) else { throw .malformedRequest("out of memory") }
            first = grown
        }
    }

    deinit {
        curl_slist_free_all(first)
    }
}

extension Duration {
    var inMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, min(seconds, Int64(Int32.max) / 1000)) * 1000 + attoseconds / 1_000_000_000_000_000
    }
}

private func transfer(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
}

private let onHead: curl_write_callback = { bytes, size, count, context in
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return transfer(context)?.head(line) == true ? line.count : 0
}

private let onBody: curl_write_callback = { bytes, size, count, context in
    let body = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return transfer(context)?.receive(body) == true ? body.count : 0
}

private let onSend: curl_read_callback = { bytes, size, count, context in
    let buffer = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
    return transfer(context)?.send(into: buffer) ?? Int(CURL_READFUNC_ABORT)
}

private let onSeek: curl_seek_callback = { context, offset, origin in
    guard origin == SEEK_SET else { return CURL_SEEKFUNC_CANTSEEK }
    return transfer(context)?.rewind(to: Int64(offset)) == true ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
}

private let onProgress: curl_xferinfo_callback = { context, toReceive, received, toSend, sent in
    transfer(context)?.progress(
        FetchProgress(
            sent: Int64(sent), toSend: toSend > 0 ? Int64(toSend) : nil, received: Int64(received),
            toReceive: toReceive > 0 ? Int64(toReceive) : nil))
    return 0
}
