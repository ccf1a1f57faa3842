import CLinux
import FoundationEssentials
import Glibc
import Synchronization

/// A shell command in its own process group. Another thread can stop it, and it does not outlive this process.
final class RunningCommand: Sendable {
    enum End: Sendable {
        case exited(Int32)
        case killed(signal: Int32)
        case stopped
        case timedOut
    }

    private let grace: Duration
    private let isStopped = Mutex(false)

    init(grace: Duration) { self.grace = grace }

    /// Runs the command to its end. Blocks.
    func run(
        _ command: String, arguments: [String], environment: [String: String], timeout: Duration
    ) throws(TrainingError) -> End {
        let lifeline = try Lifeline()
        let group = try start(command, arguments: arguments, environment: environment, lifeline)
        var signalled: ContinuousClock.Instant?
        var hasTimedOut = false
        let deadline = ContinuousClock.now + timeout
        while true {
            var info = siginfo_t()
            // The command stays a zombie until its children are killed, so that no other process gets its group's
            // number.
            let answer = waitid(P_PID, id_t(group), &info, WEXITED | WNOHANG | WNOWAIT)
            if answer == 0, info.si_signo == SIGCHLD {
                let status = reap(group)
                if hasTimedOut { return .timedOut }
                if isStopped.withLock({ $0 }) { return .stopped }
                let signal = status & 0x7f
                return signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal)
            }
            if answer < 0, errno != EINTR { throw .command(reason: "was lost: \(String(cString: strerror(errno)))") }
            let now = ContinuousClock.now
            if now >= deadline { hasTimedOut = true }
            if hasTimedOut || isStopped.withLock({ $0 }) {
                if let first = signalled {
                    if now >= first + grace { kill(-group, SIGKILL) }
                } else {
                    kill(-group, SIGTERM)
                    signalled = now
                }
            }
            poll(nil, 0, 20)
        }
    }

    /// Kills the processes that the command left running, then reaps the command.
    private func reap(_ group: pid_t) -> Int32 {
        kill(-group, SIGKILL)
        var status: Int32 = 0
        while waitpid(group, &status, 0) < 0, errno == EINTR {}
        // In a container, orphans of the group become children of its first process, which may be the agent.
        while waitpid(-group, nil, 0) > 0 || errno == EINTR {}
        return status
    }

    func stop() { isStopped.withLock { $0 = true } }

    /// Kills the group when the other end of descriptor 3 is closed, which happens when the agent dies for any reason.
    /// It is forked twice, so that the command cannot wait for it as its child.
    private static let watch = "( ( trap '' HUP INT TERM; read -r _ <&3; kill -KILL 0 ) & ); exec 3<&-\n"

    private func start(
        _ command: String, arguments: [String], environment: [String: String], _ lifeline: borrowing Lifeline
    ) throws(TrainingError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        // Descriptors that a library opened without close-on-exec are not passed on.
        posix_spawn_file_actions_adddup2(&actions, lifeline.far, STDERR_FILENO + 1)
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The agent ignores and blocks signals that it handles by other means. Its child must not inherit that.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        posix_spawnattr_setpgroup(&attributes, 0)
        let variables = ProcessInfo.processInfo.environment.filter { $0.key != "RANKWISE_TOKEN" }
            .merging(environment) { $1 }
        let words = (["sh", "-c", "\(Self.watch)\(command) \"$@\"", "sh"] + arguments).map { strdup($0) }
        let settings = variables.map { strdup("\($0.key)=\($0.value)") }
        defer { for text in words + settings { free(text) } }
        var group: pid_t = 0
        let failure = posix_spawn(&group, "/bin/sh", &actions, &attributes, words + [nil], settings + [nil])
        guard failure == 0 else {
            throw .command(reason: "could not be started: \(String(cString: strerror(failure)))")
        }
        return group
    }
}

/// A pipe to which nobody writes: a reader sees its end when this process has ended.
private struct Lifeline: ~Copyable {
    private let near: Int32
    let far: Int32

    init() throws(TrainingError) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else {
            throw .command(reason: "could not be started: \(String(cString: strerror(errno)))")
        }
        (far, near) = (ends[0], ends[1])
    }

    deinit {
        close(far)
        close(near)
    }
}
