import Coordinator
import HTTPServing
import HTTPTypes

/// The header fields of the draft on resumable uploads, as structured fields (RFC 9651).
enum UploadFields {
    static let mediaType = "application/partial-upload"

    /// Of a request; a value that is none of the field's kind counts as absent.
    static func integer(_ name: String, of request: Request) -> Int? {
        guard let item = item(name, of: request), (1...15).contains(item.utf8.count),
            item.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int(item)
    }

    static func boolean(_ name: String, of request: Request) -> Bool? {
        switch item(name, of: request) {
        case "?1": true
        case "?0": false
        default: nil
        }
    }

    /// An item without its parameters, which mean nothing here.
    private static func item(_ name: String, of request: Request) -> Substring? {
        guard let field = HTTPField.Name(name).flatMap({ request.headerFields[$0] }) else { return nil }
        let item = field[...].drop { $0 == " " }
        if let parameters = item.firstIndex(of: ";") { return item[..<parameters] }
        return item.lastIndex { $0 != " " }.map { item[...$0] }
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
