/// Which of a module's two factors clients must send in a round.
package struct FactorSet: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let a = FactorSet(rawValue: 1)
    package static let b = FactorSet(rawValue: 2)
    package static let both: FactorSet = [.a, .b]
}

extension AdapterFile {
    /// Checks an update against the shape of its federation and the ranks granted to its client.
    ///
    /// A module or dense tensor may be missing, and a rank may be below the granted one; everything else must fit.
    /// Reads every number once, from the file's own pages.
    ///
    /// - Parameters:
    ///   - ranks: the granted rank of every module; a module without an entry may have its maximum.
    ///   - needed: the factors that must be there; the other one may be there too.
    ///   - messageBits: the quantised messages that are accepted beside plain ones.
    package func validate(
        against shape: AdapterShape, ranks: [String: Int], needed: FactorSet = .both,
        messageBits: Set<MessageBits> = []
    ) throws(AdapterError) {
        try checkShapes(against: shape, ranks: ranks, needed: needed, messageBits: messageBits)
        try checkFinite()
    }

    /// The part of `validate` that does not read numbers.
    package func checkShapes(
        against shape: AdapterShape, ranks: [String: Int], needed: FactorSet = .both,
        messageBits: Set<MessageBits> = []
    ) throws(AdapterError) {
        if modules.isEmpty, let expected = shape.modules.first {
            throw dense.first.map { .noFactor(tensor: $0.name, expected: expected.nameOfA.peft) } ?? .noModules
        }
        for tensor in tensors {
            guard let bits = tensor.messageBits, !messageBits.contains(bits) else { continue }
            throw .quantised(tensor: TensorName(parsing: tensor.name).bare, bits: bits)
        }
        for module in modules {
            guard let expected = shape[module: module.name] else {
                let tensor = module.a ?? module.packedB
                throw .unknownModule(
                    tensor: tensor.map { TensorName(parsing: $0.name).bare } ?? module.owner, module: module.owner)
            }
            try module.check(
                against: expected, grantedRank: ranks[module.owner] ?? expected.maximumRank, needed: needed)
        }
        for module in modules {
            let magnitude = module.owner + TensorName.magnitude
            guard shape[dense: magnitude] != nil, self[dense: magnitude] == nil else { continue }
            throw .missingFactor(tensor: magnitude, module: module.owner)
        }
        for tensor in dense {
            guard let expected = shape[dense: tensor.name] else { throw .unknownDense(tensor: tensor.name) }
            guard tensor.values.shape == expected.shape else {
                throw .shape(tensor: tensor.name, expected: expected.shape, found: tensor.values.shape)
            }
        }
    }

    /// The largest absolute value that an update may hold. It is far beyond any that training reaches. Products of
    /// factors, their sums and their scales still fit in a Float. Without this limit one update could spoil the adapter
    /// for all.
    package static let largestNumber: Float = 1e15

    /// The part of `validate` that reads every number.
    package func checkFinite() throws(AdapterError) {
        for tensor in tensors where tensor.count(beyond: Self.largestNumber) > 0 {
            let name = TensorName(parsing: tensor.name).bare
            let count = tensor.notFiniteCount()
            guard count == 0 else { throw .notFinite(tensor: name, count: count) }
            throw .tooLarge(tensor: name, limit: Self.largestNumber)
        }
    }
}

extension AdapterFile.Module {
    fileprivate func check(
        against expected: ModuleShape, grantedRank: Int, needed: FactorSet
    ) throws(AdapterError) {
        let shapeOfA = expert == nil ? expected.shapeOfA(rank: rank) : [rank, expected.inputs]
        for (factor, name, tensor, wanted) in [
            (FactorSet.a, expected.nameOfA, a, shapeOfA),
            (FactorSet.b, expected.nameOfB, packedB, expected.shapeOfB(rank: rank)),
        ] {
            guard let tensor else {
                if needed.contains(factor) { throw .missingFactor(tensor: name.bare, module: owner) }
                continue
            }
            guard isEmbedding == expected.isEmbedding else {
                throw .otherKind(tensor: TensorName(parsing: tensor.name).bare, expected: name.bare)
            }
            guard tensor.shape == wanted else {
                throw .shape(tensor: TensorName(parsing: tensor.name).bare, expected: wanted, found: tensor.shape)
            }
            guard rank <= grantedRank else {
                throw .rankAboveGrant(tensor: name.bare, granted: grantedRank, found: rank)
            }
        }
        switch (bias, expected.hasBias) {
        case (let bias?, true):
            guard bias.shape == [expected.outputs] else {
                throw .shape(tensor: expected.nameOfBias.bare, expected: [expected.outputs], found: bias.shape)
            }
        case (_?, false): throw .unexpectedBias(tensor: expected.nameOfBias.bare)
        case (nil, true):
            if needed.contains(.b) { throw .missingFactor(tensor: expected.nameOfBias.bare, module: owner) }
        case (nil, false): break
        }
    }
}
