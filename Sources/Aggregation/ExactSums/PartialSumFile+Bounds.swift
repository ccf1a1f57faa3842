import AdapterFormat
import LinearAlgebra

extension PartialSumFile {
    /// Reads all numbers and checks that the clients of the list can have such sums.
    ///
    /// - Parameters:
    ///   - samples: of all clients together.
    ///   - mostUpdates: how many updates a round can take; it bounds every number of each.
    /// - Returns: the covered rows of each module.
    package func checkBounds(samples: Int, mostUpdates: Int) throws(PartialSumError) -> [String: Int] {
        let limit = FixedPoint.limit / Double(mostUpdates) * Double(clients.count)
        let total = plan.strategy.weighting == .uniform ? Double(clients.count) : Double(samples)
        func check(_ planes: FixedPointPlanes?, _ tensor: PartialTensor) throws(PartialSumError) {
            guard let planes else { return }
            let found = planes.largestMagnitude
            guard found <= limit else { throw .range(tensor: tensor.name, found: found, limit: limit) }
        }
        func check(weight planes: FixedPointPlanes, _ tensor: PartialTensor) throws(PartialSumError) {
            let found = planes.largestMagnitude
            guard found <= total else { throw .weight(tensor: tensor.name, found: found, limit: total) }
        }
        var covered: [String: Int] = [:]
        for module in plan.shape.modules {
            var sums = PartialModule(zeroOf: module, factors: plan.factors)
            try add(module, to: &sums)
            try check(sums.a, .a(of: module))
            try check(sums.b, .b(of: module))
            try check(sums.bias, .bias(of: module))
            try check(weight: sums.weights, .weights(of: module))
            covered[module.name] = (0..<sums.weights.count).prefix { sums.weights[$0] != .zero }.count
        }
        for tensor in plan.shape.dense {
            var sums = PartialDense(zeros: tensor.elementCount)
            try add(tensor, to: &sums)
            try check(sums.values, .values(of: tensor))
            try check(weight: sums.weight, .weight(of: tensor))
        }
        return covered
    }
}
