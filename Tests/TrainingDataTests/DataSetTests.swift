import Testing

@testable import TrainingData

@Suite struct DataSetTests {
    private func csv(_ text: String) throws(DataSetError) -> DataSet { try CSVReader.read(Array(text.utf8), file: "f") }

    private func idx(_ images: [UInt8], _ labels: [UInt8]) throws(DataSetError) -> DataSet {
        try IDXReader.read(images: images, imagesFile: "i", labels: labels, labelsFile: "l")
    }

    private static let images: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 255]
    private static let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 2, 7, 9]

    @Test func `numbers are read with or without a header, blank lines and carriage returns`() throws {
        let expected = DataSet(width: 2, features: [1, -2.5, 3, 4000], labels: [0, 9])
        #expect(try csv("1,-2.5,0\n3,4e3,9\n") == expected)
        #expect(try csv("\u{FEFF}a,b,label\r\n\r\n 1 , -2.5,0\r\n\n3,4000,9") == expected)
        #expect(try csv(expected.csv) == expected)
    }

    @Test(arguments: [
        ("", DataSetError.empty(file: "f")),
        ("a,b\n", .empty(file: "f")),
        ("1,2,0\n1,x,0\n", .number(file: "f", line: 2, column: 2, found: "\"x\"")),
        ("1,nan,0\n", .number(file: "f", line: 1, column: 2, found: "\"nan\"")),
        ("1,,0\n", .number(file: "f", line: 1, column: 2, found: "nothing")),
        ("1,2,-1\n", .label(file: "f", line: 1, column: 3, found: "\"-1\"", limit: 65_535)),
        ("1,2,0.5\n", .label(file: "f", line: 1, column: 3, found: "\"0.5\"", limit: 65_535)),
        ("1,2,0\n1,0\n", .columns(file: "f", line: 2, expected: 3, found: 2)),
        ("5\n", .tooFewColumns(file: "f", line: 1, found: 1)),
        ("\"1\",2,0\n1,2,0", .number(file: "f", line: 1, column: 1, found: "\"\"1\"\"")),
    ])
    func `a CSV file that is none is refused with its place`(text: String, error: DataSetError) {
        #expect(throws: error) { try csv(text) }
    }

    @Test func `IDX images and labels are read`() throws {
        #expect(try idx(Self.images, Self.labels) == DataSet(width: 2, features: [1, 2, 3, 255], labels: [7, 9]))
    }

    @Test func `an IDX file that is none is refused with its reason`() {
        let cases: [([UInt8], [UInt8], DataSetError)] = [
            (Self.labels, Self.labels, .magic(file: "i", expected: "00 00 08 03", found: "00 00 08 01")),
            (Self.images.dropLast(1), Self.labels, .truncated(file: "i", expected: 20, found: 19)),
            (Array(Self.images.prefix(9)), Self.labels, .truncated(file: "i", expected: 16, found: 9)),
            (Self.images + [0], Self.labels, .trailing(file: "i", expected: 20, found: 21)),
            (Self.images, [0, 0, 8, 1, 0, 0, 0, 1, 7], .counts(images: 2, labels: 1)),
            (
                [0, 0, 8, 3] + [UInt8](repeating: 255, count: 12), Self.labels,
                .dimensions(file: "i", found: [4_294_967_295, 4_294_967_295, 4_294_967_295])
            ),
            ([0, 0, 8, 3] + [UInt8](repeating: 0, count: 12), Self.labels, .dimensions(file: "i", found: [0, 0, 0])),
        ]
        for (images, labels, error) in cases { #expect(throws: error) { try idx(images, labels) } }
        #expect(throws: DataSetError.labelsMissing(file: "a/b")) { try IDXReader.labelsPath(forImages: "a/b") }
    }
}
