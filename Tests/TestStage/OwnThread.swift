import Dispatch
package import Testing

/// Runs jobs on a thread that no other test occupies.
///
/// Swift's own threads are as few as the machine has cores. A test that waits in a system call for a peer or a process
/// holds one of them, and two such tests hold up everybody else for as long: time-outs strike that nobody meant.
package final class OwnThread: TaskExecutor {
    private let queue = DispatchQueue(label: "test.own-thread")

    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Gives every test of a suite a thread of its own: for those that wait in system calls.
package struct OwnThreadTrait: SuiteTrait, TestTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func scopeProvider(for test: Test, testCase: Test.Case?) -> OwnThreadTrait? {
        testCase == nil ? nil : self
    }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(OwnThread(), operation: function)
    }
}

extension Trait where Self == OwnThreadTrait {
    package static var ownThread: OwnThreadTrait { OwnThreadTrait() }
}
