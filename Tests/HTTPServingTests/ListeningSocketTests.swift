import Foundation
import HTTPTypes
import TestStage
import Testing

@testable import HTTPServing

/// Sockets in the file system, and those that another process has opened.
@Suite(.ownThread) struct ListeningSocketTests {
    private func connect(_ path: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code != 0 else { return descriptor }
        close(descriptor)
        return -1
    }

    private func answer(to request: String, over descriptor: Int32) -> String {
        _ = request.withCString { write(descriptor, $0, strlen($0)) }
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return text }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    private let request = "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    @Test func `a server listens on a path, takes over a stale one, and removes it at its end`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("s")
        for _ in 0..<2 {
            var configuration = HTTPServer.Configuration.onAnyPort
            configuration.address = .unix(path: path)
            let server = HTTPServer.forTest(configuration) { router in
                router.on(.get, "/peer") { .text("\($0.origin.isLoopback)") }
            }
            #expect("\(try server.start())" == "unix:\(path)")
            let peer = connect(path)
            defer { close(peer) }
            #expect(answer(to: request, over: peer).hasSuffix("true"))
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
            let second = HTTPServer.forTest(configuration) { _ in }
            #expect(throws: HTTPServerError.cannotListen("unix:\(path)", errno: EADDRINUSE)) { try second.start() }
            await server.shutdown(within: .seconds(1))
            #expect(!FileManager.default.fileExists(atPath: path))
            // As a server that was killed leaves it.
            let (left, _) = try ListeningSocket.open(.unix(path: path))
            // Not close alone: a program that another test starts just now has it open, too.
            shutdown(left, Int32(SHUT_RDWR))
            close(left)
        }
    }

    @Test func `a path that does not fit is refused`() {
        let path = "/" + String(repeating: "x", count: 200)
        #expect(throws: HTTPServerError.cannotListen("unix:\(path)", errno: ENAMETOOLONG)) {
            try ListeningSocket.open(.unix(path: path))
        }
    }

    @Test func `a socket that was handed over must listen`() throws {
        let (descriptor, address) = try ListeningSocket.open(.tcp(host: "127.0.0.1", port: 0))
        defer { close(descriptor) }
        #expect(try ListeningSocket.adopt(descriptor).address == address)
        let idle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(idle) }
        #expect(throws: HTTPServerError.self) { try ListeningSocket.adopt(idle) }
        #expect(ListeningAddress.isHandedOver(in: ["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "1"]))
        // What was meant for the parent is not ours.
        #expect(!ListeningAddress.isHandedOver(in: ["LISTEN_PID": "1", "LISTEN_FDS": "1"]))
        #expect(!ListeningAddress.isHandedOver(in: [:]))
    }

    @Test(arguments: ["HEAD / HTTP/1.1\r\n\r\n", "HEAD / HTTP/9.1\r\n\r\n", "HEAD / HTTP/1.1\r\nHost : x\r\n\r\n"])
    func `a HEAD that is refused has no body`(head: String) async throws {
        let folder = try TemporaryFolder()
        var configuration = HTTPServer.Configuration.onAnyPort
        configuration.address = .unix(path: folder.file("s"))
        let server = HTTPServer.forTest(configuration) { _ in }
        _ = try server.start()
        let peer = connect(folder.file("s"))
        let text = answer(to: head, over: peer)
        #expect(text.hasPrefix("HTTP/1.1 4") || text.hasPrefix("HTTP/1.1 5"))
        #expect(text.hasSuffix("\r\n\r\n"), "\(text)")
        close(peer)
        await server.shutdown(within: .seconds(1))
    }
}
