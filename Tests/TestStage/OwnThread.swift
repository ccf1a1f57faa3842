import Dispatch
package import Testing

/// Runs jobs on a thread that no other test uses.
///
/// Swift has only as many threads as the machine has cores. A test that waits in a system call blocks one of them. A
/// few such tests delay all others, whose time-outs then fire by mistake.
package final class OwnThread: TaskExecutor {
    private let queue = DispatchQueue(label: "test.own-thread")

    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Runs every test of a suite on its own thread, for tests that wait in system calls.
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
