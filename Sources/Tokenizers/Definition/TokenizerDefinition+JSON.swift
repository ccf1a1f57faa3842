import AdapterFormat
import StrictJSON

/// From `tokenizer.json`, as the tokenizers library writes it.
extension TokenizerDefinition {
    /// The most ids of a vocabulary.
    static let idLimit = 1 << 22

    init(path: String) throws(TokenizerError) {
        let storage: TensorStorage
        do throws(SystemError) { storage = try TensorStorage(mapping: path) } catch {
            throw .unreadable(file: path, error)
        }
        self = try storage.withBytes { bytes throws(TokenizerError) in
            try TokenizerDefinition(json: bytes, file: path)
        }
    }

    init(json: UnsafeRawBufferPointer, file: String) throws(TokenizerError) {
        let document: TokenizerDocument
        do throws(JSONSyntaxError) { document = try TokenizerDocument(json) } catch {
            throw .json(file: file, error)
        }
        func part(_ name: String) -> DescriptionNode {
            DescriptionNode(value: document.parts[name] ?? .null, file: file, place: name)
        }
        if let other = document.parts.keys.filter({ !TokenizerDocument.names.contains($0) }).min() {
            throw part(other).refusal("no such part")
        }
        self.init(file: file)
        try readModel(document, DescriptionNode(value: .object(document.model), file: file, place: "model"))
        try readAdded(part("added_tokens"))
        let steps = try part("pre_tokenizer").steps("pretokenizers")
        if document.model["byte_fallback"] == .bool(true) || steps.contains(where: { $0.type == "Metaspace" }) {
            try readSentencePiece(normaliser: part("normalizer"), steps: steps, pre: part("pre_tokenizer"))
        } else {
            try readByteLevel(normaliser: part("normalizer"), steps: steps, pre: part("pre_tokenizer"))
        }
        try readDecoder(part("decoder"))
        try readTemplate(part("post_processor"))
    }

    private mutating func readModel(
        _ document: TokenizerDocument, _ model: DescriptionNode
    ) throws(TokenizerError) {
        if let type = model.type, type != "BPE" { throw model.refusal("\"BPE\"") }
        try model.allow(
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges")
        guard model["dropout"].isNull || model["dropout"].value == .number(0) else {
            throw model["dropout"].refusal("null")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            guard model[key].isNull || model[key].value == .string("") else { throw model[key].refusal("null") }
        }
        fusesUnknown = try model["fuse_unk"].flag(false)
        fallsBackToBytes = try model["byte_fallback"].flag(false)
        ignoresMerges = try model["ignore_merges"].flag(false)
        guard !document.vocabulary.isEmpty else { throw .vocabulary(file: file, reason: "its vocabulary is empty") }
        for (token, id) in document.vocabulary { try place(token.text, at: id) }
        merges = document.merges
        guard !model["unk_token"].isNull else { return }
        let name = try model["unk_token"].text()
        guard let id = document.vocabulary[Spelling(name)] else {
            throw .vocabulary(file: file, reason: "it lacks its unk_token \(name.jsonQuoted)")
        }
        unknown = Int32(id)
    }

    /// Gives an id to a token.
    private mutating func place(_ token: String, at id: Int) throws(TokenizerError) {
        guard id < Self.idLimit else {
            throw .vocabulary(
                file: file, reason: "\(token.jsonQuoted) has the id \(id); expected at most \(Self.idLimit - 1)")
        }
        while tokens.count <= id { tokens.append(nil) }
        if let other = tokens[id] {
            throw .vocabulary(
                file: file, reason: "\(token.jsonQuoted) and \(other.jsonQuoted) have the same id, \(id)")
        }
        tokens[id] = token
    }

    private mutating func readAdded(_ part: DescriptionNode) throws(TokenizerError) {
        guard !part.isNull else { return }
        for token in try part.elements() {
            try token.allow("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special")
            for key in ["single_word", "lstrip", "rstrip"] { try token[key].expect(false, missing: false) }
            let (id, content) = (try token["id"].id(), try token["content"].text())
            guard !content.isEmpty else { throw token["content"].refusal("a text") }
            let isSpecial = try token["special"].flag(false)
            added.append(
                AddedToken(
                    id: id, content: content, isSpecial: isSpecial,
                    isNormalised: try token["normalized"].flag(!isSpecial)))
            while tokens.count <= Int(id) { tokens.append(nil) }
            if let other = tokens[Int(id)], Spelling(other) != Spelling(content) {
                throw .vocabulary(
                    file: file, reason: "\(content.jsonQuoted) and \(other.jsonQuoted) have the same id, \(id)")
            }
        }
    }

    private mutating func readByteLevel(
        normaliser: DescriptionNode, steps: [DescriptionNode], pre: DescriptionNode
    ) throws(TokenizerError) {
        for step in try normaliser.steps("normalizers") {
            guard step.type == "NFC" else { throw step.refusal("null or \"NFC\"") }
            composes = true
        }
        guard let last = steps.last, last.type == "ByteLevel" else {
            throw pre.refusal("\"ByteLevel\" at the end, or \"Metaspace\"")
        }
        try last["add_prefix_space"].expect(false, missing: true)
        let usesPattern = try last["use_regex"].flag(true)
        switch steps.count {
        case 1 where usesPattern: kind = .byteLevel(.gpt2)
        case 2 where usesPattern:
            guard steps[0].type == "Digits" else { throw steps[0].refusal("\"Digits\"") }
            try steps[0]["individual_digits"].expect(true, missing: false)
            kind = .byteLevel(.digitsThenGPT2)
        case 2:
            guard steps[0].type == "Split" else { throw steps[0].refusal("\"Split\"") }
            try steps[0]["invert"].expect(false, missing: false)
            guard steps[0]["behavior"].value == .string("Isolated") else {
                throw steps[0]["behavior"].refusal("\"Isolated\"")
            }
            let expression = try steps[0]["pattern"]["Regex"].text()
            guard let pattern = WordPattern.expressions[expression] else {
                throw .unsupported(
                    file: file, part: steps[0].place + ".pattern.Regex",
                    expected: "the expression of GPT-2, Llama 3 or Qwen 2", found: expression.jsonQuoted)
            }
            kind = .byteLevel(pattern)
        default: throw pre.refusal("\"ByteLevel\" with a pattern of its own, or one \"Split\" or \"Digits\" before it")
        }
    }

    private mutating func readSentencePiece(
        normaliser: DescriptionNode, steps: [DescriptionNode], pre: DescriptionNode
    ) throws(TokenizerError) {
        if let token = added.first(where: \.isNormalised) {
            throw .unsupported(
                file: file, part: "the added token \(token.content.jsonQuoted)", expected: "normalized: false",
                found: "normalized: true")
        }
        let mark = JSONNode.string(String(Tokenizer.mark))
        let normalisers = try normaliser.steps("normalizers")
        if steps.isEmpty {
            // Llama 2's first form: a mark before each text, and marks for spaces.
            var rest = normalisers[...]
            var prefix = SpacePrefix.never
            if let step = rest.first, step.type == "Prepend", step["prepend"].value == mark {
                prefix = .eachAlways
                rest = rest.dropFirst()
            }
            guard rest.count == 1, let step = rest.first, step.type == "Replace", step["content"].value == mark,
                step["pattern"]["String"].value == .string(" ")
            else { throw normaliser.refusal("\"Prepend\" and \"Replace\" of spaces by U+2581") }
            kind = .sentencePiece(prefix)
            return
        }
        guard normalisers.isEmpty else { throw normaliser.refusal("null beside \"Metaspace\"") }
        guard steps.count == 1, steps[0].type == "Metaspace", steps[0]["replacement"].value == mark else {
            throw pre.refusal("\"Metaspace\" with U+2581")
        }
        kind = .sentencePiece(try Self.prefix(steps[0]))
        splitsAtSpaces = try steps[0]["split"].flag(true)
    }

    private static func prefix(_ step: DescriptionNode) throws(TokenizerError) -> SpacePrefix {
        switch step["prepend_scheme"].value {
        case .null: try step["add_prefix_space"].flag(true) ? .each : .never
        case .string("always"): .each
        case .string("first"): .first
        case .string("never"): .never
        default: throw step["prepend_scheme"].refusal("\"always\", \"first\" or \"never\"")
        }
    }

    private mutating func readDecoder(_ part: DescriptionNode) throws(TokenizerError) {
        let steps = try part.steps("decoders")
        let types = steps.map(\.type)
        switch (kind, types) {
        case (.byteLevel, ["ByteLevel"]): break
        case (.sentencePiece, ["Metaspace"]): stripsFirstSpace = try Self.prefix(steps[0]) != .never
        case (.sentencePiece, ["Replace", "ByteFallback", "Fuse"]): break
        case (.sentencePiece, ["Replace", "ByteFallback", "Fuse", "Strip"]):
            guard steps[3]["content"].value == .string(" "), steps[3]["start"].value == .number(1),
                steps[3]["stop"].isNull || steps[3]["stop"].value == .number(0)
            else { throw steps[3].refusal("\"Strip\" of one space at the start") }
            stripsFirstSpace = true
        case (.byteLevel, _): throw part.refusal("\"ByteLevel\"")
        case (.sentencePiece, _):
            throw part.refusal("\"Metaspace\", or \"Replace\", \"ByteFallback\", \"Fuse\" and perhaps \"Strip\"")
        }
    }

    private mutating func readTemplate(_ part: DescriptionNode) throws(TokenizerError) {
        for step in try part.steps("processors") where step.type != "ByteLevel" {
            guard step.type == "TemplateProcessing" else {
                throw step.refusal("\"ByteLevel\" or \"TemplateProcessing\"")
            }
            var isAfter = false
            for element in try step["single"].elements() {
                if !element["Sequence"].isNull {
                    guard !isAfter else { throw element.refusal("one \"Sequence\"") }
                    isAfter = true
                    continue
                }
                let name = try element["SpecialToken"]["id"].text()
                let ids = try step["special_tokens"][name]["ids"].elements()
                for id in ids { if isAfter { end.append(try id.id()) } else { start.append(try id.id()) } }
            }
            for id in start + end where Int(id) >= tokens.count {
                throw .vocabulary(file: file, reason: "its template has the id \(id), beyond its vocabulary")
            }
        }
    }
}
