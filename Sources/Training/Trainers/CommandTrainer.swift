import Dispatch

/// Trains by running a command of the owner's: `COMMAND IN OUT`.
///
/// IN holds `adapter_model.safetensors`, `adapter_config.json`, `plan.json` and, where there is one,
/// `merge.safetensors`; the command leaves `adapter_model.safetensors` and `metrics.json` in OUT and exits 0. What it
/// prints goes to standard error; `RANKWISE_DATA` is the path of the data. SIGTERM means stop. After ten seconds the command
/// is killed with all processes that it has started.
package final class CommandTrainer: LocalTrainer {
    /// EX_TEMPFAIL: not this round.
    private static let abstains: Int32 = 75
    /// EX_CONFIG: not before somebody has looked at it.
    private static let stops: Int32 = 78

    private let command: String
    private let data: String
    private let timeout: Duration
    private let grace: Duration
    private let queue = DispatchQueue(label: "rankwise.trainer-command")

    /// - Parameters:
    ///   - command: a line for the shell.
    ///   - timeout: how long one round may take.
    ///   - grace: how long the command has from SIGTERM on.
    package init(
        command: String, data: String, timeout: Duration = .seconds(86_400), grace: Duration = .seconds(10)
    ) {
        self.command = command
        self.data = data
        self.timeout = timeout
        self.grace = grace
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        let folders = try CommandFolders(for: assignment)
        defer { folders.remove() }
        let running = RunningCommand(grace: grace)
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
        do throws(TrainingError) {
            try Self.check(end.get(), timeout)
            return try folders.collect(into: assignment.output)
        } catch {
            // Its words about a full disk are its own.
            guard case .command = error, !folders.hasRoom(for: assignment.adapter) else { throw error }
            throw .noRoom(folders.output)
        }
    }

    private static func check(_ end: RunningCommand.End, _ timeout: Duration) throws(TrainingError) {
        switch end {
        case .stopped: throw .cancelled
        case .timedOut: throw .command(reason: "ran longer than \(timeout) and was stopped")
        case .exited(0): break
        case .exited(abstains): throw .abstained(reason: "abstains from this round (status \(abstains))")
        case .exited(stops): throw .stopped(reason: "asks not to be run again (status \(stops))")
        case .exited(127): throw .command(reason: "was not found (status 127)")
        case .exited(let status): throw .command(reason: "exited with status \(status)")
        case .killed(let signal): throw .command(reason: "was ended by signal \(signal)")
        }
    }
}
