/// A safetensors file read as a LoRA adapter: which tensor is which factor of which module.
package struct AdapterFile: Sendable {
    package struct Module: Sendable {
        /// PEFT's module path.
        package let name: String
        package let rank: Int
        package let isEmbedding: Bool
        /// (rank × inputs); nil where the client sent the other factor only.
        package let a: TensorView?
        /// (outputs × rank); nil where the client sent the other factor only.
        package let b: TensorView?
        package let bias: TensorView?
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

    /// Sorts the tensors of a file into modules.
    ///
    /// - Throws: where a tensor comes twice (with and without PEFT's prefix), a factor has sides that no kind of module
    ///   has, two factors disagree about the rank, a bias comes alone or of another size, or there is no tensor at all.
    package init(_ file: SafetensorsFile) throws(AdapterError) {
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
                guard dense.updateValue(tensor, forKey: bare) == nil else { throw .duplicate(tensor: bare) }
            }
        }
        guard !parts.isEmpty || !dense.isEmpty else { throw .noModules }
        var modules: [Module] = []
        for (name, part) in parts.sorted(by: { $0.key.precedes($1.key) }) {
            modules.append(try part.module(named: name))
        }
        self.modules = modules
        self.dense = dense.sorted { $0.key.precedes($1.key) }.map { Dense(name: $0.key, values: $0.value) }
        modulePositions = Dictionary(uniqueKeysWithValues: modules.enumerated().map { ($1.name, $0) })
        densePositions = Dictionary(uniqueKeysWithValues: self.dense.enumerated().map { ($1.name, $0) })
    }

    package subscript(module name: String) -> Module? { modulePositions[name].map { modules[$0] } }
    package subscript(dense name: String) -> Dense? { densePositions[name].map { dense[$0] } }

    /// Module by module, then the dense ones.
    var tensors: [TensorView] {
        modules.flatMap { [$0.a, $0.b, $0.bias].compactMap(\.self) } + dense.map(\.values)
    }

    /// The rank of every module.
    package var ranks: [String: Int] { Dictionary(uniqueKeysWithValues: modules.map { ($0.name, $0.rank) }) }
}

extension AdapterFile.Module {
    /// The module's shape with this file's rank as the maximum; nil where a factor is missing.
    package var shape: ModuleShape? {
        guard let a, let b else { return nil }
        let kind: ModuleShape.Kind =
            isEmbedding ? .embedding : a.shape.count == 4 ? .conv2d(height: a.shape[2], width: a.shape[3]) : .linear
        return ModuleShape(
            name: name, kind: kind, inputs: a.elementCount / rank, outputs: b.elementCount / rank, maximumRank: rank,
            hasBias: bias != nil)
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
        return AdapterFile.Module(name: name, rank: ranks[0], isEmbedding: embedding, a: a, b: b, bias: bias)
    }
}
