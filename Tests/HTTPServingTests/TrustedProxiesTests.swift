import HTTPTypes
import Testing

@testable import HTTPServing

@Suite struct TrustedProxiesTests {
    @Test(arguments: [
        ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false), ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
        ("::1", "::1", true), ("::1/128", "::2", false), ("fd00::/68", "fd00::f00:0:0:1", true),
        ("fd00::/68", "fd00::1000:0:0:1", false), ("::ffff:10.0.0.1", "10.0.0.1", true),
    ])
    func `a range holds what begins like it`(_ range: String, _ address: String, _ isIn: Bool) throws {
        let host = try #require(SocketAddress.Host(address))
        #expect(try #require(AddressRange(range)).contains(host) == isIn)
    }

    @Test func `a proxy behind a socket in the file system is trusted by its kind`() throws {
        let range = try #require(AddressRange("unix"))
        #expect(range.contains(.unix(path: "")) && range.contains(.unix(path: "/run/proxy")))
        #expect(!range.contains(.v4(0)) && !range.contains(.v6(0, 0)))
        #expect(try #require(AddressRange("0.0.0.0/0")).contains(.unix(path: "")) == false)
    }

    @Test(arguments: [
        "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "fd00::/129", "10.0.0/8", "localhost",
        "10.0.0.0/8/8",
        "fd00::1/64", "10.0.0.0/ 8",
    ])
    func `what is no range is refused`(_ text: String) { #expect(AddressRange(text) == nil) }

    /// The loopback proxy speaks for 10.0.0.9, another proxy, and so on.
    @Test(arguments: [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        ("127.0.0.1", ["10.0.0.8 ,10.0.0.9"], "10.0.0.8"),
        ("127.0.0.1", ["2001:db8::5"], "2001:db8::5"), ("127.0.0.1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("127.0.0.1", ["203.0.113.7:5123"], "203.0.113.7"),
        ("127.0.0.1", ["nonsense, 10.0.0.9"], "10.0.0.9"), ("127.0.0.1", ["203.0.113.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        // Who is no trusted proxy says nothing about anybody.
        ("203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
    ])
    func `the origin is the nearest address that is no trusted proxy`(
        _ peer: String, _ lines: [String], _ expected: String
    ) throws {
        let ranges = try ["127.0.0.0/8", "10.0.0.0/8"].map { try #require(AddressRange($0)) }
        var fields = HTTPFields()
        let name = try #require(HTTPField.Name("X-Forwarded-For"))
        for line in lines { fields.append(HTTPField(name: name, value: line)) }
        let address = SocketAddress(host: try #require(SocketAddress.Host(peer)), port: 1)
        let origin = TrustedProxies(ranges: ranges).origin(of: address, fields)
        #expect(origin.host == SocketAddress.Host(expected))
    }

    @Test func `a trusted proxy's bodies are counted by whom it speaks for, and its connections are not`() async throws
    {
        try await serving {
            $0.trustedProxies = [AddressRange("127.0.0.0/8")].compactMap(\.self)
            $0.limits.countsLoopbackAddresses = true
            $0.limits.connectionsPerAddress = 1
            $0.limits.bodiesPerAddress = 1
        } routes: {
            $0.on(.post, "/body") { .text("\($0.origin)" + String(try await $0.body.collect(upTo: 10).count)) }
        } _: { port in
            func begin(_ origin: String) throws -> RawClient {
                let client = try RawClient(port: port)
                try client.send(
                    "POST /body HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: \(origin)\r\nContent-Length: 1\r\n"
                        + "Expect: 100-continue\r\n\r\n")
                return client
            }
            let first = try begin("203.0.113.1")
            #expect(try first.receiveAnswer().status == 100)
            #expect(try begin("203.0.113.1").receiveAnswer().status == 503)
            let other = try begin("203.0.113.2")
            #expect(try other.receiveAnswer().status == 100)
            try other.send([65])
            #expect(try other.receiveAnswer().text == "203.0.113.2:01")
        }
    }
}
