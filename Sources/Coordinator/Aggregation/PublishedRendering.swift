import AdapterFormat
import Aggregation
import Federation

/// The file of a round's whole adapter. It is written during the aggregation, so that the new values need not be read
/// back from the store.
final class PublishedRendering {
    private let draft: AdapterCache.Draft
    private let shape: AdapterShape
    private let ranks: [String: Int]
    private var writer: AdapterWriter?
    /// How many modules were written.
    private var position = 0

    /// Begins the file; nil where the round publishes other modules than the store keeps. Its file is then rendered
    /// from the store.
    init?(of outline: RoundOutline, round: Int, as plan: AdapterPlan, into draft: AdapterCache.Draft) throws {
        let dense = Set(outline.shape.dense.map(\.name))
        let stored = plan.storedShape(ofRound: round).withDense { dense.contains($0.name) }
        guard stored.modules.map(\.name) == outline.shape.modules.map(\.name), stored.dense == outline.shape.dense
        else {
            return nil
        }
        shape = stored
        ranks = AdapterService.ranks(
            in: stored, rank: plan.maximumRank, ofRound: round, trainedIn: round, plan)
        self.draft = draft
        writer = try AdapterWriter(
            shape: stored, ranks: ranks, scaling: plan.scaling, type: plan.shape.type, descriptor: draft.descriptor)
    }

    func take(_ factors: ModuleFactors) throws {
        try writer?.take(factors, of: shape.modules[position])
        position += 1
    }

    func take(_ values: [Float], of tensor: AdapterShape.Dense) throws { try writer?.take(values, of: tensor) }

    /// Ends the file, and begins to hash it in parallel with the caller.
    func finish() throws -> WorkBeside<AdapterCache.File, ServiceError> {
        try writer.take()?.finish()
        return WorkBeside { [draft, ranks] () throws(ServiceError) in try draft.finish(ranks: ranks) }
    }
}
