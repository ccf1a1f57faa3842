package import AdapterFormat
import LinearAlgebra

/// A layer of a base model that an adapter may change, under its name in adapters.
package struct FrozenLayer: Sendable {
    private enum Storage: Sendable {
        case floats(FrozenTensor)
        /// A matrix in a file, and what merges have added to it.
        case rows(any RowReader, merges: [MergedRows.Branch])
    }

    /// PEFT's module path.
    package let name: String
    package let kind: ModuleShape.Kind
    private var storage: Storage

    package init(name: String, kind: ModuleShape.Kind = .linear, weight: FrozenTensor) {
        self.name = name
        self.kind = kind
        storage = .floats(weight)
    }

    /// A linear layer whose matrix (outputs × inputs) stays in its file.
    package init(name: String, rows: any RowReader) {
        self.name = name
        kind = .linear
        storage = .rows(rows, merges: [])
    }

    /// (outputs × inputs); for a convolution (outputs × channels × height × width). A matrix in a file is widened as a whole
    /// for each call: its users read `rows`.
    package internal(set) var weight: FrozenTensor {
        get {
            if case .floats(let tensor) = storage { return tensor }
            let block = FloatBlock(count: outputs * inputs)
            if let base = block.floats.baseAddress { rows.read(rows: 0..<outputs, into: base) }
            return FrozenTensor(shape: [outputs, inputs], block: block)
        }
        set { storage = .floats(newValue) }
    }

    /// What merges have added to a matrix in a file.
    var merges: [MergedRows.Branch] {
        switch storage {
        case .floats: []
        case .rows(_, let merges): merges
        }
    }

    /// The matrix (outputs × inputs), a few rows at a time, merges included.
    package var rows: any RowReader {
        switch storage {
        case .floats(let tensor): tensor
        case .rows(let rows, let merges): merges.isEmpty ? rows : MergedRows(base: rows, branches: merges)
        }
    }

    /// The length of a row of A; for a convolution, channels × height × width.
    package var inputs: Int {
        switch storage {
        case .floats(let tensor): tensor.matrix.columns
        case .rows(let rows, _): rows.columns
        }
    }

    package var outputs: Int {
        switch storage {
        case .floats(let tensor): tensor.shape[0]
        case .rows(let rows, _): rows.rows
        }
    }

    /// W ← W + B·A, in a copy; beside a matrix in a file, as a frozen low-rank branch.
    mutating func add(_ merged: ModuleFactors) {
        if case .rows(let rows, let merges) = storage {
            let branch = MergedRows.Branch(
                a: FrozenTensor(shape: [merged.rank, merged.inputs], merged.a),
                b: FrozenTensor(shape: [merged.rank, merged.outputs], merged.b))
            storage = .rows(rows, merges: merges + [branch])
            return
        }
        let shape = weight.shape
        let sum = weight.copy()
        merged.a.withUnsafeBufferPointer { a in
            merged.b.withUnsafeBufferPointer { b in
                MatrixProduct.accumulate(
                    into: sum.matrix(rows: outputs, columns: inputs), keep: 1,
                    MatrixView(b, rows: merged.rank, columns: merged.outputs), .transposed,
                    MatrixView(a, rows: merged.rank, columns: merged.inputs), .asGiven)
            }
        }
        weight = FrozenTensor(shape: shape, block: sum)
    }
}
