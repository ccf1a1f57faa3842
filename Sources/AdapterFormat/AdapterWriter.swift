/// Writes an adapter as the safetensors file that PEFT loads, cut and scaled to the receiver's ranks.
///
/// The stored B belongs to the scale s_R at the maximum rank. At rank r it becomes B·(s_R / s_r), and so does a LoRA
/// bias. Only one module is in memory at a time.
package struct AdapterWriter: ~Copyable, AdapterSink {
    package let shape: AdapterShape
    private let ranks: [String: Int]
    private let scaling: Scaling?
    private var file: SafetensorsWriter
    /// The experts received so far of the current parameter.
    private var packing: ExpertPacking?

    /// Lays the file out and writes its header.
    ///
    /// - Parameters:
    ///   - ranks: the rank of every module in the file; a module without an entry has its maximum.
    ///   - scaling: the federation's; nil leaves B unchanged, as in an update.
    ///   - type: the type of the file's numbers; nil for the type in the shape.
    ///   - messageBits: quantises every tensor of two sides or more, channel by channel; nil for none.
    ///   - descriptor: an empty file, open for writing; the caller syncs and closes it.
    package init(
        shape: AdapterShape, ranks: [String: Int] = [:], scaling: Scaling? = nil, type: ScalarType? = nil,
        messageBits: MessageBits? = nil, descriptor: Int32
    ) throws(SafetensorsWriteError) {
        self.shape = shape
        self.ranks = ranks
        self.scaling = scaling
        let layout = try SafetensorsLayout(
            shape: shape, ranks: ranks, type: type ?? shape.type, messageBits: messageBits)
        file = try SafetensorsWriter(layout: layout, descriptor: descriptor)
    }

    /// Writes a module's factors, whose rank is at least the file's rank of the module.
    package mutating func take(_ factors: ModuleFactors, of module: ModuleShape) throws(SafetensorsWriteError) {
        let rank = ranks[module.owner] ?? module.maximumRank
        guard factors.rank >= rank else {
            throw .rank(module: module.name, expected: rank, found: factors.rank)
        }
        let scale = Float(scaling?.of(module).ratio(fromRank: module.maximumRank, toRank: rank) ?? 1)
        let cut = factors.prefix(rank: rank)
        guard let expert = module.expert else {
            return try write(
                cut.a, cut.outputMajorB(scaledBy: scale), scale == 1 ? cut.bias : cut.bias?.map { $0 * scale },
                of: module)
        }
        var packing = self.packing.take() ?? ExpertPacking(of: module, count: expert.count, rank: rank)
        guard packing.owner == module.owner, packing.next == expert.index else {
            throw .missing(module.nameOfA.peft)
        }
        packing.take(cut.a, cut.outputMajorB(scaledBy: scale))
        guard packing.isComplete else {
            self.packing = packing
            return
        }
        try write(packing.a, packing.b, nil, of: module)
    }

    /// Writes a module's merge, whose rank is exactly the file's rank of the module.
    package mutating func take(_ stack: StackedFactors, of module: ModuleShape) throws(SafetensorsWriteError) {
        let rank = ranks[module.owner] ?? module.maximumRank
        guard stack.rank == rank else {
            throw .rank(module: module.name, expected: rank, found: stack.rank)
        }
        try file.write(rows: rank, width: stack.inputs, to: module.nameOfA.peft) { stack.fillA(rows: $0, $1) }
        try file.write(rows: stack.outputs, width: rank, to: module.nameOfB.peft) { stack.fillB(rows: $0, $1) }
        try write(stack.bias, of: module)
    }

    private mutating func write(
        _ a: [Float], _ outputMajorB: [Float], _ bias: [Float]?, of module: ModuleShape
    ) throws(SafetensorsWriteError) {
        try file.write(a, to: module.nameOfA.peft)
        try file.write(outputMajorB, to: module.nameOfB.peft)
        try write(bias, of: module)
    }

    private mutating func write(_ bias: [Float]?, of module: ModuleShape) throws(SafetensorsWriteError) {
        guard module.hasBias else { return }
        guard let bias else { throw .missing(module.nameOfBias.peft) }
        try file.write(bias, to: module.nameOfBias.peft)
    }

    package mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws(SafetensorsWriteError) {
        try file.write(values, to: TensorName.dense(tensor.name).peft)
    }

    /// Writes everything that the shape names from a source and finishes the file.
    package consuming func take(_ source: any AdapterSource) throws {
        for module in shape.modules {
            let rank = ranks[module.owner] ?? module.maximumRank
            guard let factors = try source.factors(of: module, rank: rank) else {
                throw SafetensorsWriteError.missing(module.nameOfA.peft)
            }
            try take(factors, of: module)
        }
        for tensor in shape.dense {
            guard let values = try source.values(of: tensor) else {
                throw SafetensorsWriteError.missing(TensorName.dense(tensor.name).peft)
            }
            try take(values, of: tensor)
        }
        try finish()
    }

    /// Checks that everything in the shape was written.
    package consuming func finish() throws(SafetensorsWriteError) {
        try file.finish()
    }
}

/// Packs the factors of a parameter's experts as PEFT does.
private struct ExpertPacking {
    let owner: String
    /// (experts · rank × inputs), the rows of an expert together.
    private(set) var a: [Float] = []
    /// (outputs × rank · experts), the columns of a component together.
    private(set) var b: [Float]
    /// The next expert.
    private(set) var next = 0
    private let count: Int
    private let rank: Int

    init(of module: ModuleShape, count: Int, rank: Int) {
        owner = module.owner
        self.count = count
        self.rank = rank
        a.reserveCapacity(count * rank * module.inputs)
        b = [Float](repeating: 0, count: module.outputs * rank * count)
    }

    var isComplete: Bool { next == count }

    mutating func take(_ a: [Float], _ outputMajorB: [Float]) {
        self.a += a
        for (place, value) in outputMajorB.enumerated() { b[place * count + next] = value }
        next += 1
    }
}

extension SafetensorsLayout {
    /// The file of an adapter of the given ranks; a module without an entry has its maximum.
    package init(
        shape: AdapterShape, ranks: [String: Int] = [:], type: ScalarType, messageBits: MessageBits? = nil
    ) throws(SafetensorsWriteError) {
        var tensors: [Tensor] = []
        func add(_ name: TensorName, _ shape: [Int]) {
            tensors.append(Tensor(name: name.peft, type: type, shape: shape, messageBits: messageBits))
        }
        for module in shape.modules where (module.expert?.index ?? 0) == 0 {
            let rank = ranks[module.owner] ?? module.maximumRank
            add(module.nameOfA, module.shapeOfA(rank: rank))
            add(module.nameOfB, module.shapeOfB(rank: rank))
            if module.hasBias { add(module.nameOfBias, [module.outputs]) }
        }
        for tensor in shape.dense { add(.dense(tensor.name), tensor.shape) }
        try self.init(tensors: tensors)
    }
}
