import Foundation
import RankwiseWire
import TestCertificates
import TestStage
import Testing

/// What `rankwise-admin` answers to the shell where something is wrong, and what it says about it.
@Suite(.ownThread) struct AdminFailureTests {
    @Test func `a wrong command line is 64, and names what was expected`() throws {
        let stage = try AdminStage()
        for (arguments, words) in [
            (["list", "--colour"], "Unknown option '--colour'"),
            (["show", "NoName"], "1 to 64 of a-z"),
            (["delete", "f"], "say --yes"),
            (["list", "--server", "ftp://x"], "expected http://HOST:PORT"),
            (["list", "--token", "t"], "Unknown option '--token'"),
            (["rounds", "f", "-1"], "Unknown option '-1'"),
            (["kit", "f", "--expires", "7", "--out", "x"], "90s, 30m, 12h"),
            (["kit", "f", "--uses", "2", "--name", "edge", "--out", "x"], "--name is for one client"),
            (["watch", "f", "--poll", "61"], "expected 1 to 60"),
        ] {
            let outcome = try stage.failure(arguments)
            #expect(outcome.status == 64, "\(arguments): \(outcome.text)")
            #expect(outcome.text.contains(words), "\(arguments): \(outcome.text)")
        }
        let nowhere = try stage.failure(["list"], url: "")
        #expect(nowhere.status == 64)
        #expect(nowhere.text.contains("give --server URL or set RANKWISE_SERVER"))
        #expect(stage.stop() == 0)
    }

    @Test func `refusals are 1, files 2, tokens 3, and a server that is not there 4`() throws {
        let stage = try AdminStage()
        let unsound = try stage.folder.write("unsound.yaml", Array("{id: f, colour: red}".utf8))
        let modules = try stage.settings("f", rounds: 1)
        let negative = try stage.settings("g", rounds: -1)
        let list = ["list"]
        let empty = ["RANKWISE_ADMIN_TOKEN": ""]
        let wrong = ["RANKWISE_ADMIN_TOKEN": "another-token-of-more-than-32-bytes-"]
        let cases: [([String], [String: String], Int32, String)] = [
            (["show", "nobody"], [:], 1, "there is no federation nobody (404 federation.unknown)"),
            (["watch", "nobody"], [:], 1, "there is no federation nobody"),
            (["create", negative], [:], 1, "round.total"),
            (["download", "nobody", "--round", "1", "--out", stage.folder.path("x")], [:], 1, "no federation nobody"),
            (["create", "/nowhere.yaml"], [:], 2, "/nowhere.yaml: the document cannot be read"),
            (["create", unsound], [:], 2, "colour is not a known key"),
            (["create", modules, "--template", AdminStage.llama], [:], 2, "expected adapter: {template: true}"),
            (["list", "--ca-file", "/nowhere.pem"], [:], 2, "--ca-file is /nowhere.pem, which cannot be read"),
            (["list", "--token-file", "/nowhere"], [:], 2, "the token file /nowhere cannot be read"),
            (list, empty, 3, "no token was given: set RANKWISE_ADMIN_TOKEN"),
            (list, wrong, 3, "is not this server's"),
        ]
        for (arguments, environment, status, words) in cases {
            let outcome = try stage.failure(arguments, environment)
            #expect(outcome.status == status, "\(arguments): \(outcome.text)")
            #expect(outcome.text.contains(words), "\(arguments): \(outcome.text)")
            #expect(!outcome.text.contains(wrong["RANKWISE_ADMIN_TOKEN"] ?? ""))
        }
        let absent = try stage.failure(list, url: "http://127.0.0.1:1")
        #expect(absent.status == 4)
        #expect(absent.text.contains("is a server at http://127.0.0.1:1?"))
        let portal = try LoopbackPeer { connection in
            while connection.request() != nil { connection.answer("200 OK", body: Array("<html>Pay here</html>".utf8)) }
        }
        let foreign = try stage.failure(list, url: portal.url)
        #expect(foreign.status == 4)
        #expect(foreign.text.contains("that is not Rankwise answered 200"))
        portal.stop()
        // A reader may look, and may not do anything.
        let created = try stage.json(CreatedFederationBody.self, "create", modules)
        let file = try stage.folder.write("reader", Array(created.readerToken.utf8))
        #expect(try stage.admin("show", "f", "--token-file", file).hasPrefix("federation  f"))
        let forbidden = try stage.failure(["pause", "f", "--token-file", file])
        #expect(forbidden.status == 3)
        #expect(forbidden.text.contains("its role may not do this here"))
        let again = try stage.failure(["create", modules])
        #expect(again.status == 1)
        #expect(again.text.contains("federation f exists already"))
        #expect(stage.stop() == 0)
    }

    @Test func `an adapter that is not what the server named is not kept`() throws {
        let folder = try TemporaryFolder()
        let round = """
            {"federation":"f","round":1,"phase":"published","revision":9,"strategy":"rbla","selected":1,"received":1,
             "refused":0,"min_updates":1,"metrics":{},
             "adapter":{"digest":"sha256:00","bytes":4,"ranks":{},"merge":false}}
            """
        let server = try LoopbackPeer { connection in
            while let request = connection.request() {
                if request.path.hasSuffix("/adapter") {
                    connection.answer("200 OK", ["ETag: \"abcd\""], body: [1, 2, 3, 4])
                } else {
                    connection.answer("200 OK", ["Content-Type: application/json"], body: Array(round.utf8))
                }
            }
        }
        let program = try AdminStage.start(
            ["download", "f", "--round", "1", "--out", folder.path], url: server.url, errors: .merged)
        let text = program.text()
        #expect(program.exitStatus() == 4)
        #expect(text.contains("the server said abcd"))
        #expect(folder.names == [])
        server.stop()
    }

    @Test func `TLS needs the server's authority, and a kit brings it to the client`() throws {
        let certificates = try Certificates()
        try certificates.makeServer()
        let stage = try AdminStage([
            "--tls-certificate", certificates.certificate("server"), "--tls-key", certificates.key("server"),
        ])
        let untrusted = try stage.failure(["list"])
        #expect(untrusted.status == 4)
        #expect(untrusted.text.contains("no trust between client and server"))
        #expect(untrusted.text.contains("--ca-file names the certificates"))
        let ca = certificates.certificate("ca")
        let kit = stage.folder.path("f.kit")
        _ = try stage.admin("create", stage.settings("f", rounds: 1), "--ca", ca)
        _ = try stage.admin("kit", "f", "--out", kit, "--ca-file", ca)
        #expect(try stage.join(kit).exitStatus() == 0)
        let both = try stage.join(kit, ["--ca-file", ca], errors: .merged)
        #expect(both.text().contains("--ca-file and the kit \(kit) both have certificates"))
        #expect(both.exitStatus() == 2)
        #expect(stage.stop() == 0)
    }
}
