/// Reads MNIST's format (IDX): a big-endian header with the dimensions, then one byte per number.
///
/// Images have three dimensions (count × height × width), labels one. Pixels keep their values 0 to 255.
enum IDXReader {
    static func read(
        images: [UInt8], imagesFile: String, labels: [UInt8], labelsFile: String
    ) throws(DataSetError) -> DataSet {
        let pictures = try block(images, file: imagesFile, sides: 3)
        let classes = try block(labels, file: labelsFile, sides: 1)
        guard pictures.sides[0] == classes.sides[0] else {
            throw .counts(images: pictures.sides[0], labels: classes.sides[0])
        }
        return DataSet(
            width: pictures.sides[1] * pictures.sides[2], features: pictures.numbers.map(Float.init),
            labels: classes.numbers.map(Int.init))
    }

    /// The path of the labels for a file of images, by MNIST's naming.
    static func labelsPath(forImages path: String) throws(DataSetError) -> String {
        let cut = path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex
        let name = path[cut...]
        let renamed = replacing("idx3", by: "idx1", in: replacing("images", by: "labels", in: String(name)))
        guard renamed != name else { throw .labelsMissing(file: path) }
        return path[..<cut] + renamed
    }

    /// Checks the header against the file's length before memory of its size is allocated.
    private static func block(
        _ bytes: [UInt8], file: String, sides: Int
    ) throws(DataSetError) -> (sides: [Int], numbers: ArraySlice<UInt8>) {
        let magic: [UInt8] = [0, 0, 0x08, UInt8(sides)]
        guard bytes.starts(with: magic) else {
            guard bytes.count >= 4 || !magic.starts(with: bytes) else {
                throw .truncated(file: file, expected: 4 + 4 * sides, found: bytes.count)
            }
            throw .magic(file: file, expected: hexadecimal(magic[...]), found: hexadecimal(bytes.prefix(4)))
        }
        let header = 4 + 4 * sides
        guard bytes.count >= header else { throw .truncated(file: file, expected: header, found: bytes.count) }
        let lengths = (1...sides).map { side in
            bytes[(4 * side)..<(4 * side + 4)].reduce(0) { $0 << 8 | Int($1) }
        }
        var total = 1
        for length in lengths {
            let (product, overflow) = total.multipliedReportingOverflow(by: length)
            guard !overflow else { throw .dimensions(file: file, found: lengths) }
            total = product
        }
        let (expected, overflow) = total.addingReportingOverflow(header)
        guard !overflow, total > 0 else { throw .dimensions(file: file, found: lengths) }
        guard bytes.count >= expected else { throw .truncated(file: file, expected: expected, found: bytes.count) }
        guard bytes.count == expected else { throw .trailing(file: file, expected: expected, found: bytes.count) }
        return (lengths, bytes[header...])
    }

    private static func replacing(_ word: String, by other: String, in text: String) -> String {
        var bytes = Array(text.utf8)
        let (old, new) = (Array(word.utf8), Array(other.utf8))
        for start in stride(from: bytes.count - old.count, through: 0, by: -1)
        where bytes[start...].starts(with: old) {
            bytes.replaceSubrange(start..<(start + old.count), with: new)
            break
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.isEmpty
            ? "nothing" : bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
}
