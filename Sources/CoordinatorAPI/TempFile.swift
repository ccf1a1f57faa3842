import HTTPServing
import HTTPTypes
extension Response {
    static func file(at path: String, etag: String, contentType: String, for: Request) throws -> Response {
        let f = try OpenFile(path: path)
        return Response(status: .ok, headerFields: [.eTag: etag, .contentType: contentType], body: .file(f, 0..<f.byteCount))
    }
}
