import ArgumentParser

/// The modules of a benchmark's adapters: `64x4096x4096` is modules × inputs × outputs.
struct BenchShape: ExpressibleByArgument {
    let modules: Int
    let inputs: Int
    let outputs: Int

    /// LLaMA-7B's q_proj and v_proj.
    init() {
        (modules, inputs, outputs) = (64, 4096, 4096)
    }

    init?(argument: String) {
        let sides = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard sides.count == 3, sides.allSatisfy({ (1...1_000_000).contains($0) }) else { return nil }
        (modules, inputs, outputs) = (sides[0], sides[1], sides[2])
    }

    var defaultValueDescription: String { "\(modules)x\(inputs)x\(outputs)" }

    /// There are two modules per layer, with PEFT's names.
    func name(of module: Int) -> String {
        "model.layers.\(module / 2).self_attn.\(module.isMultiple(of: 2) ? "q" : "v")_proj"
    }
}

/// Ranks, separated by commas.
package struct BenchRanks: ExpressibleByArgument {
    package let values: [Int]

    init() { values = [4, 8, 16, 32, 64] }

    package init(_ values: [Int]) { self.values = values }

    package init?(argument: String) {
        let values = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard values.allSatisfy({ (1...65_536).contains($0) }) else { return nil }
        self.values = values
    }

    package var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }
}
