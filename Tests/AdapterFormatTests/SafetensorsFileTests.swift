import Testing

@testable import AdapterFormat

struct SafetensorsFileTests {
    /// Every file of `Fixtures/hostile` and why it is refused.
    private static let hostile: [String: SafetensorsError] = [
        "empty": .headerTooShort(length: 0),
        "length-cut": .headerTooShort(length: 0),
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
    ]

    @Test(arguments: try Fixtures.names(in: "hostile"))
    func `a hostile file is refused with its reason, mapped or in memory`(name: String) throws {
        let reason = try #require(Self.hostile[String(name.dropLast(".safetensors".count))])
        #expect(throws: reason) { try SafetensorsFile(path: Fixtures.file("hostile/\(name)")) }
        let bytes = try Fixtures.bytes("hostile/\(name)")
        #expect(throws: reason) { try SafetensorsFile(bytes: bytes) }
    }

    @Test func `every reason on the list has its file`() throws {
        #expect(try Set(Fixtures.names(in: "hostile")) == Set(Self.hostile.keys.map { "\($0).safetensors" }))
    }

    @Test func `values nested beyond the limit are refused before the stack is`() {
        let text = "{\"x\":" + String(repeating: "[", count: 100_000)
        #expect(throws: AdapterConfigError.syntax(.tooDeep(limit: 32))) { try AdapterConfig(json: Array(text.utf8)) }
    }

    @Test func `a file that is not there is refused with the system's reason`() {
        #expect(throws: SafetensorsError.unreadable(SystemError(operation: "open /nowhere/x", code: 2))) {
            try SafetensorsFile(path: "/nowhere/x")
        }
    }

    @Test func `the limits on header and tensors are the caller's`() throws {
        let bytes = try Fixtures.bytes("peft/llama_r4/adapter_model.safetensors")
        #expect(throws: SafetensorsError.headerTooLong(length: 1016, limit: 1015)) {
            try SafetensorsFile(bytes: bytes, limits: .init(headerBytes: 1015))
        }
        #expect(throws: SafetensorsError.tooManyTensors(limit: 7)) {
            try SafetensorsFile(bytes: bytes, limits: .init(tensors: 7))
        }
        #expect(try SafetensorsFile(bytes: bytes, limits: .init(headerBytes: 1016, tensors: 8)).tensors.count == 8)
    }

    @Test func `names are unescaped, scalars and empty tensors are lent`() throws {
        let file = try SafetensorsFile(path: Fixtures.file("mixed.safetensors"))
        #expect(file.metadata == ["note \"1\"": "x\ty"])
        #expect(file["c\"é\n\\\u{01}"]?.type == .bf16)
        #expect(file["s"]?.floats() == [1])
        #expect(file["e"]?.shape == [0, 3])
        #expect(file["e"]?.floats() == [])
        #expect(file["x"] == nil)
    }

    @Test func `data of a header without padding is read at odd addresses`() throws {
        let values: [Float] = [1.5, -2.25]
        let file = try SafetensorsFile(
            bytes: safetensors(
                #"{"ab":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} "#,
                data: values.flatMap { withUnsafeBytes(of: $0) { Array($0) } }))
        #expect(file["ab"]?.floats() == values)
        #expect(file["ab"]?.notFiniteCount() == 0)
    }
}
