import CLinux
import Glibc
import StrictJSON

/// A program that prints credentials, as AWS's `credential_process` does. What it prints is never shown.
package enum CredentialsCommand {
    private static let mostBytes = 64 << 10
    /// In milliseconds.
    static let longestRun = 60_000

    /// Runs the program without a shell. Its standard errors are this process's.
    static func run(_ words: [String], longest: Int = longestRun) throws(ObjectError) -> Credentials {
        guard let program = words.first, !program.isEmpty else { throw .credentials("no command is given") }
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw failed(program, "could not be started: \(Self.reason)") }
        defer { close(ends[0]) }
        // The end of the output shows only once no writer is left, this process among them.
        let id = try { () throws(ObjectError) in
            defer { close(ends[1]) }
            return try start(words, program, writingTo: ends[1])
        }()
        let printed = output(of: ends[0], for: longest)
        if printed == nil { kill(-id, SIGKILL) }
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        guard let printed else { throw failed(program, "took too long or printed too much") }
        guard status == 0 else {
            throw failed(program, status & 0x7F == 0 ? "ended with \(status >> 8 & 0xFF)" : "was ended by a signal")
        }
        return try parse(printed, program: program)
    }

    private static func start(
        _ words: [String], _ program: String, writingTo output: Int32
    ) throws(ObjectError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Signals that this process blocks or ignores are the program's again; a group of its own can be ended.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        posix_spawnattr_setpgroup(&attributes, 0)
        let arguments = words.map { strdup($0) }
        defer { for argument in arguments { free(argument) } }
        var id = pid_t()
        let code = posix_spawnp(&id, program, &actions, &attributes, arguments + [nil], environ)
        guard code == 0 else { throw failed(program, "could not be started: \(String(cString: strerror(code)))") }
        return id
    }

    /// All that is printed; nil where it is too much or takes too long.
    private static func output(of end: Int32, for longest: Int) -> [UInt8]? {
        let deadline = ContinuousClock.now + .milliseconds(longest)
        var printed: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while printed.count <= mostBytes {
            let rest = (deadline - ContinuousClock.now).components
            guard rest.seconds >= 0, rest.attoseconds >= 0 else { return nil }
            var waited = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waited, 1, Int32(rest.seconds * 1000 + rest.attoseconds / 1_000_000_000_000_000 + 1))
            guard ready > 0 else { continue }
            let count = read(end, &piece, piece.count)
            if count == 0 { return printed }
            if count > 0 { printed += piece[..<count] } else if errno != EINTR { return nil }
        }
        return nil
    }

    package static func parse(_ printed: [UInt8], program: String) throws(ObjectError) -> Credentials {
        var texts: [String: String] = [:]
        var version: Int?
        do throws(JSONSyntaxError) {
            try printed.span.bytes.withUnsafeBytes { bytes throws(JSONSyntaxError) in
                var scanner = JSONScanner(bytes)
                try scanner.beginObject()
                while let name = try scanner.nextName() {
                    switch name {
                    case "Version": version = try scanner.count()
                    case "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration":
                        texts[name] = try scanner.string()
                    default: try scanner.skipValue()
                    }
                }
                try scanner.finish()
            }
        } catch {
            throw failed(program, "did not print JSON as a credential_process does")
        }
        guard version == 1 else { throw failed(program, "printed no Version 1") }
        func required(_ name: String) throws(ObjectError) -> String {
            guard let text = texts[name], !text.isEmpty else { throw failed(program, "printed no \(name)") }
            return text
        }
        var expiration: Int64?
        if let text = texts["Expiration"] {
            guard let time = CalendarTime(parsing: text.replacingOffset) else {
                throw failed(program, "printed an Expiration that is no time in UTC")
            }
            expiration = time.seconds
        }
        return Credentials(
            accessKeyID: try required("AccessKeyId"), secretAccessKey: try required("SecretAccessKey"),
            sessionToken: texts["SessionToken"], expiration: expiration)
    }

    private static func failed(_ program: String, _ reason: String) -> ObjectError {
        .credentials("\(program) \(reason)")
    }

    private static var reason: String { String(cString: strerror(errno)) }
}

extension String {
    /// Times with `+00:00` in place of `Z` are the same.
    fileprivate var replacingOffset: String { hasSuffix("+00:00") ? String(dropLast(6)) + "Z" : self }
}
