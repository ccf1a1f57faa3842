import Coordinator
import Federation
import HTTPTypes
import RankwiseWire

/// Errors to which the draft on resumable uploads gives problem types of its own.
extension Problem {
    private static let registry = "https://iana.org/assignments/http-problem-types#"

    init(_ error: UploadError) {
        switch error {
        case .mismatchingOffset(let expected, let found, _):
            self.init(
                .conflict, code: .uploadOffset,
                "Upload-Offset is \(found); the server holds \(expected.counted("byte"))")
            type = Self.registry + "mismatching-upload-offset"
        case .damaged(let expected, let found, let offset):
            self.init(
                .badRequest, code: .updateDigest,
                "Content-Digest says \(expected); the content that came is \(found), and was dropped from \(offset) on")
        case .inconsistentLength(let known, let found):
            self.init(
                .badRequest, code: .uploadLength,
                "the upload was to be \(known.counted("byte")) long; this request makes it \(found) or more")
            type = Self.registry + "inconsistent-upload-length"
        case .tooLong(let limit):
            self.init(
                .contentTooLarge, code: .uploadTooLarge, "no sound update is longer than \(limit.counted("byte"))")
        case .tooManyBytes(let limit):
            self.init(
                .serviceUnavailable, code: .uploadInFlight,
                "the federation's unfinished uploads come to as much as they may, \(limit.counted("byte")); try again later"
            )
        }
    }
}
