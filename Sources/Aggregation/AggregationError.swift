package import AdapterFormat
package import LinearAlgebra

/// Why a round's updates could not be aggregated.
package enum AggregationError: Error, Equatable, Sendable {
    case noContributions
    case noWeight
    case duplicateClient(String)
    case negativeSamples(client: String)
    case scale(client: String)
    case noAccuracy(client: String)
    case noLoss(client: String)
    case adapter(client: String, AdapterError)
    /// The state of an earlier round has another size than the federation's module or tensor.
    case earlier(String)
    /// The round needs the last adapter's factors of a module, but they are missing.
    case noEarlier(module: String)
    /// A client's number times its weight and scale, or its weight alone, is too large for an exact sum.
    case range(client: String, tensor: String?, value: Double, limit: Double)
    /// A partial sum lists the digests of its clients' files, and this one's is unknown.
    case noDigest(client: String)
    /// The strategy cannot compute with the round's factors of a module.
    case decomposition(module: String, DecompositionError)
}

extension AggregationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noContributions: "the round has no update to aggregate"
        case .noWeight: "every update of the round has weight zero"
        case .duplicateClient(let client): "\(client) contributes twice"
        case .negativeSamples(let client): "\(client) claims a negative number of samples"
        case .scale(let client): "\(client) trained with a scale that is not a positive number"
        case .noAccuracy(let client): "\(client) tells no accuracy, which ranking weights need"
        case .noLoss(let client): "\(client) tells no loss of at least 0, which weights by loss need"
        case .adapter(let client, let error): "\(client): \(error)"
        case .earlier(let name): "\(name) of the last adapter has another size than the federation's"
        case .range(let client, let tensor, let value, let limit):
            "\(client): \(tensor.map { "\($0) has a number that times weight and scale" } ?? "its weight") is \(value); "
                + "an exact sum of so many updates takes less than \(limit)"
        case .noDigest(let client): "the digest of \(client)'s file is unknown, and a partial sum lists it"
        case .decomposition(let module, let error): "\(module): \(error)"
        case .noEarlier(let module): "the last adapter lacks \(module), which this strategy goes on from"
        }
    }
}
