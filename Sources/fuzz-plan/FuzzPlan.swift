import ClientAgent
import Dispatch
import Foundation
import HTTPFetching
import RankwiseWire
import Training
import TrainingData

/// Gives an agent a plan that the bytes are, and has it follow it: download, train, send, decline. What it refuses is
/// fine; a trap, a hang, or a control character among what it tells is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let plan = Array(UnsafeBufferPointer(start: start, count: count))
    let done = DispatchSemaphore(value: 0)
    Task.detached {
        await follow(plan)
        done.signal()
    }
    done.wait()
    return 0
}

private let data = DataSet(width: 4, features: (0..<24).map { Float($0 % 7) - 3 }, labels: [0, 1, 0, 1, 0, 1])
/// In memory, where syncing costs nothing.
private let folder = "/dev/shm/rankwise-fuzz-plan-\(ProcessInfo.processInfo.processIdentifier)"

private func follow(_ plan: [UInt8]) async {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    do {
        let agent = try Agent(
            Agent.Configuration(
                server: "http://fuzz", federation: "f", client: "c", rank: 2, trainingCheck: nil,
                persistence: .seconds(1)),
            state: StateFolder(folder), fetcher: PlanServer(plan), clock: JumpingClock(), observe: { check("\($0)") },
            makeTrainer: { settings throws(TrainingError) in
                NativeTrainer(
                    try ModelRegistry.model(named: settings.baseModel.name, seed: 1).task(data),
                    limit: .milliseconds(20))
            })
        _ = try await agent.run()
    } catch {
        check("\(error)")
    }
}

private func check(_ words: String) {
    precondition(words.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }, words)
}
