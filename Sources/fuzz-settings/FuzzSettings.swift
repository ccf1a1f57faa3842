import CoordinatorAPI
import Federation
import Foundation
import FuzzInput
import RankwiseWire

@testable import Coordinator

/// Feeds settings, as documents and as values, to all that reckons with them. What is refused is fine; a trap, a hang, or
/// settings that are taken and then cannot be shown is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    if let document = try? WireJSON.decodeStrictly(FederationDocument.self, from: Data(bytes)),
        let settings = try? FederationSettings(document)
    {
        examine(settings)
        return 0
    }
    var source = ByteSource(bytes)
    if let settings = try? source.settings() { examine(settings) }
    return 0
}

private let rounds = [0, 1, 2, 5, 6, 1000, 1 << 31, Int.max]
private let counts = [0, 1, 2, 9, 1000, 1_000_000]

private func examine(_ settings: FederationSettings) {
    // What is stored is not checked again but by this.
    _ = try? AdapterPlan(settings)
    guard let checked = try? FederationService.checked(settings) else { return }
    show(checked.settings)
    for count in counts {
        precondition((0...count).contains(settings.policy.cohort(of: count)))
        precondition((0...count).contains(settings.policy.invited(of: count)))
    }
    guard let plan = checked.plan else { return }
    for round in rounds {
        for rank in [1, 2, plan.maximumRank, .max] {
            let ranks = plan.ranks(for: rank, round: round)
            precondition(ranks.values.allSatisfy { (1...65_536).contains($0) })
            precondition(settings.adapter.scales(atRanks: ranks).values.allSatisfy { $0 > 0 && $0.isFinite })
            for (path, rank) in ranks {
                let ratio = plan.ratio(ofModule: path, fromRank: rank)
                precondition(ratio > 0 && Float(ratio).isFinite)
            }
        }
        precondition(plan.updateByteLimit(round: round, after: max(0, round - 1)) > 0)
        _ = plan.storedShape(ofRound: round)
    }
    for rank in [1, 65_536] { _ = plan.limits(plan.modelRanks(for: rank)) }
}

/// What is taken can be shown, and says the same when it is read again.
private func show(_ settings: FederationSettings) {
    do {
        let text = try WireJSON.encode(FederationDocument(settings))
        let again = try FederationSettings(WireJSON.decodeStrictly(FederationDocument.self, from: text))
        precondition(again == settings, "settings read differently once they are shown")
    } catch {
        preconditionFailure("settings that were taken cannot be shown: \(error)")
    }
}
