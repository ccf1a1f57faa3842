import Testing

@testable import PostgresStore

/// What of a connection string is looked at before libpq connects.
@Suite struct ConnectionStringTests {
    @Test(arguments: [
        "postgresql://user:pass%2Fword%40@h1:5432,h2:5433/d?sslmode=verify-full&target_session_attrs=read-write",
        "postgresql:///d?host=/run/postgresql", "postgresql://h,h2/d", "postgres://[::1]:5432/d", "service=rankwise",
        "postgresql:///d?host=/tmp/@odd",
    ])
    func `what libpq reads is taken`(text: String) throws {
        try ConnectionString.check(text)
    }

    @Test(arguments: [
        "postgresql://user:pass%word@h/d", "postgresql://user:pass/word@h/d", "postgresql://user:pass@word@h/d",
        "postgresql://user:pass@h:70000/d", "postgresql://user:pass@h:1,h2:x/d", "postgresql://h/d?word=pass",
    ])
    func `what it cannot read, or takes for something else, is refused without its text`(text: String) throws {
        let error = #expect(throws: PostgresError.self) { try ConnectionString.check(text) }
        guard case .rejected(let reason)? = error else {
            Issue.record("expected a rejection, got \(String(describing: error))")
            return
        }
        #expect(!reason.contains("pass:") && !reason.contains("word@") && !reason.contains(text), "\(reason)")
        #expect(reason.contains("expected postgresql://"), "\(reason)")
    }

    @Test func `a connection off the machine is exposed unless the host's certificate is checked`() {
        for mode in ["disable", "prefer", "require", "verify-ca"] {
            #expect(ConnectionString.isExposed(to: "10.0.0.5", mode: mode))
            #expect(ConnectionString.isExposed(to: "fd00::5", mode: mode))
            #expect(!ConnectionString.isExposed(to: "127.0.0.1", mode: mode))
            #expect(!ConnectionString.isExposed(to: "::1", mode: mode))
            #expect(!ConnectionString.isExposed(to: "", mode: mode), "a Unix socket")
        }
        #expect(!ConnectionString.isExposed(to: "10.0.0.5", mode: "verify-full"))
    }
}
