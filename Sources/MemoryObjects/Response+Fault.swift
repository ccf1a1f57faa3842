import Foundation
import HTTPServing

extension Response {
    /// The answer as a fault leaves it.
    func suffering(_ fault: ObjectFault?) async throws -> Response {
        var response = self
        switch fault {
        case .loseAnswer:
            // The server closes the connection of a peer that is gone.
            throw RequestBodyError.peerGone
        case .alter:
            guard case .bytes(var bytes) = body, !bytes.isEmpty else { return self }
            bytes[0] ^= 0x80
            response.body = .bytes(bytes)
        case .cut(let count):
            guard case .bytes(let bytes) = body, count < bytes.count else { return self }
            response.body = try Self.cut(bytes, after: count)
        case .answer, .stall, .delay, .ignoreRange, nil:
            break
        }
        return response
    }

    /// A body that announces more than there is: the server closes the connection where a file has become shorter.
    private static func cut(_ bytes: [UInt8], after count: Int) throws -> Body {
        let path = NSTemporaryDirectory() + "rankwise-cut-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(bytes).write(to: URL(filePath: path))
        let file = try OpenFile(path: path)
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.truncate(atOffset: UInt64(count))
        try handle.close()
        return .file(file, 0..<bytes.count)
    }
}
