import Crypto
import DurableFiles
import HTTPFetching

/// What `ObjectBucket` promises, as requests and what must be true of their answers.
extension ObjectCall {
    /// Room for the text of an error, also where the object's own part is shorter.
    private static let leastMemory = 64 << 10

    func put(
        _ key: String, file path: String, from offset: Int, byteCount: Int, sha256: [UInt8]
    ) throws(ObjectError) {
        guard sha256.count == SHA256.byteCount else { throw .invalid("a SHA-256 has \(SHA256.byteCount) bytes") }
        let length = try ObjectError.onFiles { () throws(FileError) in try OwnedFile(path, for: .reading).length }
        guard length == offset + byteCount else {
            throw .damaged("\(path) has \(length) bytes, not \(offset + byteCount)")
        }
        try put(key, offset == 0 ? .file(path: path) : .rest(path: path, from: Int64(offset)), sha256)
    }

    func put(_ key: String, _ bytes: [UInt8]) throws(ObjectError) {
        try put(key, .bytes(bytes), Array(SHA256.hash(data: bytes)))
    }

    private func put(_ key: String, _ body: FetchRequest.Body, _ sha256: [UInt8]) throws(ObjectError) {
        let request = ObjectRequest(
            method: .put, key: try fullKey(key), fields: [("Content-Type", "application/octet-stream")], body: body,
            payload: hex(sha256))
        try perform(request) { response throws(ObjectError) in
            guard response.status == 200 || response.status == 201 else { throw Self.unexpected(response) }
        }
    }

    func get(_ key: String, to path: String, expecting byteCount: Int, sha256: [UInt8]?) throws(ObjectError) {
        guard sha256.map({ $0.count == SHA256.byteCount }) ?? true else {
            throw .invalid("a SHA-256 has \(SHA256.byteCount) bytes")
        }
        guard byteCount >= 0 else { throw .invalid("\(byteCount) bytes are expected") }
        let file = try ArrivingFile(path: path, byteCount: byteCount, hashes: sha256 != nil)
        let request = ObjectRequest(method: .get, key: try fullKey(key), destination: .sink(file))
        try perform(request) { response throws(ObjectError) in
            guard response.status == 200 else { throw Self.unexpected(response) }
            try file.check(sha256)
        }
        try file.publish()
    }

    func get(_ key: String, _ range: Range<Int>) throws(ObjectError) -> [UInt8] {
        guard range.lowerBound >= 0 else { throw .invalid("a range begins at \(range.lowerBound)") }
        let key = try fullKey(key)
        guard !range.isEmpty else { return [] }
        let request = ObjectRequest(
            method: .get, key: key, fields: [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")],
            destination: .memory(limit: max(range.count, Self.leastMemory)))
        return try perform(request) { response throws(ObjectError) in
            guard response.status == 206 else {
                guard response.status == 200 else { throw Self.unexpected(response) }
                throw .damaged("the store sent the whole object and not the range")
            }
            let said = response.fields["Content-Range"].flatMap(ContentRange.init)
            guard said?.first == Int64(range.lowerBound) else { throw .damaged("the store sent another range") }
            guard response.body.count == range.count else {
                throw .damaged("\(response.body.count) bytes came and not \(range.count)")
            }
            return response.body
        }
    }

    func get(_ key: String, upTo limit: Int) throws(ObjectError) -> [UInt8] {
        let request = ObjectRequest(
            method: .get, key: try fullKey(key), destination: .memory(limit: max(limit, Self.leastMemory)))
        return try perform(request) { response throws(ObjectError) in
            guard response.status == 200 else { throw Self.unexpected(response) }
            guard response.body.count <= limit else { throw .damaged("more than \(limit) bytes came") }
            return response.body
        }
    }

    func head(_ key: String) throws(ObjectError) -> ObjectInfo {
        let request = ObjectRequest(method: .head, key: try fullKey(key))
        return try perform(request) { response throws(ObjectError) in
            guard response.status == 200 else { throw Self.unexpected(response) }
            guard let length = response.fields["Content-Length"].flatMap({ Int($0) }), length >= 0,
                let modified = response.fields["Last-Modified"].flatMap(CalendarTime.init(http:))
            else { throw .damaged("the store's answer has no length or no time") }
            return ObjectInfo(key: key, byteCount: length, modified: modified.seconds)
        }
    }

    func delete(_ key: String) throws(ObjectError) {
        do throws(ObjectError) {
            try perform(ObjectRequest(method: .delete, key: try fullKey(key))) { _ throws(ObjectError) in }
        } catch {
            guard error == .missing else { throw error }
        }
    }

    func list(_ prefix: String, after: String?, limit: Int) throws(ObjectError) -> ObjectPage {
        guard (1...1000).contains(limit) else { throw .invalid("a page of \(limit) objects; 1 to 1000 are possible") }
        guard prefix.utf8.count <= ObjectKey.longest else { throw .invalid("a prefix is too long") }
        let outer = store.location.prefix
        var request = ObjectRequest(method: .get)
        request.query = [("list-type", "2"), ("max-keys", "\(limit)"), ("prefix", outer + prefix)]
        if let after { request.query.append(("start-after", try fullKey(after))) }
        return try perform(request) { response throws(ObjectError) in
            guard response.status == 200 else { throw Self.unexpected(response) }
            let list = try ListAnswer(response.body)
            var objects: [ObjectInfo] = []
            var last = after.map { outer + $0 }
            for object in list.objects {
                guard object.key.utf8.starts(with: (outer + prefix).utf8) else {
                    throw .damaged("the store listed a key without the prefix")
                }
                // A page that does not lead on would be asked for again for ever.
                guard last.map({ $0.utf8.lexicographicallyPrecedes(object.key.utf8) }) ?? true else {
                    throw .damaged("the store's list is not in the order of its keys")
                }
                last = object.key
                objects.append(
                    ObjectInfo(
                        key: String(decoding: object.key.utf8.dropFirst(outer.utf8.count), as: UTF8.self),
                        byteCount: object.byteCount,
                        modified: object.modified))
            }
            return ObjectPage(objects: objects, next: list.isTruncated ? objects.last?.key : nil)
        }
    }

    private func fullKey(_ key: String) throws(ObjectError) -> String {
        let full = store.location.prefix + key
        try ObjectKey.check(full)
        return full
    }

    private static func unexpected(_ response: FetchResponse) -> ObjectError {
        .refused(status: response.status, code: "", message: "this success is not the one that was asked for")
    }
}
