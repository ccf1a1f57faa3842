/// A safetensors file read as a LoRA adapter: it says which tensor is which factor of which module.
package struct AdapterFile: Sendable {
    package struct Module: Sendable {
        /// PEFT's module path; an expert's number follows after `#`.
        package let name: String
        /// PEFT's module path.
        package let owner: String
        package let rank: Int
        package let isEmbedding: Bool
        package let expert: ModuleShape.Expert?
        /// (rank × inputs); nil where the client sent only the other factor.
        package let a: TensorView?
        /// B as the file has it: (outputs × rank), or with the columns of all experts.
        let packedB: TensorView?
        package let bias: TensorView?

        /// (outputs × rank); nil where the client sent only the other factor. Each access copies an expert's columns.
        package var b: TensorView? {
            guard let expert else { return packedB }
            return packedB?.columns(from: expert.index, each: expert.count)
        }
    }

    /// A tensor that is no LoRA factor.
    package struct Dense: Sendable {
        /// Without PEFT's prefix.
        package let name: String
        package let values: TensorView
    }

    /// Ascending by name.
    package let modules: [Module]
    /// Ascending by name.
    package let dense: [Dense]
    private let modulePositions: [String: Int]
    private let densePositions: [String: Int]
    let factors: [TensorView]

    /// Sorts the tensors of a file into modules.
    ///
    /// - Parameter experts: the number of experts of each parameter whose factors are packed, by module path.
    /// - Throws: where a tensor comes twice (with and without PEFT's prefix), a factor's shape fits no kind of module,
    ///   two factors disagree about the rank, a bias comes alone or has another size, or there is no tensor at all.
    package init(_ file: SafetensorsFile, experts: [String: Int] = [:]) throws(AdapterError) {
        var parts: [String: Parts] = [:]
        var dense: [String: TensorView] = [:]
        for tensor in file.tensors {
            let name = TensorName(parsing: tensor.name)
            switch name {
            case .factorA(let module, let embedding):
                try parts[module, default: Parts()].put(tensor, as: \.a, name, embedding: embedding)
            case .factorB(let module, let embedding):
                try parts[module, default: Parts()].put(tensor, as: \.b, name, embedding: embedding)
            case .bias(let module):
                try parts[module, default: Parts()].put(tensor, as: \.bias, name, embedding: nil)
            case .dense(let bare):
                if let foreign = ForeignName(parsing: tensor.name) { throw .foreignName(foreign) }
                guard dense.updateValue(tensor, forKey: bare) == nil else { throw .duplicate(tensor: bare) }
            }
        }
        guard !parts.isEmpty || !dense.isEmpty else { throw .noModules }
        var modules: [Module] = []
        var factors: [TensorView] = []
        for (name, part) in parts.sorted(by: { $0.key.precedes($1.key) }) {
            let module = try part.module(named: name)
            factors += [module.a, module.packedB, module.bias].compactMap(\.self)
            if let count = experts[name] {
                modules += try module.unpacked(into: count)
            } else {
                modules.append(module)
            }
        }
        self.modules = modules
        self.factors = factors
        self.dense = dense.sorted { $0.key.precedes($1.key) }.map { Dense(name: $0.key, values: $0.value) }
        modulePositions = Dictionary(uniqueKeysWithValues: modules.enumerated().map { ($1.name, $0) })
        densePositions = Dictionary(uniqueKeysWithValues: self.dense.enumerated().map { ($1.name, $0) })
    }

    package subscript(module name: String) -> Module? { modulePositions[name].map { modules[$0] } }
    package subscript(dense name: String) -> Dense? { densePositions[name].map { dense[$0] } }

    /// All tensors: the factors module by module, then the dense ones.
    var tensors: [TensorView] { factors + dense.map(\.values) }

    /// The rank of every module path.
    package var ranks: [String: Int] { Dictionary(modules.map { ($0.owner, $0.rank) }) { $1 } }
}

extension AdapterFile.Module {
    /// The module's shape with this file's rank as the maximum; nil where a factor is missing.
    package var shape: ModuleShape? {
        guard let a, let packedB else { return nil }
        let kind: ModuleShape.Kind =
            isEmbedding ? .embedding : a.shape.count == 4 ? .conv2d(height: a.shape[2], width: a.shape[3]) : .linear
        return ModuleShape(
            name: owner, kind: kind, inputs: a.elementCount / rank, outputs: packedB.shape[0], maximumRank: rank,
            hasBias: bias != nil, expert: expert)
    }

    /// The experts of a parameter, whose factors PEFT packs into two tensors: A (experts · rank × inputs) with the rows
    /// of an expert together, B (outputs × rank · experts) with the columns of a component together.
    fileprivate func unpacked(into count: Int) throws(AdapterError) -> [AdapterFile.Module] {
        let nameOfA = TensorName.factorA(module: owner, embedding: isEmbedding).bare
        guard !isEmbedding, bias == nil, a?.shape.count ?? 2 == 2, packedB?.shape.count ?? 2 == 2 else {
            throw .notExperts(tensor: nameOfA, experts: count, found: a?.shape ?? packedB?.shape ?? [])
        }
        guard rank.isMultiple(of: count) else {
            throw .notExperts(tensor: nameOfA, experts: count, found: a?.shape ?? packedB?.shape ?? [])
        }
        return (0..<count).map { index in
            AdapterFile.Module(
                name: "\(owner)#\(index)", owner: owner, rank: rank / count, isEmbedding: false,
                expert: .init(index: index, count: count),
                a: a?.rows(index * (rank / count)..<(index + 1) * (rank / count)), packedB: packedB, bias: nil)
        }
    }
}

/// The tensors of one module while a file is being sorted.
private struct Parts {
    var a: TensorView?
    var b: TensorView?
    var bias: TensorView?
    var isEmbedding: Bool?

    mutating func put(
        _ tensor: TensorView, as part: WritableKeyPath<Parts, TensorView?>, _ name: TensorName, embedding: Bool?
    ) throws(AdapterError) {
        guard self[keyPath: part] == nil else { throw .duplicate(tensor: name.bare) }
        if let embedding {
            guard isEmbedding == nil || isEmbedding == embedding else { throw .mixedKinds(tensor: name.bare) }
            isEmbedding = embedding
        }
        self[keyPath: part] = tensor
    }

    func module(named name: String) throws(AdapterError) -> AdapterFile.Module {
        let embedding = isEmbedding ?? false
        let nameOfA = TensorName.factorA(module: name, embedding: embedding).bare
        let nameOfB = TensorName.factorB(module: name, embedding: embedding).bare
        guard a != nil || b != nil else { throw .missingFactor(tensor: nameOfA, module: name) }
        var ranks: [Int] = []
        if let a {
            guard a.shape.count == 2 || (a.shape.count == 4 && !embedding), !a.shape.contains(0) else {
                throw .notAFactor(tensor: nameOfA, found: a.shape)
            }
            ranks.append(a.shape[0])
        }
        if let b {
            let isMatrix = b.shape.count == 2 || (b.shape.count == 4 && b.shape[2] == 1 && b.shape[3] == 1)
            guard isMatrix, !b.shape.contains(0), a == nil || a?.shape.count == b.shape.count else {
                throw .notAFactor(tensor: nameOfB, found: b.shape)
            }
            ranks.append(b.shape[1])
        }
        guard ranks[0] == ranks[ranks.count - 1] else {
            throw .ranksDiffer(tensor: nameOfB, rankOfA: ranks[0], rankOfB: ranks[1])
        }
        if let bias, bias.shape != [b?.shape[0] ?? bias.elementCount] {
            throw .biasDiffers(
                tensor: TensorName.bias(module: name).bare, outputs: b?.shape[0] ?? bias.elementCount, found: bias.shape
            )
        }
        return AdapterFile.Module(
            name: name, owner: name, rank: ranks[0], isEmbedding: embedding, expert: nil, a: a, packedB: b, bias: bias)
    }
}
