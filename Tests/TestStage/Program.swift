import CLinux
import Glibc
import Synchronization

/// A program that runs beside a test and ends with it.
///
/// It inherits only the three standard streams. Foundation's `Process` can pass a pipe to another child that starts at
/// the same moment. A reader then sees the pipe's end only when both children have ended.
package final class Program: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// The handling of the lines that it writes to standard error.
    package enum Errors: Sendable {
        case dropped
        /// They are merged into its output.
        case merged
    }

    package let id: Int32
    private let output: Int32
    private let status = Mutex<Int32?>(nil)

    /// - Parameter command: a path, or a name that is searched in `PATH`, and its arguments.
    package init(_ command: [String], environment: [String: String] = [:], errors: Errors = .dropped) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else {
            throw Failure(description: "pipe: \(String(cString: strerror(errno)))")
        }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        switch errors {
        case .dropped: posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        case .merged: posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        }
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        // Tests start programs from threads of Dispatch, which have signals blocked.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments = command.map { strdup($0) } + [nil]
        let variables = Self.environment(with: environment).map { strdup($0) } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var id = pid_t()
        let code = posix_spawnp(&id, command[0], &actions, &attributes, arguments, variables)
        guard code == 0 else {
            close(ends[0])
            throw Failure(description: "\(command[0]): \(String(cString: strerror(code)))")
        }
        self.id = id
        output = ends[0]
    }

    deinit {
        if status.withLock({ $0 }) == nil {
            kill(id, SIGKILL)
            _ = exitStatus()
        }
        close(output)
    }

    /// This process's variables, each as `NAME=value`, with some replaced by others.
    private static func environment(with others: [String: String]) -> [String] {
        var lines = others.map { "\($0.key)=\($0.value)" }
        var next = environ
        while let line = next.pointee {
            let text = String(cString: line)
            if others[String(text.prefix { $0 != "=" })] == nil { lines.append(text) }
            next += 1
        }
        return lines
    }

    /// The first line that it prints.
    package func firstLine() -> String {
        var bytes: [UInt8] = []
        while let byte = read(1).first, byte != UInt8(ascii: "\n") { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Everything that it prints until it ends.
    package func text() -> String {
        var bytes: [UInt8] = []
        while true {
            let piece = read(64 << 10)
            if piece.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece
        }
    }

    /// Everything that it prints until it ends, by lines.
    package func lines() -> [String] { text().split(separator: "\n").map(String.init) }

    /// - Returns: nothing at the end.
    private func read(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var got = -1
            repeat { got = Glibc.read(output, buffer.baseAddress, count) } while got < 0 && errno == EINTR
            filled = max(0, got)
        }
    }

    /// Sends SIGKILL, as in a crash or from the kernel.
    package func crash() {
        kill(id, SIGKILL)
        _ = exitStatus()
    }

    package func stop() -> Int32 {
        kill(id, SIGTERM)
        return exitStatus()
    }

    /// Waits for its end and returns its status; 128 plus the number where a signal ended it.
    package func exitStatus() -> Int32 {
        status.withLock { known in
            if let known { return known }
            var raw: Int32 = 0
            var ended: pid_t
            repeat { ended = waitpid(id, &raw, 0) } while ended < 0 && errno == EINTR
            let signal = raw & 0x7f
            let status = signal == 0 ? raw >> 8 & 0xff : 128 + signal
            known = status
            return status
        }
    }
}
