package import HTTPTypes

/// Answers one request; it runs on the shard that holds the connection, so it must not block.
package typealias Handler = @Sendable (Request) async throws -> Response

/// Finds the handler for a method and a path among patterns such as `/v1/federations/{federation}/plan`.
///
/// A literal segment has precedence over a parameter, and a parameter over one for the path's rest, such as `{key...}`
/// at a pattern's end. The handler for `GET` answers `HEAD`.
package struct Router: Sendable {
    package struct Match: Sendable {
        package let handler: Handler
        package let parameters: Parameters
        /// The pattern as it was registered, for logs and metrics.
        package let pattern: String
        /// The place of the route in `names`.
        let number: Int
    }

    /// A route as metrics name it.
    struct Name: Sendable {
        let method: HTTPRequest.Method
        let pattern: String
    }

    private struct Route: Sendable {
        let handler: Handler
        let names: [String]
        let pattern: String
        let number: Int
    }

    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var parameter: Int?
        /// The node for all segments from here on.
        var rest: Int?
        var routes: [(method: HTTPRequest.Method, route: Route)] = []
    }

    private var nodes = [Node()]
    /// All routes in the order of their registration.
    private(set) var names: [Name] = []

    package init() {}

    /// Registers a handler; it replaces an earlier one with the same method and pattern.
    package mutating func on(_ method: HTTPRequest.Method, _ pattern: String, _ handler: @escaping Handler) {
        var names: [String] = []
        var node = 0
        for segment in pattern.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            if segment.hasPrefix("{"), segment.hasSuffix("...}") {
                names.append(String(segment.dropFirst().dropLast(4)))
                node = child(nodes[node].rest) { $0.nodes[node].rest = $1 }
            } else if segment.hasPrefix("{"), segment.hasSuffix("}") {
                names.append(String(segment.dropFirst().dropLast()))
                node = child(nodes[node].parameter) { $0.nodes[node].parameter = $1 }
            } else {
                let literal = String(segment)
                node = child(nodes[node].literals[literal]) { $0.nodes[node].literals[literal] = $1 }
            }
        }
        nodes[node].routes.removeAll { $0.method == method }
        nodes[node].routes.append(
            (method, Route(handler: handler, names: names, pattern: pattern, number: self.names.count)))
        self.names.append(Name(method: method, pattern: pattern))
    }

    /// - Throws: `notFound` or `methodNotAllowed`.
    package func match(_ method: HTTPRequest.Method, _ target: RequestTarget) throws(RequestFailure) -> Match {
        var values: [String] = []
        guard !target.segments.isEmpty, let node = find(target.segments[...], from: 0, &values) else {
            throw .notFound
        }
        let routes = nodes[node].routes
        guard
            let route = routes.first(where: { $0.method == method })?.route
                ?? (method == .head ? routes.first { $0.method == .get }?.route : nil)
        else { throw .methodNotAllowed(allow: allowed(at: node)) }
        return Match(
            handler: route.handler, parameters: Parameters(names: route.names, values: values), pattern: route.pattern,
            number: route.number)
    }

    private func find(_ segments: ArraySlice<String>, from node: Int, _ values: inout [String]) -> Int? {
        guard let segment = segments.first else { return nodes[node].routes.isEmpty ? nil : node }
        if let literal = nodes[node].literals[segment], let found = find(segments.dropFirst(), from: literal, &values) {
            return found
        }
        if let parameter = nodes[node].parameter, !segment.isEmpty {
            values.append(segment)
            if let found = find(segments.dropFirst(), from: parameter, &values) { return found }
            values.removeLast()
        }
        guard let rest = nodes[node].rest else { return nil }
        values.append(segments.joined(separator: "/"))
        return rest
    }

    private func allowed(at node: Int) -> [HTTPRequest.Method] {
        var methods = nodes[node].routes.map(\.method)
        if methods.contains(.get), !methods.contains(.head) { methods.append(.head) }
        if !methods.contains(.options) { methods.append(.options) }
        return methods.sorted { $0.rawValue < $1.rawValue }
    }

    private mutating func child(_ existing: Int?, _ link: (inout Router, Int) -> Void) -> Int {
        if let existing { return existing }
        nodes.append(Node())
        link(&self, nodes.count - 1)
        return nodes.count - 1
    }
}
