import AdapterFormat
import Foundation
import LinearAlgebra

/// Writes an adapter whose numbers are drawn from a seed.
///
/// - Parameters:
///   - a: how far from 0 the numbers of A may lie, and so `b` and `dense`; without `b` B is 0.
func writeDrawnAdapter(
    _ shape: AdapterShape, to path: String, seed: UInt64, a: Float, b: Float? = nil, dense: Float = 0.5
) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    var generator = SeededGenerator(seed: seed, stream: "adapter")
    var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
    for module in shape.modules {
        var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
        for index in factors.a.indices { factors.a[index] = generator.uniform(within: a) }
        if let b { for index in factors.b.indices { factors.b[index] = generator.uniform(within: b) } }
        try writer.take(factors, of: module)
    }
    for tensor in shape.dense {
        try writer.take((0..<tensor.elementCount).map { _ in generator.uniform(within: dense) }, of: tensor)
    }
    try writer.finish()
}
