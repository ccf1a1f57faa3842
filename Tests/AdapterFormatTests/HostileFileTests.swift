import StrictJSON
import Testing

@testable import AdapterFormat

/// Every file of `Hostile` is refused with the reason that stands here; `Hostile/make.py` writes them.
struct HostileFileTests {
    /// Small enough for a small file to reach.
    private static let limits = SafetensorsFile.Limits(tensors: 8)

    private static let header: [String: SafetensorsError] = [
        "empty": .foreign(.empty),
        "length-cut": .fileTooShort(bytes: 3),
        "header-too-short": .headerTooShort(length: 1),
        "header-too-long": .headerTooLong(length: 100_000_001, limit: 100_000_000),
        "header-length-all-ones": .headerTooLong(length: .max, limit: 100_000_000),
        "header-beyond-file": .headerBeyondFile(length: 3, available: 2),
        "header-not-object": .headerNotObject,
        "header-leading-space": .headerNotObject,
        "header-cut": .headerSyntax(.unexpectedEnd(expected: "a value or the end of its list")),
        "header-trailing-text": .headerSyntax(.unexpected(0x78, offset: 54, expected: "the end of the text")),
        "header-missing-comma": .headerSyntax(.unexpected(0x38, offset: 50, expected: "',' or the end of a list")),
        "header-bad-escape": .headerSyntax(.badEscape(offset: 3)),
        "header-lone-surrogate": .headerSyntax(.badEscape(offset: 2)),
        "header-not-utf8": .headerSyntax(.notUTF8(offset: 2)),
        "header-control-character": .headerSyntax(.unexpected(1, offset: 3, expected: "a character of a string")),
        "header-raw-nul": .headerSyntax(.unexpected(0, offset: 5, expected: "an object")),
        "metadata-nested-deep": .metadataNotText("a"),
        "duplicate-name": .duplicateName("a"),
        "duplicate-name-escaped": .duplicateName("a"),
        "duplicate-metadata": .duplicateName("k"),
        "duplicate-field": .malformedTensor("a", reason: "has dtype twice"),
        "metadata-not-text": .metadataNotText("k"),
        "metadata-not-object": .headerSyntax(.unexpected(0x22, offset: 16, expected: "an object")),
        "unknown-field": .malformedTensor("a", reason: "has an unknown field x"),
        "missing-dtype": .malformedTensor("a", reason: "has no dtype"),
        "missing-shape": .malformedTensor("a", reason: "has no shape"),
        "missing-offsets": .malformedTensor("a", reason: "has no data_offsets"),
        "entry-not-object": .headerSyntax(.unexpected(0x5B, offset: 5, expected: "an object")),
        "unknown-dtype": .unknownType(tensor: "a", type: "F33"),
        "unsupported-dtype": .unsupportedType(tensor: "a", type: "I64"),
        "shape-negative": .headerSyntax(.unexpected(0x2D, offset: 29, expected: "a whole number")),
        "shape-fraction": .headerSyntax(.unexpected(0x2E, offset: 30, expected: "a whole number")),
        "shape-leading-zero": .headerSyntax(
            .unexpected(0x32, offset: 30, expected: "a number without leading zeros")),
        "shape-number-too-large": .headerSyntax(.numberOutOfRange(offset: 29)),
        "shape-overflow": .shapeOverflow(tensor: "a"),
        "shape-overflow-beside-zero": .shapeOverflow(tensor: "a"),
        "shape-overflow-by-dtype": .shapeOverflow(tensor: "a"),
        "shape-too-many-sides": .malformedTensor("a", reason: "has more than 16 sizes"),
        "offsets-reversed": .malformedTensor("a", reason: "has data_offsets that are not a start and an end"),
        "offsets-three": .malformedTensor("a", reason: "has data_offsets that are not a start and an end"),
        "offsets-short": .offsetsMismatchShape(tensor: "a", expected: 8, found: 4),
        "offsets-beyond-file": .offsetsBeyondFile(tensor: "a", end: 16, available: 8),
        "offsets-beyond-address-space": .gap(before: "a", bytes: 9_223_372_036_854_775_799),
        "overlap": .overlap(tensor: "b", other: "a"),
        "same-place": .overlap(tensor: "b", other: "a"),
        "gap-at-start": .gap(before: "a", bytes: 4),
        "gap-between": .gap(before: "b", bytes: 4),
        "trailing-bytes": .trailingBytes(1),
        "trailing-bytes-alone": .trailingBytes(1),
        "too-many-tensors": .tooManyTensors(limit: 8),
    ]

    private static let quantised: [String: QuantisationError] = [
        "scale-missing": .missing(part: "w.scale"),
        "min-missing": .missing(part: "w.min"),
        "scale-f16": .partType(part: "w.scale", found: "F16"),
        "min-f64": .partType(part: "w.min", found: "F64"),
        "scale-u8": .partType(part: "w.scale", found: "U8"),
        "scale-longer": .partShape(part: "w.scale", expected: [2], found: [3]),
        "scale-two-sides": .partShape(part: "w.scale", expected: [2], found: [2, 1]),
        "min-shorter": .partShape(part: "w.min", expected: [2], found: [1]),
        "scale-not-a-number": .notFinite(part: "w.scale", row: 1),
        "scale-infinite": .notFinite(part: "w.scale", row: 0),
        "scale-negative": .negativeScale(row: 1, found: -0.5),
        "min-not-a-number": .notFinite(part: "w.min", row: 0),
        "min-infinite": .notFinite(part: "w.min", row: 1),
        "bits-unknown": .bits("6"),
        "bits-padded": .bits("08"),
        "one-side": .tooFewSides([2]),
        "no-side": .tooFewSides([]),
        "padding-not-zero": .padding(row: 1),
        "shape-missing": .shapeMissing,
        "shape-empty": .shapeUnreadable(""),
        "shape-one-side": .shapeUnreadable("4"),
        "shape-letters": .shapeUnreadable("2,x"),
        "shape-space": .shapeUnreadable("2, 3"),
        "shape-sign": .shapeUnreadable("+2,3"),
        "shape-negative": .shapeUnreadable("-2,-3"),
        "shape-leading-zero": .shapeUnreadable("2,03"),
        "shape-trailing-comma": .shapeUnreadable("2,3,"),
        "shape-too-many-sides": .shapeUnreadable("2,3,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"),
        "shape-number-too-large": .shapeUnreadable("2,99999999999999999999"),
        "shape-overflow": .shapeUnreadable("4294967296,4294967296"),
        "shape-overflow-beside-zero": .shapeUnreadable("0,4294967296,4294967296"),
        "shape-other-rows": .storedShape(expected: [3, 2], found: [2, 2]),
        "shape-other-columns": .storedShape(expected: [2, 3], found: [2, 2]),
        "shape-stored-flat": .storedShape(expected: [2, 2], found: [4]),
        "shape-beside-eight-bits": .storedShape(expected: [3, 2], found: [2, 3]),
    ]

    private static let adapter: [String: AdapterError] = [
        "no-tensor": .noModules,
        "bias-alone": .missingFactor(tensor: "m.lora_A.weight", module: "m"),
        "duplicate-factor": .duplicate(tensor: "m.lora_A.weight"),
        "duplicate-dense": .duplicate(tensor: "d"),
        "mixed-kinds": .mixedKinds(tensor: "m.lora_embedding_B"),
        "a-of-three-sides": .notAFactor(tensor: "m.lora_A.weight", found: [2, 3, 4]),
        "a-of-no-row": .notAFactor(tensor: "m.lora_A.weight", found: [0, 3]),
        "embedding-of-four-sides": .notAFactor(tensor: "m.lora_embedding_A", found: [2, 3, 1, 1]),
        "b-with-a-kernel": .notAFactor(tensor: "m.lora_B.weight", found: [4, 2, 1, 2]),
        "b-flat-beside-a-convolution": .notAFactor(tensor: "m.lora_B.weight", found: [4, 2]),
        "b-of-no-output": .notAFactor(tensor: "m.lora_B.weight", found: [0, 2]),
        "ranks-differ": .ranksDiffer(tensor: "m.lora_B.weight", rankOfA: 2, rankOfB: 3),
        "bias-of-another-size": .biasDiffers(tensor: "m.lora_B.bias", outputs: 4, found: [3]),
        "bias-of-two-sides": .biasDiffers(tensor: "m.lora_B.bias", outputs: 3, found: [3, 1]),
    ]

    private static let update: [String: AdapterError] = [
        "dense-alone": .noFactor(tensor: "d", expected: "base_model.model.e.lora_embedding_A"),
        "wide": .shape(tensor: "m.lora_A.weight", expected: [2, 3], found: [2, 5]),
        "tall": .shape(tensor: "m.lora_B.weight", expected: [4, 2], found: [5, 2]),
        "a-missing": .missingFactor(tensor: "m.lora_A.weight", module: "m"),
        "b-missing": .missingFactor(tensor: "m.lora_B.weight", module: "m"),
        "bias-missing": .missingFactor(tensor: "m.lora_B.bias", module: "m"),
        "bias-not-asked-for": .unexpectedBias(tensor: "e.lora_B.bias"),
        "rank-above-grant": .rankAboveGrant(tensor: "m.lora_A.weight", granted: 2, found: 3),
        "layer-for-an-embedding": .otherKind(tensor: "e.lora_A.weight", expected: "e.lora_embedding_A"),
        "unknown-module": .unknownModule(tensor: "x.lora_A.weight", module: "x"),
        "unknown-dense": .unknownDense(tensor: "x"),
        "dense-of-another-shape": .shape(tensor: "d", expected: [2], found: [3]),
        "beyond-all-training": .tooLarge(tensor: "m.lora_A.weight", limit: 1e15),
        "not-a-number": .notFinite(tensor: "m.lora_A.weight", count: 2),
        "f64-beyond-a-float": .notFinite(tensor: "m.lora_A.weight", count: 1),
        "quantised-unasked": .quantised(tensor: "m.lora_A.weight", bits: .eight),
        "quantised-beyond-a-float": .notFinite(tensor: "m.lora_A.weight", count: 2),
    ]

    private static let config: [String: AdapterConfigError] = [
        "empty": .syntax(.unexpectedEnd(expected: "an object")),
        "space": .syntax(.unexpectedEnd(expected: "an object")),
        "list": .syntax(.unexpected(UInt8(ascii: "["), offset: 0, expected: "an object")),
        "cut": .syntax(.unexpectedEnd(expected: "a value or the end of its list")),
        "cut-after-comma": .syntax(.unexpectedEnd(expected: "a string")),
        "cut-in-string": .syntax(.unexpectedEnd(expected: "the end of a string")),
        "cut-in-escape": .syntax(.unexpectedEnd(expected: "the end of a string")),
        "cut-in-word": .syntax(.unexpectedEnd(expected: "true")),
        "cut-in-number": .syntax(.unexpectedEnd(expected: "a digit")),
        "trailing-text": .syntax(.unexpected(UInt8(ascii: "{"), offset: 3, expected: "the end of the text")),
        "trailing-comma": .syntax(.unexpected(UInt8(ascii: "}"), offset: 8, expected: "a string")),
        "colon-missing": .syntax(.unexpected(UInt8(ascii: "8"), offset: 5, expected: "':'")),
        "comma-missing": .syntax(.unexpected(UInt8(ascii: "\""), offset: 8, expected: "',' or the end of a list")),
        "name-not-quoted": .syntax(.unexpected(UInt8(ascii: "r"), offset: 1, expected: "a string")),
        "comment": .syntax(.unexpected(UInt8(ascii: "/"), offset: 1, expected: "a string")),
        "bracket-for-brace": .syntax(
            .unexpected(UInt8(ascii: "]"), offset: 7, expected: "',' or the end of a list")),
        "escape-unknown": .syntax(.badEscape(offset: 3)),
        "escape-of-three-digits": .syntax(.badEscape(offset: 2)),
        "escape-not-hexadecimal": .syntax(.badEscape(offset: 2)),
        "high-surrogate-alone": .syntax(.badEscape(offset: 2)),
        "high-surrogate-before-text": .syntax(.badEscape(offset: 2)),
        "low-surrogate-alone": .syntax(.badEscape(offset: 2)),
        "control-character": .syntax(.unexpected(0x0A, offset: 3, expected: "a character of a string")),
        "not-utf8": .syntax(.notUTF8(offset: 2)),
        "overlong-utf8": .syntax(.notUTF8(offset: 2)),
        "surrogate-in-utf8": .syntax(.notUTF8(offset: 2)),
        "byte-order-mark": .syntax(.unexpected(0xEF, offset: 0, expected: "an object")),
        "utf16": .syntax(.unexpected(0, offset: 1, expected: "a string")),
        "word-misspelt": .syntax(.unexpected(UInt8(ascii: "v"), offset: 15, expected: "true")),
        "word-capital": .syntax(.unexpected(UInt8(ascii: "T"), offset: 13, expected: "false")),
        "null-misspelt": .syntax(.unexpected(UInt8(ascii: "i"), offset: 7, expected: "null")),
        "not-a-number": .syntax(.unexpected(UInt8(ascii: "N"), offset: 15, expected: "a digit")),
        "infinite": .syntax(.unexpected(UInt8(ascii: "I"), offset: 15, expected: "a digit")),
        "plus-sign": .syntax(.unexpected(UInt8(ascii: "+"), offset: 15, expected: "a digit")),
        "minus-alone": .syntax(.unexpected(UInt8(ascii: "}"), offset: 16, expected: "a digit")),
        "point-first": .syntax(.unexpected(UInt8(ascii: "."), offset: 15, expected: "a digit")),
        "point-last": .syntax(.unexpected(UInt8(ascii: "}"), offset: 17, expected: "a digit")),
        "exponent-empty": .syntax(.unexpected(UInt8(ascii: "}"), offset: 17, expected: "a digit")),
        "leading-zero": .syntax(
            .unexpected(UInt8(ascii: "1"), offset: 16, expected: "a number without leading zeros")),
        "number-too-large": .syntax(.numberOutOfRange(offset: 15)),
        "rank-too-large": .syntax(.numberOutOfRange(offset: 6)),
        "rank-negative": .syntax(.unexpected(UInt8(ascii: "-"), offset: 6, expected: "a whole number")),
        "rank-fraction": .syntax(.unexpected(UInt8(ascii: "."), offset: 7, expected: "a whole number")),
        "rank-leading-zero": .syntax(
            .unexpected(UInt8(ascii: "8"), offset: 7, expected: "a number without leading zeros")),
        "rank-text": .syntax(.unexpected(UInt8(ascii: "\""), offset: 6, expected: "a whole number")),
        "rank-zero": .rank(key: "r"),
        "rank-pattern-zero": .rank(key: "fc1"),
        "rank-pattern-list": .syntax(.unexpected(UInt8(ascii: "["), offset: 17, expected: "an object")),
        "alpha-text": .syntax(.unexpected(UInt8(ascii: "\""), offset: 15, expected: "a digit")),
        "alpha-list": .syntax(.unexpected(UInt8(ascii: "["), offset: 26, expected: "a digit")),
        "modules-number": .syntax(.unexpected(UInt8(ascii: "3"), offset: 19, expected: "an array")),
        "modules-of-numbers": .syntax(.unexpected(UInt8(ascii: "3"), offset: 26, expected: "a string")),
        "duplicate-key": .duplicateKey("r"),
        "duplicate-key-escaped": .duplicateKey("r"),
        "duplicate-unknown-key": .duplicateKey("x"),
        "duplicate-pattern": .duplicateKey("a"),
        "not-lora": .notLoRA("LOHA"),
        "nested-lists": .syntax(.tooDeep(limit: 32)),
        "nested-objects": .syntax(.tooDeep(limit: 32)),
        "pattern-open-group": .pattern(.syntax(key: "(a", at: 2)),
        "pattern-look-ahead": .pattern(.unsupported(key: "(?=a)", at: 1)),
        "pattern-repeated": .pattern(.tooLarge(key: "((a{99}){99})")),
    ]

    @Test(arguments: header)
    func `what is no safetensors file is refused, mapped or in memory`(
        name: String, reason: SafetensorsError
    ) throws {
        let path = "header/\(name).safetensors"
        #expect(throws: reason) { try SafetensorsFile(path: Hostile.file(path), limits: Self.limits) }
        let bytes = try Hostile.bytes(path)
        #expect(throws: reason) { try SafetensorsFile(bytes: bytes, limits: Self.limits) }
    }

    @Test(arguments: quantised)
    func `a U8 tensor that is no quantised one is refused`(name: String, reason: QuantisationError) throws {
        let error = #expect(throws: SafetensorsError.self) {
            try SafetensorsFile(path: Hostile.file("quantised/\(name).safetensors"))
        }
        #expect(error == .quantisation(tensor: "w", reason))
        #expect(error?.tensor == "w")
    }

    @Test func `a U8 tensor without scales and minima is of a type that adapters do not have`() throws {
        #expect(throws: SafetensorsError.unsupportedType(tensor: "w", type: "U8")) {
            try SafetensorsFile(path: Hostile.file("quantised/plain-u8.safetensors"))
        }
    }

    @Test(arguments: adapter)
    func `tensors that make no adapter are refused`(name: String, reason: AdapterError) throws {
        let file = try SafetensorsFile(path: Hostile.file("adapter/\(name).safetensors"))
        #expect(throws: reason) { try AdapterFile(file) }
    }

    @Test(arguments: update)
    func `an adapter that its federation cannot take is refused`(name: String, reason: AdapterError) throws {
        let shape = try AdapterShape(
            modules: [
                ModuleShape(name: "m", inputs: 3, outputs: 4, maximumRank: 2, hasBias: true),
                ModuleShape(name: "e", kind: .embedding, inputs: 3, outputs: 2, maximumRank: 2),
            ], dense: [.init(name: "d", shape: [2])])
        let adapter = try AdapterFile(SafetensorsFile(path: Hostile.file("update/\(name).safetensors")))
        #expect(throws: reason) { try adapter.validate(against: shape, ranks: ["m": 2], messageBits: [.four]) }
    }

    @Test(arguments: config)
    func `what is no adapter configuration is refused`(name: String, reason: AdapterConfigError) throws {
        let json = try Hostile.bytes("config/\(name).json")
        #expect(throws: reason) { try AdapterConfig(json: json) }
    }

    @Test(arguments: [
        ("header", header.keys.map(\.self)), ("quantised", quantised.keys + ["plain-u8"]),
        ("adapter", adapter.keys.map(\.self)), ("update", update.keys.map(\.self)), ("config", config.keys.map(\.self)),
    ])
    func `every hostile file has its reason`(folder: String, names: [String]) throws {
        let found = try Hostile.names(in: folder).map { String($0.prefix { $0 != "." }) }
        #expect(Set(found) == Set(names))
    }
}
