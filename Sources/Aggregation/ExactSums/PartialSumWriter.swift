import AdapterFormat
import LinearAlgebra

/// Writes a partial sum: a safetensors file of integers, module by module.
struct PartialSumWriter: ~Copyable {
    private let plan: PartialPlan
    private var file: IntegerFileWriter

    /// Lays the file out and writes its header.
    ///
    /// - Parameters:
    ///   - list: the list of clients, where this file has it.
    ///   - descriptor: an empty file, open for writing; the caller syncs and closes it.
    init(
        plan: PartialPlan, clients: PartialClients, list: [UInt8]?, descriptor: Int32
    ) throws(SafetensorsWriteError) {
        self.plan = plan
        file = try IntegerFileWriter(
            tensors: PartialTensor.all(of: plan).flatMap {
                [.init(name: $0.hi, shape: $0.shape), .init(name: $0.lo, shape: $0.shape)]
            },
            metadata: PartialSumFile.metadata(of: plan, clients),
            list: list.map { (PartialSumFile.listName, $0) }, descriptor: descriptor)
    }

    mutating func take(_ sums: PartialModule, of module: ModuleShape) throws(SafetensorsWriteError) {
        var sums = sums
        sums.transposeB()
        if let a = sums.a { try write(a, as: .a(of: module)) }
        if let b = sums.b { try write(b, as: .b(of: module)) }
        if let bias = sums.bias {
            try write(bias, as: .bias(of: module))
            try write(FixedPointPlanes([sums.weights[0]]), as: .biasWeight(of: module))
        }
        try write(sums.weights, as: .weights(of: module))
    }

    mutating func take(_ sums: PartialDense, of tensor: AdapterShape.Dense) throws(SafetensorsWriteError) {
        try write(sums.values, as: .values(of: tensor))
        try write(sums.weight, as: .weight(of: tensor))
    }

    private mutating func write(_ planes: FixedPointPlanes, as tensor: PartialTensor) throws(SafetensorsWriteError) {
        try file.write(planes.hi, to: tensor.hi)
        try file.write(planes.lo, to: tensor.lo)
    }

    /// Checks that everything was written.
    consuming func finish() throws(SafetensorsWriteError) { try file.finish() }
}
