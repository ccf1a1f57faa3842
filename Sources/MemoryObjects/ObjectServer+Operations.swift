import Crypto
import HTTPServing
import HTTPTypes
import ObjectStorage
import Synchronization

/// The operations, once a request's signature holds.
extension ObjectServer {
    private static let mostBytes = 1 << 30
    private static let mostKeys = 1000

    /// - Parameter digest: what the body's SHA-256 must be; nil where that is not signed.
    func perform(
        _ request: Request, digest: String?, ignoresRange: Bool
    ) async throws(S3Failure) -> Response {
        let bucket = request.parameters["bucket"] ?? ""
        let key = request.parameters["key"] ?? ""
        for name in ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "x-amz-copy-source"]
        where request.headerFields.contains(where: { $0.name.canonicalName == name }) {
            throw .notImplemented("the field \(name)")
        }
        if key.isEmpty {
            switch request.method {
            case .get: return try list(bucket, request.query)
            case .put where request.query.pairs.isEmpty:
                state.withLock { $0.objects.makeBucket(bucket) }
                return Response(status: .ok)
            default: throw .notImplemented("this operation on buckets")
            }
        }
        if let pair = request.query.pairs.first(where: { $0.name != "x-id" }) {
            throw .notImplemented("the parameter \(pair.name)")
        }
        switch request.method {
        case .put: return try await put(request, at: key, in: bucket, digest: digest)
        case .get, .head: return try get(request, key, in: bucket, ignoresRange: ignoresRange)
        case .delete:
            try state.withLock { state throws(S3Failure) in try state.objects.delete(key, in: bucket) }
            return Response(status: .noContent)
        default: throw .notImplemented("this operation on objects")
        }
    }

    private func put(
        _ request: Request, at key: String, in bucket: String, digest: String?
    ) async throws(S3Failure) -> Response {
        guard request.body.declaredLength != nil else { throw .missingContentLength }
        let bytes: [UInt8]
        do throws(RequestBodyError) {
            bytes = try await request.body.collect(upTo: Self.mostBytes)
        } catch {
            if case .tooLong = error { throw .entityTooLarge }
            throw .fault(status: 400, code: "IncompleteBody", retryAfter: nil)
        }
        guard digest == nil || digest == hex(SHA256.hash(data: bytes)) else { throw .contentDigestMismatch }
        let object = StoredObjects.Object(bytes, at: clock())
        try state.withLock { state throws(S3Failure) in try state.objects.put(object, at: key, in: bucket) }
        return Response(status: .ok, headerFields: [.eTag: object.etag])
    }

    private func get(
        _ request: Request, _ key: String, in bucket: String, ignoresRange: Bool
    ) throws(S3Failure) -> Response {
        let object = try state.withLock { state throws(S3Failure) in try state.objects.object(key, in: bucket) }
        var response = Response(
            status: .ok,
            headerFields: [
                .eTag: object.etag, .lastModified: object.modified.http, .acceptRanges: "bytes",
                .contentType: "application/octet-stream",
            ], body: .bytes(object.bytes))
        guard let range = request.headerFields[.range], !ignoresRange else { return response }
        switch ByteRange(parsing: range, length: object.bytes.count) {
        case .whole: break
        case .unsatisfiable: throw .invalidRange
        case .part(let part):
            response.status = .partialContent
            response.headerFields[.contentRange] =
                "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(object.bytes.count)"
            response.body = .bytes(Array(object.bytes[part]))
        }
        return response
    }

    private func list(_ bucket: String, _ query: Query) throws(S3Failure) -> Response {
        let known = ["list-type", "prefix", "start-after", "continuation-token", "max-keys", "delimiter"]
        if let pair = query.pairs.first(where: { !known.contains($0.name) }) {
            throw .notImplemented("the parameter \(pair.name)")
        }
        guard query["list-type"] == "2" else { throw .notImplemented("lists but ListObjectsV2") }
        guard query["delimiter"] ?? "" == "" else { throw .notImplemented("the parameter delimiter") }
        guard let limit = Int(query["max-keys"] ?? "\(Self.mostKeys)"), limit >= 0 else {
            throw .invalidArgument("max-keys is no number")
        }
        let prefix = query["prefix"] ?? ""
        // The token of a page is its last key, as a word without meaning to the client.
        let after = try query["continuation-token"].map { token throws(S3Failure) in
            guard let key = Self.key(ofToken: token) else { throw .invalidArgument("the continuation token") }
            return key
        }
        let page = try state.withLock { state throws(S3Failure) in
            try state.objects.list(
                bucket, prefix: prefix, after: after ?? query["start-after"] ?? "", limit: min(limit, Self.mostKeys))
        }
        let text = XML.document("ListBucketResult") {
            var lines = [
                XML.element("Name", bucket), XML.element("Prefix", prefix), XML.element("MaxKeys", "\(limit)"),
                XML.element("KeyCount", "\(page.objects.count)"), XML.element("IsTruncated", "\(page.isTruncated)"),
            ]
            if page.isTruncated, let last = page.objects.last {
                lines.append(XML.element("NextContinuationToken", hex(last.key.utf8)))
            }
            for (key, object) in page.objects {
                let fields = [
                    XML.element("Key", key), XML.element("LastModified", object.modified.iso),
                    XML.element("ETag", object.etag), XML.element("Size", "\(object.bytes.count)"),
                    XML.element("StorageClass", "STANDARD"),
                ]
                lines.append("<Contents>\(fields.joined())</Contents>")
            }
            return lines
        }
        return Response(status: .ok, contentType: "application/xml", bytes: Array(text.utf8))
    }

    private static func key(ofToken token: String) -> String? {
        let digits = Array(token.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
