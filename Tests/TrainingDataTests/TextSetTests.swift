import Testing

@testable import TrainingData

@Suite struct TextSetTests {
    @Test func `a line is a class, a tab and a text`() throws {
        let set = try TextSet(Array("\u{FEFF}0\tone, two\r\n\n3\ta\tb\n1\t".utf8), file: "f")
        #expect(set == TextSet(texts: ["one, two\r", "a\tb", ""], labels: [0, 3, 1]))
    }

    @Test func `a line may be an object with label and text`() throws {
        let set = try TextSet(
            Array(#"{"label":2,"text":"a\tb"}"#.utf8) + [0x0A] + Array(#"{"text":"é","label":0,"id":7}"#.utf8),
            file: "f")
        #expect(set == TextSet(texts: ["a\tb", "é"], labels: [2, 0]))
    }

    @Test(arguments: [
        ("", TextError.empty(file: "f")),
        (" \n\t\n", .empty(file: "f")),
        ("0\ta\nno tab", .noText(file: "f", line: 2)),
        ("sci.med\ttext", .label(file: "f", line: 1, found: "\"sci.med\"", limit: 65_535)),
        ("\ttext", .label(file: "f", line: 1, found: "nothing", limit: 65_535)),
        ("-1\ttext", .label(file: "f", line: 1, found: "\"-1\"", limit: 65_535)),
        ("65536\ttext", .label(file: "f", line: 1, found: "\"65536\"", limit: 65_535)),
        ("99999999999999999999\ttext", .label(file: "f", line: 1, found: "\"99999999999999999999\"", limit: 65_535)),
        ("\u{1B}[2J\ttext", .label(file: "f", line: 1, found: "\"?[2J\"", limit: 65_535)),
        (#"{"label":1}"#, .json(file: "f", line: 1)),
        (#"{"label":"1","text":"a"}"#, .json(file: "f", line: 1)),
        (#"{"label":1.5,"text":"a"}"#, .json(file: "f", line: 1)),
        (#"{"label":1,"text":"a""#, .json(file: "f", line: 1)),
        (#"{"label":70000,"text":"a"}"#, .label(file: "f", line: 1, found: "70000", limit: 65_535)),
    ])
    func `what is no set of texts is refused with the place`(content: String, expected: TextError) {
        #expect(throws: expected) { try TextSet(Array(content.utf8), file: "f") }
    }

    @Test func `bytes that are not UTF-8 are refused by line`() {
        #expect(throws: TextError.notUTF8(file: "f", line: 2)) {
            try TextSet(Array("0\ta\n1\t".utf8) + [0xC3, 0x28], file: "f")
        }
        #expect(throws: TextError.notUTF8(file: "f", line: 1)) {
            try TextSet(Array(#"{"label":1,"text":""#.utf8) + [0xFF] + Array("\"}".utf8), file: "f")
        }
    }

    @Test func `a compressed file is refused`() {
        #expect(throws: TextError.data(.compressed(file: "f"))) { try TextSet([0x1F, 0x8B, 8], file: "f") }
    }
}
