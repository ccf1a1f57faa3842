import Dispatch

/// Trains by running a command of the client's owner: `COMMAND IN OUT`.
///
/// IN holds `adapter_model.safetensors`, `adapter_config.json`, `plan.json` and, if there is a merge,
/// `merge.safetensors`. The command writes `adapter_model.safetensors` and `metrics.json` to OUT and exits with 0. Its
/// output goes to standard error; `RANKWISE_DATA` is the path of the data. SIGTERM asks it to stop. Ten seconds later
/// the command is killed with all processes that it has started.
package final class CommandTrainer: LocalTrainer {
    /// EX_TEMPFAIL: the command skips this round.
    private static let abstains: Int32 = 75
    /// EX_CONFIG: the command must not run again before somebody has checked it.
    private static let stops: Int32 = 78

    private let command: String
    private let data: String
    private let timeout: Duration
    private let grace: Duration
    package let evaluates: Bool
    private let queue = DispatchQueue(label: "rankwise.trainer-command")

    /// - Parameters:
    ///   - command: a shell command line.
    ///   - timeout: the longest time for one round.
    ///   - grace: the time between SIGTERM and the kill.
    ///   - evaluates: whether the command knows the task `evaluate`, and holds examples out as plans say.
    package init(
        command: String, data: String, timeout: Duration = .seconds(86_400), grace: Duration = .seconds(10),
        evaluates: Bool = false
    ) {
        self.command = command
        self.data = data
        self.timeout = timeout
        self.grace = grace
        self.evaluates = evaluates
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        try await run(assignment) { folders throws(TrainingError) in try folders.collect(into: assignment.output) }
    }

    /// The same command, with `"task": "evaluate"` in plan.json. It leaves only metrics.json, whose numbers beside
    /// `samples` are the metrics.
    package func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome {
        var assignment = assignment
        assignment.plan.json = Self.json(assignment.plan.json, withTask: "evaluate")
        return try await run(assignment) { folders throws(TrainingError) in try folders.evaluation() }
    }

    /// A plan's object with one more key at its start. Its other bytes stay as they are.
    static func json(_ plan: [UInt8], withTask task: String) -> [UInt8] {
        guard let start = plan.firstIndex(of: UInt8(ascii: "{")) else { return Array(#"{"task":"\#(task)"}"#.utf8) }
        let rest = plan[(start + 1)...]
        let isEmpty = rest.first { !" \n\r\t".utf8.contains($0) } == UInt8(ascii: "}")
        return Array(#"{"task":"\#(task)"\#(isEmpty ? "" : ",")"#.utf8) + rest
    }

    private func run<Outcome>(
        _ assignment: TrainingAssignment, _ collect: (CommandFolders) throws(TrainingError) -> Outcome
    ) async throws(TrainingError) -> Outcome {
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
            return try collect(folders)
        } catch {
            // The command itself may report a full disk in its own words.
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
