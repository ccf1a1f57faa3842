import CPQ
import Federation
import Glibc
import StoredRows

/// One connection to PostgreSQL. Its calls block, and one thread at a time may use it.
///
/// Statements are sent together, as a pipeline: one way to the server and back, however many there are. Each text is
/// prepared once for the connection.
final class PostgresConnection {
    private let connection: OpaquePointer
    /// The names of prepared statements by their texts.
    private var prepared: [String: String] = [:]
    private var preparedCount = 0
    /// The number of promotions that led to this server's history. It changes with a failover or a restored backup.
    private(set) var timeline = ""

    /// Connects within `seconds`.
    ///
    /// - Parameter url: a connection string as libpq takes it, possibly with several hosts.
    init(_ url: String, seconds: Int = 5) throws(PostgresError) {
        try ConnectionString.check(url)
        // What the URL says itself goes before these.
        let words: [(String, String)] = [
            ("connect_timeout", "\(max(2, seconds))"), ("tcp_user_timeout", "10000"), ("keepalives_idle", "5"),
            ("keepalives_interval", "2"), ("keepalives_count", "3"), ("application_name", "rankwise-server"),
            ("client_encoding", "UTF8"), ("target_session_attrs", "read-write"), ("dbname", url),
        ]
        let made = words.map(\.0).withCStrings { keys in
            words.map(\.1).withCStrings { values in PQconnectdbParams(keys, values, 1) }
        }
        guard let made else { throw .disconnected("no memory for a connection") }
        connection = made
        PQsetNoticeProcessor(made, { _, _ in }, nil)
        guard PQstatus(made) == CONNECTION_OK else { throw PostgresError(connecting: Self.message(of: made)) }
        guard PQserverVersion(made) >= 140_000 else {
            throw .disconnected("the server is PostgreSQL \(PQserverVersion(made) / 10_000); expected 14 or newer")
        }
        // No statement_timeout: it would end a commit's wait for the standby, and the commit would count as done.
        try runSimple(
            """
            SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '10s'; SET statement_timeout = 0;
            SET synchronous_commit = on
            """)
        let row = try run("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline").first
        do throws(StoreError) {
            timeline = try row?.value("timeline") ?? ""
        } catch {
            throw .disconnected("\(error)")
        }
    }

    deinit { PQfinish(connection) }

    /// Whether it goes over a network without a proof that the other end is the server: others could read and change it.
    var isExposed: Bool {
        guard let options = PQconninfo(connection) else { return false }
        defer { PQconninfoFree(options) }
        return ConnectionString.isExposed(
            to: PQhostaddr(connection).map { String(cString: $0) } ?? "",
            mode: ConnectionString.value(of: "sslmode", in: options))
    }

    /// The socket, for waiting on notifications.
    var socket: Int32 { PQsocket(connection) }

    /// Runs statements in order. Where one fails, those after it do not run.
    ///
    /// - Throws: after an error the connection is in no transaction, or cannot be used any more.
    @discardableResult
    func run(_ statements: [PostgresStatement]) throws(PostgresError) -> [PostgresResult] {
        guard PQenterPipelineMode(connection) == 1 else { throw lost() }
        var names: [String] = []
        var new: Set<String> = []
        for statement in statements {
            let name = prepared[statement.sql] ?? "s\(preparedCount)"
            if prepared[statement.sql] == nil {
                // The same new text may come twice in one pipeline.
                prepared[statement.sql] = name
                preparedCount += 1
                new.insert(statement.sql)
                guard PQsendPrepare(connection, name, statement.sql, 0, nil) == 1 else { throw lost() }
            }
            names.append(name)
            guard send(statement.parameters, to: name) else { throw lost() }
        }
        guard PQpipelineSync(connection) == 1 else { throw lost() }
        return try receive(statements, preparing: new)
    }

    /// The same for one statement.
    @discardableResult
    func run(_ sql: String, _ parameters: [any PostgresParameter] = []) throws(PostgresError) -> PostgresResult {
        let results = try run([PostgresStatement(sql, parameters)])
        guard let result = results.first else { throw .disconnected("a statement has no result") }
        return result
    }

    /// Runs a text of several statements without parameters and without results.
    func runSimple(_ sql: String) throws(PostgresError) {
        guard let result = PQexec(connection, sql) else { throw lost() }
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
        default: throw error(of: result)
        }
    }

    /// The notifications that have arrived: their payloads.
    func notifications() throws(PostgresError) -> [String] {
        guard PQconsumeInput(connection) == 1 else { throw lost() }
        var payloads: [String] = []
        while let notify = PQnotifies(connection) {
            payloads.append(String(cString: notify.pointee.extra))
            PQfreemem(notify)
        }
        return payloads
    }
}

extension PostgresConnection {
    private func send(_ parameters: [any PostgresParameter], to name: String) -> Bool {
        // All values lie in one buffer, texts with a zero at their end.
        var bytes: [CChar] = []
        var places: [Int?] = []
        var lengths: [Int32] = []
        var formats: [Int32] = []
        for parameter in parameters {
            switch parameter.encoded {
            case nil:
                places.append(nil)
                lengths.append(0)
                formats.append(0)
            case .text(let text)?:
                places.append(bytes.count)
                bytes.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
                lengths.append(0)
                formats.append(0)
            case .binary(let binary)?:
                places.append(bytes.count)
                bytes.append(contentsOf: binary.lazy.map { CChar(bitPattern: $0) })
                lengths.append(Int32(binary.count))
                formats.append(1)
            }
            bytes.append(0)
        }
        return bytes.withUnsafeBufferPointer { bytes in
            let values = places.map { place in place.flatMap { place in bytes.baseAddress.map { $0 + place } } }
            return PQsendQueryPrepared(
                connection, name, Int32(parameters.count), values, lengths, formats, 0) == 1
        }
    }

    private func receive(
        _ statements: [PostgresStatement], preparing new: Set<String>
    ) throws(PostgresError) -> [PostgresResult] {
        var results: [PostgresResult] = []
        var failure: PostgresError?
        var seen: Set<String> = []
        for statement in statements {
            if new.contains(statement.sql), seen.insert(statement.sql).inserted {
                if try take() == nil { prepared[statement.sql] = nil }
            }
            if let result = try take() { results.append(result) }
        }
        // The end of the pipeline.
        guard let end = PQgetResult(connection) else { throw lost() }
        defer { PQclear(end) }
        guard PQresultStatus(end) == PGRES_PIPELINE_SYNC, PQexitPipelineMode(connection) == 1 else { throw lost() }
        if let failure {
            if PQtransactionStatus(connection) != PQTRANS_IDLE { try? runSimple("ROLLBACK") }
            throw failure
        }
        return results

        /// The next statement's result; nil where it failed or did not run.
        func take() throws(PostgresError) -> PostgresResult? {
            guard let result = PQgetResult(connection) else { throw lost() }
            // A null follows each statement's only result.
            defer { while let more = PQgetResult(connection) { PQclear(more) } }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return PostgresResult(owning: result)
            case PGRES_PIPELINE_ABORTED:
                PQclear(result)
                return nil
            default:
                let found = error(of: result)
                PQclear(result)
                if case .disconnected = found { throw found }
                failure = failure ?? found
                return nil
            }
        }
    }

    private func error(of result: OpaquePointer) -> PostgresError {
        let message = PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
        let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
        guard PQstatus(connection) == CONNECTION_OK, let state else { return .disconnected(message.oneLine) }
        if PostgresError.statesOfAnotherServer.contains(state) { return .disconnected(message.oneLine) }
        return .refused(state: state, message: message.oneLine)
    }

    private func lost() -> PostgresError { .disconnected(Self.message(of: connection)) }

    /// libpq's last message, which names no password.
    private static func message(of connection: OpaquePointer) -> String {
        let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        return text.isEmpty ? "the connection was lost" : text.oneLine
    }
}

extension String {
    fileprivate var oneLine: String {
        split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: "; ")
    }
}

extension [String] {
    /// The texts as C strings, with a null after the last one.
    fileprivate func withCStrings<Result>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let copies = map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies.map { UnsafePointer($0) } + [nil])
    }
}
