package import AdapterFormat
import Crypto

/// What all partial sums of a round share: the federation's strategy and shape, as lines of text that are compared.
package struct PartialPlan: Sendable {
    package let federation: String
    package let round: Int
    package let strategy: Strategy
    package let scaling: Scaling
    /// At the maximum ranks.
    package let shape: AdapterShape

    /// - Throws: `exactSum` where the strategy has no row sums, or moves its result by an optimizer, whose state no
    ///   partial sum has.
    package init(
        federation: String, round: Int, strategy: Strategy, scaling: Scaling, shape: AdapterShape
    ) throws(StrategyError) {
        guard strategy.sum == .exact else {
            throw .exactSum(strategy: strategy.name, reason: "is summed in float here")
        }
        guard strategy.optimizer == .none else {
            throw .exactSum(
                strategy: strategy.name,
                reason: "is moved by the server's \(strategy.optimizer.name), whose state partial sums do not have")
        }
        self.federation = federation
        self.round = round
        self.strategy = strategy
        self.scaling = scaling
        self.shape = shape
    }

    /// The factors that clients send.
    var factors: FactorSet { strategy.demand(in: round).factors }

    static let modulePrefix = "module:"
    static let densePrefix = "dense:"

    /// One key and value for everything that parts must share, ascending by key.
    package var lines: [(key: String, value: String)] {
        var lines = [
            ("federation", federation), ("round", String(round)), ("strategy", strategy.name),
            ("weighting", strategy.weighting.name), ("scaling", Self.text(of: scaling)),
        ]
        lines += shape.modules.map { (Self.modulePrefix + $0.name, Self.text(of: $0)) }
        lines += shape.dense.map { (Self.densePrefix + $0.name, $0.shape.map(String.init).joined(separator: "x")) }
        return lines.sorted { $0.0.precedes($1.0) }.map { (key: $0.0, value: $0.1) }
    }

    /// SHA-256 over the lines.
    package var digest: String {
        var hasher = SHA256()
        for (key, value) in lines { hasher.update("\(key)=\(value)\n") }
        return hasher.hexadecimal()
    }

    /// The first key in which this is not the round of `other`; nil where they are of one round.
    package func difference(from other: PartialPlan) -> PartialSumError? {
        guard digest != other.digest else { return nil }
        let found = Dictionary(lines.map { ($0.key, $0.value) }) { $1 }
        let expected = Dictionary(other.lines.map { ($0.key, $0.value) }) { $1 }
        let key =
            Set(found.keys).union(expected.keys).filter { found[$0] != expected[$0] }.min { $0.precedes($1) } ?? ""
        return .differs(key: key, one: expected[key] ?? "nothing", other: found[key] ?? "nothing")
    }

    /// The length of the longest file of a partial sum with its list, in bytes.
    ///
    /// - Parameters:
    ///   - clients: the most that it has.
    ///   - nameBytes: of the longest client's name.
    package func longestFile(clients: Int, nameBytes: Int) -> Int {
        var bytes = 1 << 16
        func add(_ count: Int, times factor: Int) {
            let (product, overflow) = count.multipliedReportingOverflow(by: factor)
            let (sum, further) = bytes.addingReportingOverflow(product)
            bytes = overflow || further ? .max : sum
        }
        for tensor in PartialTensor.all(of: self) {
            add(tensor.shape.reduce(1, *), times: 16)
            // Both planes' entries in the header.
            add(tensor.name.utf8.count + 256, times: 2)
        }
        for line in lines { add(line.key.utf8.count + line.value.utf8.count + 16, times: 2) }
        add(clients, times: 64 + 1 + nameBytes + 1)
        return bytes
    }

    private static func text(of scaling: Scaling) -> String {
        switch scaling {
        case .constant(let value): "constant \(value)"
        case .lora(let alpha): "lora \(alpha)"
        case .rslora(let alpha): "rslora \(alpha)"
        }
    }

    private static func text(of module: ModuleShape) -> String {
        let kind =
            switch module.kind {
            case .linear: "linear"
            case .embedding: "embedding"
            case .conv2d(let height, let width): "conv2d:\(height)x\(width)"
            }
        var text = "\(kind) inputs=\(module.inputs) outputs=\(module.outputs) rank=\(module.maximumRank)"
        if module.hasBias { text += " bias" }
        if let alpha = module.alpha { text += " alpha=\(alpha)" }
        if let expert = module.expert { text += " expert=\(expert.index)/\(expert.count)" }
        return text
    }
}

extension PartialPlan {
    /// Reads the lines back.
    ///
    /// - Parameter values: without any other keys; what is read must give the same text again.
    init(_ values: [String: String]) throws(PartialSumError) {
        func value(_ key: String) throws(PartialSumError) -> String {
            guard let value = values[key] else { throw .noKey(key) }
            return value
        }
        let round = try value("round")
        guard let number = Int(round), number >= 1, String(number) == round else {
            throw .value(key: "round", found: round, expected: "a number from 1 on")
        }
        let scaling = try value("scaling")
        guard let rule = Self.scaling(scaling) else {
            throw .value(key: "scaling", found: scaling, expected: "constant, lora or rslora with its number")
        }
        var modules: [ModuleShape] = []
        var dense: [AdapterShape.Dense] = []
        for (key, text) in values.sorted(by: { $0.key.precedes($1.key) }) {
            if key.hasPrefix(Self.modulePrefix) {
                guard let module = Self.module(String(key.dropFirst(Self.modulePrefix.count)), text) else {
                    throw .value(key: key, found: text, expected: "the shape of a module")
                }
                modules.append(module)
            } else if key.hasPrefix(Self.densePrefix) {
                let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
                guard sides.allSatisfy({ $0 > 0 }) else {
                    throw .value(key: key, found: text, expected: "the sides of a tensor")
                }
                dense.append(.init(name: String(key.dropFirst(Self.densePrefix.count)), shape: sides))
            }
        }
        do {
            try self.init(
                federation: value("federation"), round: number,
                strategy: Strategy(named: value("strategy"), weighting: value("weighting"), sum: .exact),
                scaling: rule, shape: AdapterShape(modules: modules, dense: dense))
        } catch let error as PartialSumError {
            throw error
        } catch {
            throw .plan("\(error)")
        }
        let own = Dictionary(lines.map { ($0.key, $0.value) }) { $1 }
        for (key, text) in values.sorted(by: { $0.key.precedes($1.key) }) {
            guard let expected = own[key] else { throw .unknownKey(key) }
            guard text == expected else { throw .value(key: key, found: text, expected: expected) }
        }
    }

    private static func scaling(_ text: String) -> Scaling? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2, let number = Double(words[1]), number > 0, number.isFinite else { return nil }
        switch words[0] {
        case "constant": return .constant(number)
        case "lora": return .lora(alpha: number)
        case "rslora": return .rslora(alpha: number)
        default: return nil
        }
    }

    /// Nil for a text that describes no module. Sizes are checked with the whole shape.
    private static func module(_ name: String, _ text: String) -> ModuleShape? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        var kind = ModuleShape.Kind.linear
        switch words[0].split(separator: ":").first ?? "" {
        case "linear": break
        case "embedding": kind = .embedding
        case "conv2d":
            let sides = words[0].dropFirst("conv2d:".count).split(separator: "x").map { Int($0) ?? 0 }
            guard sides.count == 2 else { return nil }
            kind = .conv2d(height: sides[0], width: sides[1])
        default: return nil
        }
        var sizes: [Substring: Int] = [:]
        var hasBias = false
        var alpha: Double?
        var expert: ModuleShape.Expert?
        for word in words.dropFirst() {
            let pair = word.split(separator: "=", maxSplits: 1)
            switch (pair.first ?? "", pair.count) {
            case ("bias", 1): hasBias = true
            case ("alpha", 2):
                alpha = Double(pair[1])
                guard let alpha, alpha > 0, alpha.isFinite else { return nil }
            case ("expert", 2):
                let numbers = pair[1].split(separator: "/").map { Int($0) ?? -1 }
                guard numbers.count == 2, numbers[0] >= 0, numbers[0] < numbers[1] else { return nil }
                expert = .init(index: numbers[0], count: numbers[1])
            case ("inputs", 2), ("outputs", 2), ("rank", 2): sizes[pair[0]] = Int(pair[1])
            default: return nil
            }
        }
        guard let inputs = sizes["inputs"], let outputs = sizes["outputs"], let rank = sizes["rank"] else { return nil }
        var owner = name
        if let expert {
            guard name.hasSuffix("#\(expert.index)") else { return nil }
            owner = String(name.dropLast("#\(expert.index)".count))
        }
        return ModuleShape(
            name: owner, kind: kind, inputs: inputs, outputs: outputs, maximumRank: rank, hasBias: hasBias,
            alpha: alpha, expert: expert)
    }
}

extension SHA256 {
    mutating func update(_ text: String) {
        var text = text
        text.withUTF8 { update(bufferPointer: UnsafeRawBufferPointer($0)) }
    }

    /// The digest in 64 digits.
    func hexadecimal() -> String {
        finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
