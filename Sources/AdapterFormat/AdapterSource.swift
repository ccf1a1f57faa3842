/// A source of an adapter, read module by module: a file, a store, a generator.
package protocol AdapterSource {
    /// The first `rank` components of a module, or all where there are fewer; nil where the adapter lacks the module.
    func factors(of module: ModuleShape, rank: Int) throws -> ModuleFactors?

    /// The values of a dense tensor; nil where the adapter lacks it.
    func values(of tensor: AdapterShape.Dense) throws -> [Float]?
}

/// A destination of an adapter, written module by module, in the order of its shape.
package protocol AdapterSink: ~Copyable {
    mutating func take(_ factors: ModuleFactors, of module: ModuleShape) throws
    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws
}

extension AdapterFile: AdapterSource {
    package func factors(of module: ModuleShape, rank: Int) -> ModuleFactors? {
        self[module: module.name].flatMap(ModuleFactors.init)?.prefix(rank: rank)
    }

    package func values(of tensor: AdapterShape.Dense) -> [Float]? {
        self[dense: tensor.name]?.values.floats()
    }
}
