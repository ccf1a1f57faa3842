/// The shape of every adapter of a federation: its modules, its dense tensors, and the type of published numbers.
package struct AdapterShape: Sendable, Hashable {
    /// A tensor that is no LoRA factor and is sent beside them.
    package struct Dense: Sendable, Hashable {
        /// Without PEFT's prefix.
        package let name: String
        package let shape: [Int]
        package let initial: InitialValues

        package init(name: String, shape: [Int], initial: InitialValues = .base) {
            self.name = name
            self.shape = shape
            self.initial = initial
        }

        package var elementCount: Int { shape.reduce(1, *) }
    }

    /// What version 0 has of a dense tensor.
    package enum InitialValues: Sendable, Hashable {
        /// Nothing: every client starts with its own model's values, or draws them from the federation's seed.
        case base
        case zeros
        case ones
        /// Drawn from the federation's seed, with this standard deviation.
        case normal(Double)
        /// The template's values.
        case template
    }

    /// Ascending by name; the experts of a parameter in their order.
    package let modules: [ModuleShape]
    /// Ascending by name, without PEFT's prefix.
    package let dense: [Dense]
    package let type: ScalarType
    /// The number of experts of each parameter whose factors are packed, by owner.
    package let experts: [String: Int]
    private let modulePositions: [String: Int]
    private let densePositions: [String: Int]

    /// - Throws: where a size is not positive, a name is empty or taken twice, a convolution's inputs are no multiple of
    ///   its kernel, the type is not published, or a tensor would not fit in memory.
    package init(modules: [ModuleShape], dense: [Dense] = [], type: ScalarType = .f32) throws(AdapterShapeError) {
        guard !modules.isEmpty || !dense.isEmpty else { throw .noModules }
        guard type.isPublishable else { throw .type(type) }
        for module in modules { try Self.check(module) }
        for tensor in dense { try Self.check(tensor) }
        self.modules = modules.sorted(by: Self.inOrder)
        self.dense = dense.sorted { $0.name.precedes($1.name) }
        self.type = type
        experts = Self.experts(of: modules)
        modulePositions = try Self.positions(self.modules.map(\.name))
        densePositions = try Self.positions(self.dense.map(\.name))
        for tensor in dense { try checkMeaning(of: tensor) }
    }

    /// The shape of an adapter file, with its ranks as the maximum ranks.
    ///
    /// - Parameter alpha: the module's own alpha, by its path; nil where the module uses the common one.
    package init(
        template file: AdapterFile, type: ScalarType = .f32, alpha: (String) -> Double? = { _ in nil }
    ) throws(AdapterShapeError) {
        try self.init(
            modules: file.modules.compactMap { $0.shape?.with(alpha: alpha($0.owner)) },
            dense: file.dense.map { Dense(name: $0.name, shape: $0.values.shape, initial: .template) }, type: type)
    }

    private static func inOrder(_ one: ModuleShape, _ other: ModuleShape) -> Bool {
        guard one.owner == other.owner else { return one.owner.precedes(other.owner) }
        return (one.expert?.index ?? 0) < (other.expert?.index ?? 0)
    }

    private static func experts(of modules: [ModuleShape]) -> [String: Int] {
        Dictionary(modules.compactMap { module in module.expert.map { (module.owner, $0.count) } }) { $1 }
    }

    package func position(ofModule name: String) -> Int? { modulePositions[name] }
    package func position(ofDense name: String) -> Int? { densePositions[name] }
    package subscript(module name: String) -> ModuleShape? { modulePositions[name].map { modules[$0] } }
    package subscript(dense name: String) -> Dense? { densePositions[name].map { dense[$0] } }

    /// The same modules and tensors, with another maximum rank for each module.
    ///
    /// - Precondition: `rank` answers 1 to the module's own maximum.
    package func withRanks(_ rank: (ModuleShape) -> Int) -> AdapterShape {
        AdapterShape(
            ordered: modules.map { $0.with(maximumRank: rank($0)) }, dense: dense, type: type, modulePositions,
            densePositions)
    }

    /// Only the dense tensors, and further ones with other names.
    package func withoutModules(adding tensors: [Dense]) -> AdapterShape {
        let dense = (dense + tensors).sorted { $0.name.precedes($1.name) }
        let positions = Dictionary(dense.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        return AdapterShape(ordered: [], dense: dense, type: type, [:], positions)
    }

    /// The same shape without the dense tensors that do not satisfy the condition.
    package func withDense(where isKept: (Dense) throws -> Bool) rethrows -> AdapterShape {
        let kept = try dense.filter(isKept)
        guard kept.count < dense.count else { return self }
        let positions = Dictionary(kept.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        return AdapterShape(ordered: modules, dense: kept, type: type, modulePositions, positions)
    }

    private init(
        ordered modules: [ModuleShape], dense: [Dense], type: ScalarType, _ modulePositions: [String: Int],
        _ densePositions: [String: Int]
    ) {
        self.modules = modules
        self.dense = dense
        self.type = type
        experts = Self.experts(of: modules)
        self.modulePositions = modulePositions
        self.densePositions = densePositions
    }

    /// The maximum rank of every module path, which is the global adapter's rank.
    package var maximumRanks: [String: Int] { Dictionary(modules.map { ($0.owner, $0.maximumRank) }) { $1 } }

    /// The ranks that a module may have.
    package static let ranks = 1...65_536

    /// The number of numbers in an adapter of the maximum ranks, biases included; saturates at `Int.max`.
    package var numberCount: Int {
        var total = 0
        func add(_ sides: Int...) {
            let product = sides.reduce(1) { product, side in
                let (next, overflow) = product.multipliedReportingOverflow(by: side)
                return overflow ? .max : next
            }
            let (sum, overflow) = total.addingReportingOverflow(product)
            total = overflow ? .max : sum
        }
        for module in modules {
            add(module.inputs, module.maximumRank)
            add(module.outputs, module.maximumRank)
            add(module.outputs)
        }
        for tensor in dense { add(tensor.elementCount) }
        return total
    }

    /// The limits for reading a file of this shape. They leave room for tensors that are then refused by name.
    package var readingLimits: SafetensorsFile.Limits {
        // A quantised tensor takes three entries and a line of the metadata.
        let expected = 3 * modules.count + dense.count
        let names = modules.reduce(0) { $0 + 3 * $1.name.utf8.count } + dense.reduce(0) { $0 + $1.name.utf8.count }
        return .init(
            headerBytes: min(SafetensorsFile.Limits().headerBytes, 65_536 + 4 * names + 1024 * expected),
            tensors: 256 + 4 * expected)
    }
}

/// Why a description is not the shape of an adapter.
package enum AdapterShapeError: Error, Equatable, Sendable {
    case noModules
    case emptyName
    case duplicate(String)
    case size(String, what: String, value: Int)
    case kernel(module: String, inputs: Int, height: Int, width: Int)
    case tooLarge(String)
    case type(ScalarType)
    /// A dense tensor that a mean does not preserve, or that PEFT would not find under this name.
    case meaning(String, reason: String)
}

extension AdapterShapeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noModules: "an adapter needs at least one module or dense tensor"
        case .emptyName: "a module or tensor has no name"
        case .duplicate(let name): "\(name) appears twice"
        case .size(let name, let what, let value): "\(name) has \(what) \(value); at least 1 is needed"
        case .kernel(let module, let inputs, let height, let width):
            "\(module) has \(inputs) inputs, which is no multiple of its \(height)×\(width) kernel"
        case .tooLarge(let name): "\(name) is too large to address"
        case .meaning(let name, let reason): "\(name) \(reason)"
        case .type(let type): "adapters are published as F32, F16 or BF16, not \(type.rawValue)"
        }
    }
}

extension AdapterShape {
    private static func check(_ module: ModuleShape) throws(AdapterShapeError) {
        guard !module.name.isEmpty else { throw .emptyName }
        for (what, value) in [
            ("inputs", module.inputs), ("outputs", module.outputs), ("maximum rank", module.maximumRank),
        ] where value < 1 {
            throw .size(module.name, what: what, value: value)
        }
        if case .conv2d(let height, let width) = module.kind {
            guard height > 0 else { throw .size(module.name, what: "kernel height", value: height) }
            guard width > 0 else { throw .size(module.name, what: "kernel width", value: width) }
            let (area, overflow) = height.multipliedReportingOverflow(by: width)
            guard !overflow, module.inputs.isMultiple(of: area) else {
                throw .kernel(module: module.name, inputs: module.inputs, height: height, width: width)
            }
        }
        guard ranks.contains(module.maximumRank) else { throw .tooLarge(module.name) }
        for side in [module.inputs, module.outputs]
        where ScalarType.f64.byteCount(of: [side, module.maximumRank]) == nil {
            throw .tooLarge(module.name)
        }
    }

    private static func check(_ tensor: Dense) throws(AdapterShapeError) {
        guard !tensor.name.isEmpty else { throw .emptyName }
        for size in tensor.shape where size < 1 { throw .size(tensor.name, what: "a side of", value: size) }
        guard ScalarType.f64.byteCount(of: tensor.shape) != nil else { throw .tooLarge(tensor.name) }
    }

    /// Refuses tensors that must not be averaged or that PEFT would read as something else.
    private func checkMeaning(of tensor: Dense) throws(AdapterShapeError) {
        let name = tensor.name
        for prefix in [TensorName.prefix] where name.hasPrefix(prefix) {
            throw .meaning(name, reason: "begins with \(prefix), which is written and read by itself; leave it out")
        }
        if let objection = TensorName.objection(toDense: name) { throw .meaning(name, reason: objection) }
        if let module = TensorName.module(ofBias: name), modulePositions[module] != nil || experts[module] != nil {
            throw .meaning(name, reason: "is the bias of an adapted module, which PEFT names \(module).base_layer.bias")
        }
    }

    private static func positions(_ names: [String]) throws(AdapterShapeError) -> [String: Int] {
        var positions: [String: Int] = [:]
        for (position, name) in names.enumerated() {
            guard positions.updateValue(position, forKey: name) == nil else { throw .duplicate(name) }
        }
        return positions
    }
}
