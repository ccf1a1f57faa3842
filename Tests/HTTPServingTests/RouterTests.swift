import HTTPServing
import HTTPTypes
import Testing

@Suite struct RouterTests {
    private let router: Router = {
        var router = Router()
        for pattern in [
            "/", "/v1/federations", "/v1/federations/{f}", "/v1/federations/{f}/rounds/current",
            "/v1/federations/{f}/rounds/{t}/adapter",
        ] {
            router.on(.get, pattern) { _ in Response(status: .ok) }
        }
        router.on(.delete, "/v1/federations/{f}") { _ in Response(status: .noContent) }
        return router
    }()

    private func match(_ method: HTTPRequest.Method, _ path: String) throws -> Router.Match {
        try router.match(method, RequestTarget(parsing: Array(path.utf8).span, method: method))
    }

    @Test func `a path finds its pattern and its parameters`() throws {
        let match = try match(.get, "/v1/federations/my%2Ffed/rounds/3/adapter")
        #expect(match.pattern == "/v1/federations/{f}/rounds/{t}/adapter")
        #expect(match.parameters["f"] == "my/fed")
        #expect(match.parameters["t"] == "3")
        #expect(match.parameters["x"] == nil)
        #expect(try self.match(.get, "/").pattern == "/")
    }

    @Test func `a literal is preferred to a parameter but does not hide one`() throws {
        #expect(try match(.get, "/v1/federations/a/rounds/current").pattern == "/v1/federations/{f}/rounds/current")
        let match = try match(.get, "/v1/federations/a/rounds/current/adapter")
        #expect(match.parameters["t"] == "current")
    }

    @Test func `a path's rest is one parameter where nothing else matches`() throws {
        var router = router
        router.on(.get, "/v1/{bucket}/{key...}") { _ in Response(status: .ok) }
        func match(_ path: String) throws -> Router.Match {
            try router.match(.get, RequestTarget(parsing: Array(path.utf8).span, method: .get))
        }
        #expect(try match("/v1/b/x/y%2Fz//w").parameters["key"] == "x/y/z//w")
        #expect(try match("/v1/b/").parameters["key"] == "")
        #expect(try match("/v1/federations/a/b").parameters["bucket"] == "federations")
        #expect(try match("/v1/federations/a").pattern == "/v1/federations/{f}")
        #expect(throws: RequestFailure.notFound) { try match("/v1/b") }
    }

    @Test(arguments: ["/v1", "/v1/federations/", "/v1/federations/a/b", "//v1/federations", "/V1/federations", "/x"])
    func `a path without a pattern is not found`(path: String) {
        #expect(throws: RequestFailure.notFound) { try match(.get, path) }
    }

    @Test func `a method without a handler is told which there are`() {
        #expect(throws: RequestFailure.methodNotAllowed(allow: [.delete, .get, .head, .options])) {
            try match(.put, "/v1/federations/a")
        }
    }

    @Test func `HEAD finds the handler for GET`() throws {
        #expect(try match(.head, "/v1/federations").pattern == "/v1/federations")
    }
}

@Suite struct QueryTests {
    private func query(_ text: String) throws -> Query { try Query(parsing: Array(text.utf8).span) }

    @Test func `pairs are decoded in their order`() throws {
        let query = try query("a=1&b=x+y%2B&a=2&&c&=d&e=f=g")
        #expect(query["a"] == "1")
        #expect(query.values(of: "a") == ["1", "2"])
        #expect(query["b"] == "x y+")
        #expect(query["c"] == "")
        #expect(query[""] == "d")
        #expect(query["e"] == "f=g")
        #expect(query["z"] == nil)
        #expect(query.pairs.map(\.name) == ["a", "b", "a", "c", "", "e"])
    }

    @Test(arguments: ["a=%", "a=%1", "%zz=1", "a=%e4", "a=%0A"])
    func `a malformed escape is refused`(text: String) {
        #expect(throws: HTTPParseError.percentEncoding) { try query(text) }
    }
}
