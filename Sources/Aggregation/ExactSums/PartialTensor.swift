import AdapterFormat

/// The name and shape of one tensor of a partial sum; the file has it as two planes.
struct PartialTensor: Sendable, Hashable {
    let name: String
    let shape: [Int]

    var hi: String { name + ".hi" }
    var lo: String { name + ".lo" }

    static func a(of module: ModuleShape) -> PartialTensor {
        PartialTensor(name: module.name + ".A", shape: [module.maximumRank, module.inputs])
    }

    static func b(of module: ModuleShape) -> PartialTensor {
        PartialTensor(name: module.name + ".B", shape: [module.maximumRank, module.outputs])
    }

    static func bias(of module: ModuleShape) -> PartialTensor {
        PartialTensor(name: module.name + ".bias", shape: [module.outputs])
    }

    static func biasWeight(of module: ModuleShape) -> PartialTensor {
        PartialTensor(name: module.name + ".bias.weights", shape: [1])
    }

    static func weights(of module: ModuleShape) -> PartialTensor {
        PartialTensor(name: module.name + ".weights", shape: [module.maximumRank])
    }

    static func values(of tensor: AdapterShape.Dense) -> PartialTensor {
        PartialTensor(name: tensor.name, shape: tensor.shape)
    }

    static func weight(of tensor: AdapterShape.Dense) -> PartialTensor {
        PartialTensor(name: tensor.name + ".weights", shape: [1])
    }

    /// All tensors of a round's partial sums.
    static func all(of plan: PartialPlan) -> [PartialTensor] {
        let factors = plan.factors
        return plan.shape.modules.flatMap { module in
            var tensors = [weights(of: module)]
            if factors.contains(.a) { tensors.append(a(of: module)) }
            if factors.contains(.b) {
                tensors.append(b(of: module))
                if module.hasBias { tensors += [bias(of: module), biasWeight(of: module)] }
            }
            return tensors
        } + plan.shape.dense.flatMap { [values(of: $0), weight(of: $0)] }
    }
}
