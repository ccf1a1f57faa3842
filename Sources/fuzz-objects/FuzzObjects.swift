import ObjectStorage

/// Feeds bytes from outside to what the object store's client reads: lists and errors in XML, credentials files, what a
/// credentials command prints, times, URLs. What they refuse is fine; a trap, a hang or a value that reads differently
/// once it is written is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    if let list = try? ListAnswer(bytes) {
        precondition(!list.isTruncated || !list.objects.isEmpty)
        precondition(list.objects.allSatisfy { $0.byteCount >= 0 })
    }
    let error = ErrorAnswer(bytes)
    precondition(error.code.utf8.count <= 100 && error.message.unicodeScalars.count <= 300)
    _ = try? CredentialsCommand.parse(bytes, program: "p")
    guard let text = String(validating: bytes, as: UTF8.self) else { return 0 }
    _ = try? CredentialsFile.parse(text, profile: "default", path: "f")
    for time in [CalendarTime(parsing: text), CalendarTime(http: text)] {
        guard let time else { continue }
        precondition(CalendarTime(parsing: time.compact) == time, "a time reads differently once it is written")
        precondition(CalendarTime(parsing: time.iso) == time, "a time reads differently once it is written")
    }
    if let location = try? BucketLocation(url: text) {
        guard (try? BucketLocation(url: "\(location)")) == location else {
            preconditionFailure("a location reads differently once it is written")
        }
    }
    return 0
}
