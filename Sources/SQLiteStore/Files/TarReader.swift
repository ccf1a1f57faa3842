import Foundation

/// Reads the files of a tar archive (ustar) one after the other. It refuses entries of unknown kinds.
struct TarReader {
    enum Failure: Error, CustomStringConvertible {
        /// A block is no header where one is expected.
        case noHeader(at: Int)
        /// An entry has an unsupported kind, such as a link, a device or a name in a longer form.
        case kind(String, name: String)
        case cutOff(name: String)

        var description: String {
            switch self {
            case .noHeader(let offset): "there is no tar header at byte \(offset)"
            case .kind(let kind, let name): "\(name) is of the kind '\(kind)'; expected files and folders"
            case .cutOff(let name): "the archive ends within \(name)"
            }
        }
    }

    struct Entry {
        let name: String
        let isFolder: Bool
        /// The range of its bytes in the archive.
        let range: Range<Int>
    }

    private static let blockSize = 512
    private let bytes: (_ offset: Int, _ count: Int) throws -> [UInt8]
    private let length: Int
    private var offset = 0

    /// - Parameters:
    ///   - length: the archive's length.
    ///   - bytes: reads some bytes of the archive.
    init(length: Int, bytes: @escaping (_ offset: Int, _ count: Int) throws -> [UInt8]) {
        self.length = length
        self.bytes = bytes
    }

    /// The next entry; nil at the end.
    mutating func next() throws -> Entry? {
        guard offset + Self.blockSize <= length else { return nil }
        let header = try bytes(offset, Self.blockSize)
        if header.allSatisfy({ $0 == 0 }) { return nil }
        guard Self.isSound(header), let size = Self.number(header[124..<136]) else {
            throw Failure.noHeader(at: offset)
        }
        let name =
            Self.text(header[345..<500]).isEmpty
            ? Self.text(header[0..<100]) : Self.text(header[345..<500]) + "/" + Self.text(header[0..<100])
        let kind = header[156]
        guard [0, UInt8(ascii: "0"), UInt8(ascii: "5")].contains(kind) else {
            throw Failure.kind(String(UnicodeScalar(kind)), name: name)
        }
        let start = offset + Self.blockSize
        guard size >= 0, size <= length - start else { throw Failure.cutOff(name: name) }
        offset = start + (size + Self.blockSize - 1) / Self.blockSize * Self.blockSize
        return Entry(name: name, isFolder: kind == UInt8(ascii: "5"), range: start..<start + size)
    }

    /// Whether the checksum is right.
    private static func isSound(_ header: [UInt8]) -> Bool {
        guard let expected = number(header[148..<156]) else { return false }
        let sum = header.indices.reduce(0) { $0 + ((148..<156).contains($1) ? 0x20 : Int(header[$1])) }
        return sum == expected
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// A number in octal digits, or a binary number after the byte 0x80.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if field.first == 0x80 {
            let bytes = field.suffix(8)
            guard field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }), bytes.first ?? 0xFF < 0x80 else { return nil }
            return bytes.reduce(0) { $0 << 8 | Int($1) }
        }
        let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        guard !digits.isEmpty, digits.count <= 12, digits.allSatisfy({ (0x30...0x37).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 << 3 | Int($1 & 7) }
    }
}
