import Dispatch
import Foundation
import Synchronization

/// Trains by running a command of the owner's: `COMMAND IN OUT`.
///
/// IN holds `adapter_model.safetensors`, `adapter_config.json`, `plan.json` and, where there is one,
/// `merge.safetensors`; the command leaves `adapter_model.safetensors` and `metrics.json` in OUT and exits 0. What it
/// prints goes to standard error; `RANKWISE_DATA` tells it where the data are. SIGTERM means stop; it is killed if it
/// does not within ten seconds.
package final class CommandTrainer: LocalTrainer {
    private let command: String
    private let data: String
    private let timeout: Duration
    private let queue = DispatchQueue(label: "rankwise.trainer-command")

    /// - Parameters:
    ///   - command: a line for the shell.
    ///   - timeout: how long one round may take.
    package init(command: String, data: String, timeout: Duration = .seconds(86_400)) {
        self.command = command
        self.data = data
        self.timeout = timeout
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        let folders = try CommandFolders(for: assignment)
        defer { folders.remove() }
        let running = RunningCommand()
        let end: Result<RunningCommand.End, TrainingError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.async {
                    do throws(TrainingError) {
                        continuation.resume(
                            returning: .success(
                                try running.run(
                                    self.command, arguments: [folders.input, folders.output],
                                    environment: ["RANKWISE_DATA": self.data], timeout: self.timeout)))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            }
        } onCancel: {
            running.stop()
        }
        switch try end.get() {
        case .stopped: throw .cancelled
        case .timedOut: throw .command(reason: "ran longer than \(timeout) and was stopped")
        case .exited(0): break
        case .exited(let status): throw .command(reason: "exited with status \(status)")
        case .killed(let signal): throw .command(reason: "was ended by signal \(signal)")
        }
        return try folders.collect(into: assignment.output)
    }
}

/// The command's two folders, beside the file that training is to leave.
private struct CommandFolders {
    let input: String
    let output: String

    init(for assignment: TrainingAssignment) throws(TrainingError) {
        input = assignment.output + ".in"
        output = assignment.output + ".out"
        remove()
        do {
            let files = FileManager.default
            for folder in [input, output] {
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            try files.copyItem(atPath: assignment.adapter, toPath: input + "/adapter_model.safetensors")
            try files.copyItem(atPath: assignment.configuration, toPath: input + "/adapter_config.json")
            if let merge = assignment.merge { try files.copyItem(atPath: merge, toPath: input + "/merge.safetensors") }
            try Data(assignment.plan.json).write(to: URL(fileURLWithPath: input + "/plan.json"))
        } catch {
            remove()
            throw .file(input, reason: "\(error)")
        }
    }

    /// Takes over what the command left.
    func collect(into path: String) throws(TrainingError) -> TrainingOutcome {
        let adapter = output + "/adapter_model.safetensors"
        let metrics = output + "/metrics.json"
        guard FileManager.default.fileExists(atPath: adapter) else {
            throw .command(reason: "exited with status 0 and left no adapter_model.safetensors")
        }
        guard let bytes = FileManager.default.contents(atPath: metrics), bytes.count <= 1 << 20 else {
            throw .command(reason: "exited with status 0 and left no metrics.json")
        }
        let outcome = try Self.outcome(of: bytes)
        guard rename(adapter, path) == 0 else {
            throw .file(path, reason: String(cString: strerror(errno)))
        }
        return outcome
    }

    private static func outcome(of bytes: Data) throws(TrainingError) -> TrainingOutcome {
        struct Metrics: Decodable {
            let samples: Int
            let loss: Double
            let accuracy: Double
        }
        let metrics: Metrics
        do {
            metrics = try JSONDecoder().decode(Metrics.self, from: bytes)
        } catch {
            throw .command(reason: "left a metrics.json without samples, loss and accuracy as numbers")
        }
        guard metrics.samples >= 0, metrics.loss.isFinite, metrics.accuracy.isFinite else {
            throw .command(
                reason:
                    "left a metrics.json with samples \(metrics.samples), loss \(metrics.loss), accuracy \(metrics.accuracy)"
            )
        }
        return TrainingOutcome(samples: metrics.samples, loss: metrics.loss, accuracy: metrics.accuracy)
    }

    func remove() {
        for folder in [input, output] { try? FileManager.default.removeItem(atPath: folder) }
    }
}

/// A shell command in a process group of its own, which can be stopped from another thread.
private final class RunningCommand: Sendable {
    enum End: Sendable {
        case exited(Int32)
        case killed(signal: Int32)
        case stopped
        case timedOut
    }

    private static let grace: Duration = .seconds(10)
    private let isStopped = Mutex(false)

    /// Runs to the end. Blocks.
    func run(
        _ command: String, arguments: [String], environment: [String: String], timeout: Duration
    ) throws(TrainingError) -> End {
        let group = try start(command, arguments: arguments, environment: environment)
        var signalled: ContinuousClock.Instant?
        var hasTimedOut = false
        let deadline = ContinuousClock.now + timeout
        while true {
            var status: Int32 = 0
            let ended = waitpid(group, &status, WNOHANG)
            if ended == group {
                kill(-group, SIGKILL)
                if hasTimedOut { return .timedOut }
                if isStopped.withLock({ $0 }) { return .stopped }
                let signal = status & 0x7f
                return signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal)
            }
            if ended < 0, errno != EINTR { throw .command(reason: "was lost: \(String(cString: strerror(errno)))") }
            let now = ContinuousClock.now
            if now >= deadline { hasTimedOut = true }
            if hasTimedOut || isStopped.withLock({ $0 }) {
                if let first = signalled {
                    if now >= first + Self.grace { kill(-group, SIGKILL) }
                } else {
                    kill(-group, SIGTERM)
                    signalled = now
                }
            }
            poll(nil, 0, 20)
        }
    }

    func stop() { isStopped.withLock { $0 = true } }

    private func start(
        _ command: String, arguments: [String], environment: [String: String]
    ) throws(TrainingError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The agent ignores and blocks signals that it takes by other means; its child must not inherit that.
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
        let words = (["sh", "-c", "\(command) \"$@\"", "sh"] + arguments).map { strdup($0) }
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
