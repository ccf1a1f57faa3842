import Coordinator
import HTTPServing
import HTTPTypes
import RawStructuredFieldValues

/// The header fields of the draft on resumable uploads, as structured fields (RFC 9651).
enum UploadFields {
    static let mediaType = "application/partial-upload"

    /// An integer field of a request; a value of another kind counts as absent.
    static func integer(_ name: String, of request: Request) -> Int? {
        guard case .integer(let number) = request.structuredItem(name), number >= 0 else { return nil }
        return Int(exactly: number)
    }

    static func boolean(_ name: String, of request: Request) -> Bool? {
        guard case .bool(let flag) = request.structuredItem(name) else { return nil }
        return flag
    }

    static func complete(_ isComplete: Bool) -> HTTPFields {
        fields([("Upload-Complete", isComplete ? "?1" : "?0")])
    }

    static func offset(_ offset: Int, isComplete: Bool) -> HTTPFields {
        fields([("Upload-Offset", "\(offset)"), ("Upload-Complete", isComplete ? "?1" : "?0")])
    }

    static func limit(_ bytes: Int) -> HTTPFields { fields([("Upload-Limit", "max-size=\(bytes)")]) }

    static func status(_ status: UploadService.Status) -> HTTPFields {
        var values = [
            ("Upload-Offset", "\(status.offset)"), ("Upload-Complete", status.isComplete ? "?1" : "?0"),
            ("Cache-Control", "no-store"),
        ]
        if let length = status.length { values.append(("Upload-Length", "\(length)")) }
        let age = status.isComplete ? "" : ", max-age=\(status.secondsLeft)"
        values.append(("Upload-Limit", "max-size=\(status.byteLimit)\(age)"))
        return fields(values)
    }

    static func fields(_ values: [(name: String, value: String)]) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in values {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        return fields
    }
}
