package import AdapterFormat
import LinearAlgebra

/// A layer of a base model that an adapter may change, under its name in adapters.
package struct FrozenLayer: Sendable {
    /// PEFT's module path.
    package let name: String
    package let kind: ModuleShape.Kind
    /// (outputs × inputs); for a convolution (outputs × channels × height × width).
    package internal(set) var weight: FrozenTensor

    package init(name: String, kind: ModuleShape.Kind = .linear, weight: FrozenTensor) {
        self.name = name
        self.kind = kind
        self.weight = weight
    }

    /// The length of a row of A; for a convolution, channels × height × width.
    package var inputs: Int { weight.matrix.columns }
    package var outputs: Int { weight.shape[0] }

    /// W ← W + B·A, in a copy.
    mutating func add(_ merged: ModuleFactors) {
        let sum = weight.copy()
        merged.a.withUnsafeBufferPointer { a in
            merged.b.withUnsafeBufferPointer { b in
                MatrixProduct.accumulate(
                    into: sum.matrix(rows: outputs, columns: inputs), keep: 1,
                    MatrixView(b, rows: merged.rank, columns: merged.outputs), .transposed,
                    MatrixView(a, rows: merged.rank, columns: merged.inputs), .asGiven)
            }
        }
        weight = FrozenTensor(shape: weight.shape, block: sum)
    }
}
