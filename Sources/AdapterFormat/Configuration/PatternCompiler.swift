/// Compiles the regular expressions of adapter configurations: literals, `.`, classes, groups, `|`, `* + ? {m,n}`, `^`
/// and `$`.
struct PatternCompiler {
    typealias Instruction = ModulePattern.Instruction
    typealias ScalarSet = ModulePattern.ScalarSet

    private static let sizeLimit = 4096
    private static let depthLimit = 64
    private static let lengthLimit = 1024

    private let key: String
    private let text: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    init(_ key: String) {
        self.key = key
        text = Array(key.unicodeScalars)
    }

    mutating func compile() throws(ModulePatternError) -> [Instruction] {
        guard text.count <= Self.lengthLimit else { throw .tooLarge(key: key) }
        let body = try alternation()
        guard position == text.count else { throw syntax }
        return body + [.accept]
    }

    private var syntax: ModulePatternError { .syntax(key: key, at: position) }
    private var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private mutating func alternation() throws(ModulePatternError) -> [Instruction] {
        var branches = [try sequence()]
        while peek == "|" {
            position += 1
            branches.append(try sequence())
        }
        let size = branches.reduce(2 * branches.count) { $0 + $1.count }
        guard size <= Self.sizeLimit else { throw .tooLarge(key: key) }
        var code = branches.removeLast()
        for branch in branches.reversed() {
            let rest = branch.count + 2
            code =
                [.split(1, rest)] + Self.shift(branch, by: 1) + [.jump(rest + code.count)]
                + Self.shift(code, by: rest)
        }
        return code
    }

    private mutating func sequence() throws(ModulePatternError) -> [Instruction] {
        var code: [Instruction] = []
        while let scalar = peek, scalar != "|", scalar != ")" {
            let piece = try repeated(try atom())
            guard code.count + piece.count <= Self.sizeLimit else { throw .tooLarge(key: key) }
            code += Self.shift(piece, by: code.count)
        }
        return code
    }

    private mutating func atom() throws(ModulePatternError) -> [Instruction] {
        guard let scalar = peek else { throw syntax }
        position += 1
        switch scalar {
        case "(": return try group()
        case "[": return [.take(try characterClass())]
        case ".": return [.take(ScalarSet(ranges: ["\n"..."\n"], isNegated: true))]
        case "^": return [.start]
        case "$": return [.end]
        case "\\": return [.take(try escape())]
        case "*", "+", "?":
            position -= 1
            throw syntax
        default: return [.take(ScalarSet(ranges: [scalar...scalar]))]
        }
    }

    private mutating func group() throws(ModulePatternError) -> [Instruction] {
        if peek == "?" {
            guard position + 1 < text.count, text[position + 1] == ":" else {
                throw .unsupported(key: key, at: position)
            }
            position += 2
        }
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw .tooLarge(key: key) }
        let body = try alternation()
        guard peek == ")" else { throw syntax }
        position += 1
        return body
    }

    private mutating func repeated(_ atom: [Instruction]) throws(ModulePatternError) -> [Instruction] {
        let bounds: (least: Int, most: Int?)
        switch peek {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{":
            guard let counted = try counts() else { return atom }
            bounds = counted
        default: return atom
        }
        position += 1
        switch peek {
        // Laziness changes what a group captures, never whether the whole path matches.
        case "?": position += 1
        case "+", "*": throw .unsupported(key: key, at: position)
        default: break
        }
        return try expand(atom, least: bounds.least, most: bounds.most)
    }

    private func expand(
        _ atom: [Instruction], least: Int, most: Int?
    ) throws(ModulePatternError) -> [Instruction] {
        let copies = max(least, most ?? least + 1)
        guard copies <= Self.sizeLimit, (atom.count + 2) * copies <= Self.sizeLimit else { throw .tooLarge(key: key) }
        var code: [Instruction] = []
        for _ in 0..<least { code += Self.shift(atom, by: code.count) }
        guard let most else {
            let loop = code.count
            code += [.split(loop + 1, loop + atom.count + 2)] + Self.shift(atom, by: loop + 1) + [.jump(loop)]
            return code
        }
        for _ in least..<max(least, most) {
            let start = code.count
            code += [.split(start + 1, start + atom.count + 1)] + Self.shift(atom, by: start + 1)
        }
        return code
    }

    /// Reads the bounds of `{m}`, `{m,}`, `{,n}` or `{m,n}`, up to the brace; nil where the brace is a plain character.
    private mutating func counts() throws(ModulePatternError) -> (least: Int, most: Int?)? {
        let start = position
        guard let close = text[start...].firstIndex(of: "}") else { return nil }
        let parts = text[(start + 1)..<close].split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.contains(where: { !$0.isEmpty }),
            parts.joined().allSatisfy({ "0"..."9" ~= $0 })
        else { return nil }
        let numbers = parts.map { Int(String(String.UnicodeScalarView($0))) }
        guard zip(parts, numbers).allSatisfy({ $0.isEmpty || $1 != nil }) else { throw .tooLarge(key: key) }
        let least = numbers[0] ?? 0
        let most = numbers.count == 1 ? least : numbers[1]
        if let most, most < least { throw syntax }
        position = close
        return (least, most)
    }

    private mutating func characterClass() throws(ModulePatternError) -> ScalarSet {
        var set = ScalarSet(ranges: [])
        if peek == "^" {
            set.isNegated = true
            position += 1
        }
        let first = position
        while let scalar = peek, scalar != "]" || position == first {
            position += 1
            guard let low = try member(scalar, into: &set) else { continue }
            guard peek == "-", position + 1 < text.count, text[position + 1] != "]" else {
                set.ranges.append(low...low)
                continue
            }
            let dash = position
            let bound = text[dash + 1]
            position += 2
            guard let high = try member(bound, into: &set), low <= high else {
                throw .syntax(key: key, at: dash)
            }
            set.ranges.append(low...high)
        }
        guard peek == "]" else { throw syntax }
        position += 1
        return set
    }

    /// One character of a class. Nil for an escape such as `\d`, whose characters are added to the set.
    private mutating func member(
        _ scalar: Unicode.Scalar, into set: inout ScalarSet
    ) throws(ModulePatternError) -> Unicode.Scalar? {
        guard scalar == "\\" else { return scalar }
        let escaped = try escape()
        guard !escaped.isNegated else { throw .unsupported(key: key, at: position) }
        if escaped.ranges.count == 1, escaped.ranges[0].lowerBound == escaped.ranges[0].upperBound {
            return escaped.ranges[0].lowerBound
        }
        set.ranges += escaped.ranges
        return nil
    }

    private mutating func escape() throws(ModulePatternError) -> ScalarSet {
        guard let scalar = peek else { throw syntax }
        position += 1
        switch scalar {
        case "d": return ScalarSet(ranges: ["0"..."9"])
        case "D": return ScalarSet(ranges: ["0"..."9"], isNegated: true)
        case "w": return ScalarSet(ranges: ["0"..."9", "A"..."Z", "_"..."_", "a"..."z"])
        case "W": return ScalarSet(ranges: ["0"..."9", "A"..."Z", "_"..."_", "a"..."z"], isNegated: true)
        case "s": return ScalarSet(ranges: ["\t"..."\r", " "..." "])
        case "S": return ScalarSet(ranges: ["\t"..."\r", " "..." "], isNegated: true)
        case "A"..."Z", "a"..."z", "0"..."9": throw .unsupported(key: key, at: position - 1)
        default: return ScalarSet(ranges: [scalar...scalar])
        }
    }

    private static func shift(_ code: [Instruction], by offset: Int) -> [Instruction] {
        code.map { instruction in
            switch instruction {
            case .jump(let target): .jump(target + offset)
            case .split(let first, let second): .split(first + offset, second + offset)
            case .take, .start, .end, .accept: instruction
            }
        }
    }
}
