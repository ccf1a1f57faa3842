/// The tensors of one module under another program's names.
struct ForeignModule {
    /// The name that the program uses.
    let name: String
    private let convention: ForeignName.Convention
    private var parts: [ForeignName.Part: TensorView] = [:]

    init(_ name: String, _ convention: ForeignName.Convention) {
        self.name = name
        self.convention = convention
    }

    mutating func put(_ tensor: TensorView, _ name: ForeignName) throws(ConversionError) {
        switch name.part {
        case .other(let kind):
            throw .unsupported(tensor: tensor.name, reason: "\(kind) is no product of two factors, which LoRA is")
        case .mid:
            throw .unsupported(
                tensor: tensor.name, reason: "it is the core of a convolution in three factors; PEFT's LoRA has two")
        default: break
        }
        if let other = parts.updateValue(tensor, forKey: name.part) {
            throw .duplicate(tensor: other.name, other: tensor.name, name: "one part of \(self.name)")
        }
    }

    /// The module's place: the part of a pipeline, and the path there.
    func place(among models: ModelModules?) throws(ConversionError) -> (component: String, path: String) {
        let tensor = parts.values.map(\.name).min { $0.precedes($1) } ?? name
        switch convention {
        case .kohya, .lycoris:
            guard let flattened = FlattenedPath(name) else {
                throw .unknownModule(
                    tensor: tensor,
                    reason: "has none of the prefixes lora_unet_, lora_te_, lora_te1_, lora_te2_, "
                        + "lora_te3_, lora_transformer_ and lycoris_")
            }
            let readings = flattened.readings
            var found = readings
            if let models {
                found = models.paths(flattened: flattened.text)
                if found.isEmpty { found = readings.compactMap(models.path) }
                guard !found.isEmpty else {
                    throw .unknownModule(
                        tensor: tensor, reason: "no name in --modules is \(flattened.text) with points")
                }
            }
            guard let path = found.first else {
                throw .unknownModule(
                    tensor: tensor,
                    reason:
                        "diffusers' and CLIP's models have not under these names (\(flattened.text)); give --modules "
                        + "FILE with the base model's names")
            }
            guard found.count == 1 else { throw .ambiguousModule(tensor: tensor, found) }
            return (flattened.component, path)
        case .diffusers:
            let path = DiffusersPath(name)
            return (path.component, try find(path.module, among: models, tensor))
        case .memory, .mlx, .loralib:
            return ("", try find(name, among: models, tensor))
        }
    }

    private func find(
        _ path: String, among models: ModelModules?, _ tensor: String
    ) throws(ConversionError) -> String {
        guard let models else { return path }
        guard let found = models.path(of: path) else {
            throw .unknownModule(tensor: tensor, reason: "--modules does not name (\(path))")
        }
        return found
    }

    /// The module in PEFT's form.
    ///
    /// - Parameter weight: the shape of the base model's weight, if known.
    func converted(at path: String, weight: [Int]?) throws(ConversionError) -> ConvertedModule {
        let isEmbedding = parts[.embeddingA] != nil || parts[.embeddingB] != nil || isEmbeddingOfMLX
        let (a, b) = try factors(isEmbedding)
        let turned = convention == .mlx
        let nameOfA = TensorName.factorA(module: path, embedding: isEmbedding)
        let nameOfB = TensorName.factorB(module: path, embedding: isEmbedding)
        var first = ConvertedTensor(a, as: nameOfA, isTransposed: turned)
        var second = ConvertedTensor(b, as: nameOfB, isTransposed: turned)
        try check(first, second)
        let rank = first.shape[0]
        let (inputs, outputs) = (first.shape.dropFirst().reduce(1, *), second.shape[0])
        if let weight {
            guard let fitted = Self.fitted(first.shape, outputs, weight, isEmbedding: isEmbedding) else {
                throw .shape(
                    tensor: a.name, found: a.shape,
                    expected: "the factors of a weight of \(weight.map(String.init).joined(separator: "×"))")
            }
            first = ConvertedTensor(a, as: nameOfA, shape: fitted, isTransposed: turned)
            let flat = fitted.count == 2
            second = ConvertedTensor(
                b, as: nameOfB, shape: flat ? [outputs, rank] : [outputs, rank, 1, 1], isTransposed: turned)
        }
        let kind: ModuleShape.Kind =
            isEmbedding
            ? .embedding
            : first.shape.count == 4 ? .conv2d(height: first.shape[2], width: first.shape[3]) : .linear
        var module = ConvertedModule(
            shape: ModuleShape(
                name: path, kind: kind, inputs: inputs, outputs: outputs, maximumRank: rank,
                hasBias: parts[.bias] != nil),
            alpha: try alpha(), tensors: [first, second])
        if let bias = parts[.bias] {
            guard bias.shape == [outputs] else {
                throw .shape(tensor: bias.name, found: bias.shape, expected: "\(outputs), the outputs of \(b.name)")
            }
            module.tensors.append(ConvertedTensor(bias, as: .bias(module: path)))
        }
        if let magnitude = parts[.magnitude] {
            module.magnitude = ConvertedTensor(
                magnitude, as: .dense(path + TensorName.magnitude),
                shape: try shape(ofMagnitude: magnitude, inputs: inputs, outputs: outputs, kind))
        }
        return module
    }

    private func factors(_ isEmbedding: Bool) throws(ConversionError) -> (a: TensorView, b: TensorView) {
        let a = parts[.a] ?? parts[.embeddingA]
        let b = parts[.b] ?? parts[.embeddingB]
        guard let a else { throw .missing(part: "the first factor of \(name)", beside: b?.name ?? anyTensor) }
        guard let b else { throw .missing(part: "the second factor of \(name)", beside: a.name) }
        return (a, b)
    }

    private var anyTensor: String { parts.values.map(\.name).min { $0.precedes($1) } ?? name }

    /// MLX's names of factors do not mark embeddings; language models use these names for them.
    private var isEmbeddingOfMLX: Bool {
        guard convention == .mlx, let last = name.split(separator: ".").last else { return false }
        return [
            "embed_tokens", "wte", "wpe", "word_embeddings", "tok_embeddings", "embeddings", "embedding", "embed_in",
        ]
        .contains(last)
    }

    private func check(_ a: ConvertedTensor, _ b: ConvertedTensor) throws(ConversionError) {
        let sides = convention == .mlx ? 2...2 : 2...4
        guard sides.contains(a.source.shape.count), a.shape.count != 3, !a.shape.contains(0) else {
            throw .shape(
                tensor: a.source.name, found: a.source.shape,
                expected: convention == .mlx
                    ? "a matrix (inputs × rank); experts' factors have no such form in PEFT's files"
                    : "a matrix (rank × inputs), or rank × channels × height × width")
        }
        let isMatrix = b.shape.count == 2 || (b.shape.count == 4 && b.shape[2] == 1 && b.shape[3] == 1)
        guard isMatrix, b.shape.count == a.shape.count, !b.shape.contains(0) else {
            throw .shape(
                tensor: b.source.name, found: b.source.shape,
                expected: a.shape.count == 4 ? "outputs × rank × 1 × 1, as \(a.source.name) has four sides" : "a matrix"
            )
        }
        guard a.shape[0] == b.shape[1] else {
            throw .shape(
                tensor: b.source.name, found: b.source.shape, expected: "rank \(a.shape[0]), as \(a.source.name) has it"
            )
        }
    }

    /// A's shape as the base's weight needs it; nil where it does not fit. A kernel of 1 × 1 is a matrix too.
    private static func fitted(_ a: [Int], _ outputs: Int, _ weight: [Int], isEmbedding: Bool) -> [Int]? {
        let (rank, inputs) = (a[0], a.dropFirst().reduce(1, *))
        switch weight.count {
        case 2:
            // GPT-2 keeps its weights as inputs × outputs; embedding tables are rows × columns.
            let fits =
                isEmbedding
                ? weight == [inputs, outputs] : weight == [outputs, inputs] || weight == [inputs, outputs]
            return fits ? [rank, inputs] : nil
        case 4:
            guard !isEmbedding, weight[0] == outputs else { return nil }
            let shape = [rank] + weight[1...]
            let isSame = a.count == 4 && a == shape
            let isFlat = a.count == 2 && shape[1] == inputs && shape[2] == 1 && shape[3] == 1
            return isSame || isFlat ? shape : nil
        default: return nil
        }
    }

    private func alpha() throws(ConversionError) -> Double? {
        guard let tensor = parts[.alpha] else { return nil }
        guard tensor.elementCount == 1, tensor.shape.count < 2, let value = tensor.floats().first else {
            throw .shape(tensor: tensor.name, found: tensor.shape, expected: "a single number")
        }
        guard value.isFinite else { throw .alpha(tensor: tensor.name, reason: "is \(value); expected a finite number") }
        return Double(value)
    }

    /// PEFT's magnitude has one number for each output. LyCORIS's has one for each input by default.
    private func shape(
        ofMagnitude tensor: TensorView, inputs: Int, outputs: Int, _ kind: ModuleShape.Kind
    ) throws(ConversionError) -> [Int] {
        guard kind != .embedding else {
            throw .unsupported(
                tensor: tensor.name, reason: "MLX has a magnitude for each row of a table, and PEFT one for each column"
            )
        }
        var sides = tensor.shape
        if case .conv2d = kind, sides.count == 4, sides[0] == 1, sides[1] == outputs,
            sides[2...].allSatisfy({ $0 == 1 })
        {
            sides = [outputs]
        }
        guard sides.first == outputs, sides.dropFirst().allSatisfy({ $0 == 1 }) else {
            let reason =
                tensor.elementCount == outputs || sides.first != 1
                ? "its sides are not one number for each of \(outputs) outputs"
                : "it has a number for each input, and PEFT's magnitude one for each of \(outputs) outputs"
            throw .unsupported(tensor: tensor.name, reason: reason)
        }
        if case .conv2d = kind { return [1, outputs, 1, 1] }
        return [outputs]
    }
}

/// A module in PEFT's form.
struct ConvertedModule {
    let shape: ModuleShape
    /// The alpha that the file gives.
    let alpha: Double?
    /// The factors, and B's bias.
    var tensors: [ConvertedTensor]
    /// DoRA's magnitude.
    var magnitude: ConvertedTensor?
}
