import AdapterFormat
import Synchronization

/// Tells a rendering whether anybody still wants its result.
final class Interruption: Sendable {
    private let isWanted = Atomic(true)

    func interrupt() { isWanted.store(false, ordering: .relaxed) }

    func check() throws(ServiceError) {
        guard isWanted.load(ordering: .relaxed) else { throw .abandoned }
    }
}

/// A source that stops between two modules once nobody wants the result.
struct InterruptibleSource<Source: AdapterSource>: AdapterSource {
    let source: Source
    let interruption: Interruption

    func factors(of module: ModuleShape, rank: Int) throws -> ModuleFactors? {
        try interruption.check()
        return try source.factors(of: module, rank: rank)
    }

    func values(of tensor: AdapterShape.Dense) throws -> [Float]? {
        try interruption.check()
        return try source.values(of: tensor)
    }
}
