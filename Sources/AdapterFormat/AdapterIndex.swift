/// A compact index of a file that was checked against a shape: where each factor begins, in the shape's order.
///
/// A round keeps one for every client. Names and sizes are the same for all clients, so only the shape keeps them.
package struct AdapterIndex: Sendable {
    private struct Place: Sendable {
        var rank: Int32 = 0
        var a: Tensor?
        var b: Tensor?
        var bias: Tensor?
    }

    fileprivate struct Tensor: Sendable {
        let start: Int
        let type: ScalarType
    }

    private enum Content: Sendable {
        case places(TensorStorage, modules: [Place], dense: [Tensor?])
        /// A quantised file; each of its tensors has three parts.
        case whole(AdapterFile)
    }

    private let shape: AdapterShape
    private let content: Content

    /// - Precondition: the file passed `checkShapes` against the shape.
    package init(_ file: AdapterFile, of shape: AdapterShape) {
        self.shape = shape
        guard let storage = file.plainStorage else {
            content = .whole(file)
            return
        }
        content = .places(
            storage,
            modules: shape.modules.map { module in
                guard let found = file[module: module.name] else { return Place() }
                return Place(
                    rank: Int32(truncatingIfNeeded: found.rank), a: found.a.map(Tensor.init),
                    b: found.packedB.map(Tensor.init), bias: found.bias.map(Tensor.init))
            },
            dense: shape.dense.map { file[dense: $0.name].map { Tensor($0.values) } })
    }

    /// The module at a position of the shape; nil where the file lacks it.
    package func module(at position: Int) -> AdapterFile.Module? {
        let module = shape.modules[position]
        switch content {
        case .whole(let file): return file[module: module.name]
        case .places(let storage, let modules, _):
            let place = modules[position]
            guard place.rank > 0 else { return nil }
            let rank = Int(place.rank)
            let shapeOfA = module.expert == nil ? module.shapeOfA(rank: rank) : [rank, module.inputs]
            return AdapterFile.Module(
                name: module.name, owner: module.owner, rank: rank, isEmbedding: module.isEmbedding,
                expert: module.expert,
                a: place.a?.view(of: storage, named: module.nameOfA, shape: shapeOfA),
                packedB: place.b?.view(of: storage, named: module.nameOfB, shape: module.shapeOfB(rank: rank)),
                bias: place.bias?.view(of: storage, named: module.nameOfBias, shape: [module.outputs]))
        }
    }

    /// The dense tensor at a position of the shape; nil where the file lacks it.
    package func dense(at position: Int) -> TensorView? {
        let tensor = shape.dense[position]
        switch content {
        case .whole(let file): return file[dense: tensor.name]?.values
        case .places(let storage, _, let dense):
            return dense[position]?.view(of: storage, named: .dense(tensor.name), shape: tensor.shape)
        }
    }
}

extension AdapterIndex.Tensor {
    fileprivate init(_ view: TensorView) {
        start = view.range.lowerBound
        type = view.type
    }

    fileprivate func view(of storage: TensorStorage, named name: TensorName, shape: [Int]) -> TensorView {
        let count = shape.reduce(1, *) * type.byteCount
        return TensorView(name: name.peft, type: type, shape: shape, storage: storage, range: start..<start + count)
    }
}

extension AdapterFile {
    /// The storage of all tensors; nil where one is quantised.
    fileprivate var plainStorage: TensorStorage? {
        let tensors = tensors
        return tensors.contains { $0.messageBits != nil } ? nil : tensors.first?.storage
    }
}
