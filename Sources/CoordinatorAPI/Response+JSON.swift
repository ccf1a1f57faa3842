import Coordinator
import HTTPServing
import HTTPTypes
import RankwiseWire

extension Response {
    /// A JSON response.
    static func json(_ body: some Encodable, status: HTTPResponse.Status = .ok) throws(WireError) -> Response {
        let data = try WireJSON.encode(body)
        return Response(
            status: status, headerFields: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .bytes(Array(data) + [UInt8(ascii: "\n")]))
    }

    /// An error response (RFC 9457).
    static func problem(_ problem: Problem) -> Response {
        var response: Response
        do throws(WireError) {
            response = try .json(problem)
        } catch {
            response = Response(status: .internalServerError)
        }
        response.status = HTTPResponse.Status(code: problem.status, reasonPhrase: problem.title)
        response.headerFields[.contentType] = "application/problem+json"
        if problem.status == 401 { response.headerFields[.wwwAuthenticate] = "Bearer" }
        if problem.status == 429 || problem.status == 503 || problem.status == 507 {
            response.headerFields[.retryAfter] = "5"
        }
        return response
    }
}
