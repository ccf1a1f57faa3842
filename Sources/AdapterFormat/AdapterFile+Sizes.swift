extension AdapterFile {
    /// How large the entries of a module's factors are. The packed experts of a parameter count as one module.
    package struct FactorSizes: Sendable {
        /// The root mean square of A's entries; 0 where the file has none.
        package fileprivate(set) var a = 0.0
        /// The root mean square of B's entries, as the file has them.
        package fileprivate(set) var b = 0.0
    }

    /// The sizes of the factors, by module path.
    ///
    /// - Parameter squares: sums of squares that are already known, by the file's name of the tensor; other tensors are
    ///   read.
    package func factorSizes(knowing squares: [String: Double] = [:]) -> [String: FactorSizes] {
        var sizes: [String: FactorSizes] = [:]
        for tensor in factors where tensor.elementCount > 0 {
            let mean = { ((squares[tensor.name] ?? tensor.squareSum()) / Double(tensor.elementCount)).squareRoot() }
            switch TensorName(parsing: tensor.name) {
            case .factorA(let module, _): sizes[module, default: FactorSizes()].a = mean()
            case .factorB(let module, _): sizes[module, default: FactorSizes()].b = mean()
            case .bias, .dense: break
            }
        }
        return sizes
    }
}
