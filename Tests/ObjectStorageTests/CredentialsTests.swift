import Logging
import MemoryObjects
import Synchronization
import TestStage
import Testing

@testable import ObjectStorage

/// Where credentials come from, when they are read again, and that their secrets are never shown.
@Suite(.ownThread) struct CredentialsTests {
    private static let secret = "wJalr/secret+word"
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `variables of the environment`() throws {
        let values = [
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": Self.secret, "AWS_SESSION_TOKEN": "token",
        ]
        #expect(
            try Credentials(environment: { values[$0] })
                == Credentials(accessKeyID: "id", secretAccessKey: Self.secret, sessionToken: "token"))
        #expect(try Credentials(environment: { $0 == "AWS_SESSION_TOKEN" ? nil : values[$0] }).sessionToken == nil)
        #expect(throws: ObjectError.credentials("AWS_SECRET_ACCESS_KEY is not set")) {
            try Credentials(environment: { $0 == "AWS_SECRET_ACCESS_KEY" ? nil : values[$0] })
        }
    }

    @Test func `profiles of a file`() throws {
        let text = """
            # a comment
            [other]
            aws_access_key_id = other
            aws_secret_access_key = x
            [default]
            ; another comment
            AWS_ACCESS_KEY_ID=id
            aws_secret_access_key =  \(Self.secret)\u{20}
            region = nowhere

            [session]
            aws_access_key_id = s
            aws_secret_access_key = a=b
            aws_session_token = token==
            """
        #expect(
            try CredentialsFile.parse(text.replacing("\n", with: "\r\n"), profile: "session", path: "file").sessionToken
                == "token==")
        func read(_ profile: String) throws -> Credentials {
            try CredentialsFile.read(folder.write("credentials", Array(text.utf8)), profile: profile)
        }
        #expect(try read("default") == Credentials(accessKeyID: "id", secretAccessKey: Self.secret))
        #expect(
            try read("session") == Credentials(accessKeyID: "s", secretAccessKey: "a=b", sessionToken: "token=="))
        #expect(throws: ObjectError.credentials("\(folder.path("credentials")) has no profile nobody")) {
            try read("nobody")
        }
    }

    @Test(arguments: [
        "", "[default]", "[default]\naws_access_key_id = a", "[default]\naws_secret_access_key = SECRET",
        "[default]\nSECRET", "[default\nSECRET = SECRET",
        "[default]\naws_secret_access_key = SECRET\naws_secret_access_key = SECRET", "[default]\n[default]",
        "[default]\naws_access_key_id =\naws_secret_access_key = SECRET",
    ])
    func `a file that is wrong is refused without its secrets`(text: String) {
        #expect {
            try CredentialsFile.parse(text, profile: "default", path: "file")
        } throws: {
            guard case .credentials(let reason)? = $0 as? ObjectError else { return false }
            return !reason.contains("SECRET")
        }
    }

    @Test func `a file that is missing is named`() throws {
        #expect {
            try CredentialsFile.read(folder.path("none"), profile: "default")
        } throws: {
            if case .credentials(let reason)? = $0 as? ObjectError { reason.contains("none") } else { false }
        }
    }

    @Test func `a command's answer`() throws {
        let json = """
            {"Version": 1, "AccessKeyId": "id", "SecretAccessKey": "\(Self.secret)", "SessionToken": "token",
             "Expiration": "2015-08-30T12:36:00Z", "AccountId": "7"}
            """
        #expect(
            try CredentialsCommand.run(["cat", folder.write("json", Array(json.utf8))])
                == Credentials(
                    accessKeyID: "id", secretAccessKey: Self.secret, sessionToken: "token", expiration: 1_440_938_160))
    }

    @Test(arguments: [
        "", "SECRET", "{}", #"{"Version": 2, "AccessKeyId": "a", "SecretAccessKey": "SECRET"}"#,
        #"{"Version": 1, "SecretAccessKey": "SECRET"}"#, #"{"Version": 1, "AccessKeyId": "a"}"#,
        #"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "SECRET", "Expiration": "SECRET"}"#,
        #"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "SECRET", "SecretAccessKey": 1}"#,
        #"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "SECRET"} x"#,
    ])
    func `a command's answer that is wrong is refused without its secrets`(printed: String) throws {
        let file = try folder.write("printed", Array(printed.utf8))
        #expect {
            try CredentialsCommand.run(["cat", file])
        } throws: {
            guard case .credentials(let reason)? = $0 as? ObjectError else { return false }
            return !reason.contains("SECRET")
        }
    }

    @Test(arguments: [
        (["false"], "false ended with 1"), (["no-such-program-here"], "could not be started"), ([], "no command"),
        (["sh", "-c", "kill -KILL $$"], "was ended by a signal"), (["sleep", "600"], "took too long"),
        (["yes"], "printed too much"),
    ])
    func `a command that fails is named`(words: [String], reason: String) {
        #expect {
            try CredentialsCommand.run(words, longest: words == ["sleep", "600"] ? 100 : 600_000)
        } throws: {
            if case .credentials(let text)? = $0 as? ObjectError { text.contains(reason) } else { false }
        }
    }

    @Test func `a command runs again before its credentials expire`() throws {
        let time = Mutex<Int64>(1_440_938_160)
        let script = #"""
            echo x >>"$0/runs"; [ ! -f "$0/broken" ] || exit 1
            printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"s","Expiration":"%s"}' \
                "$(wc -l <"$0/runs")" "$(cat "$0/end")"
            """#
        func expire(at time: Int64) throws {
            _ = try folder.write("end", Array(CalendarTime(seconds: time).iso.utf8))
        }
        let start = time.withLock { $0 }
        let provider = CredentialsProvider(
            .command(["sh", "-c", script, folder.path]), now: { time.withLock { $0 } }, logger: .silent)
        try expire(at: start + 3600)
        #expect(try provider.current().accessKeyID == "1")
        #expect(try provider.current().accessKeyID == "1")
        time.withLock { $0 = start + 3299 }
        #expect(try provider.current().accessKeyID == "1")
        try expire(at: start + 7200)
        time.withLock { $0 = start + 3300 }
        #expect(try provider.current().accessKeyID == "2")
        // A command that fails is tried again and again while the old ones serve.
        _ = try folder.write("broken", [])
        time.withLock { $0 = start + 7000 }
        #expect(try provider.current().accessKeyID == "2")
        time.withLock { $0 = start + 7200 }
        #expect(throws: ObjectError.self) { try provider.current() }
    }

    @Test func `credentials that the store refuses are read again`() async throws {
        func write(_ token: String) throws -> String {
            try folder.write(
                "credentials",
                Array(
                    """
                    [default]
                    aws_access_key_id = \(MemoryStore.credentials.accessKeyID)
                    aws_secret_access_key = \(MemoryStore.credentials.secretAccessKey)
                    aws_session_token = \(token)
                    """.utf8))
        }
        let path = try write("old")
        let store = try MemoryStore(
            configure: { $0.credentials = .file(path: path) }, serve: { $0.sessionToken = "new" })
        await #expect {
            try await store.bucket.put("x", [1])
        } throws: {
            if case .refused(400, "InvalidToken", _)? = $0 as? ObjectError { true } else { false }
        }
        _ = try write("new")
        try await store.bucket.put("x", [1])
        #expect(store.server.seen.count == 3)
    }

    @Test func `no description has a secret`() throws {
        let credentials = Credentials(accessKeyID: "id", secretAccessKey: Self.secret, sessionToken: "token-word")
        var configuration = try ObjectBucket.Configuration(url: "s3://bucket/prefix")
        configuration.credentials = .fixed(credentials)
        for value in [credentials, configuration, CredentialsSource.fixed(credentials)] as [Any] {
            var dumped = ""
            dump(value, to: &dumped)
            for text in ["\(value)", String(reflecting: value), dumped] {
                #expect(!text.contains(Self.secret))
                #expect(!text.contains("token-word"))
            }
        }
        #expect("\(credentials)" == "credentials of id")
    }

    @Test func `no log and no error has a secret`() async throws {
        let log = Mutex("")
        var logger = Logger(label: "test") { _ in
            CollectingLog { line in log.withLock { $0 += line + "\n" } }
        }
        logger.logLevel = .trace
        let store = try MemoryStore()
        var configuration = try ObjectBucket.Configuration(url: "s3://updates/test")
        configuration.endpoint = store.url
        configuration.credentials = .fixed(MemoryStore.credentials)
        let bucket = try ObjectBucket(configuration, clock: .recording(Pauses()), logger: logger)
        for status in [503, 500, 403, 400, 301] {
            store.server.fail(.answer(status: status, code: "Some"))
            do throws(ObjectError) {
                try await bucket.put("x", [1], patience: ObjectPatience(tries: status == 503 ? 2 : 1))
                #expect(status == 503)
            } catch {
                log.withLock { $0 += "\(error)\n" + String(reflecting: error) }
            }
        }
        let text = log.withLock { $0 }
        #expect(text.contains("asking the object store again"))
        #expect(!text.contains(MemoryStore.credentials.secretAccessKey))
        #expect(!text.contains("Signature="))
    }
}

/// Hands every line with its metadata to a test.
private struct CollectingLog: LogHandler {
    let take: @Sendable (String) -> Void
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { take("\(event.message) \(event.metadata ?? [:])") }
}
