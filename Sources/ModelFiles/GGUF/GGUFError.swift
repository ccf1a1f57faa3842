/// Why bytes are no GGUF file that can be read; offsets are from the start of the file.
package enum GGUFError: Error, Equatable, Sendable {
    case magic(found: [UInt8])
    case bigEndian
    case version(found: UInt32)
    /// The file ends before something does.
    case cut(offset: Int, expected: String)
    case tooMany(String, found: UInt64, limit: Int)
    case notUTF8(offset: Int)
    case emptyName(offset: Int)
    case nameTooLong(offset: Int, bytes: Int, limit: Int)
    case valueType(key: String, found: UInt32)
    case nestedArray(key: String)
    case truth(offset: Int, found: UInt8)
    case duplicateKey(String)
    case duplicateTensor(String)
    case sides(tensor: String, found: UInt32)
    case emptySide(tensor: String)
    case shapeOverflow(tensor: String)
    case unsupportedType(tensor: String, found: String)
    case partialBlock(tensor: String, columns: Int, type: String, block: Int)
    case alignment(found: String)
    case unaligned(tensor: String, offset: UInt64, alignment: Int)
    case overlap(tensor: String, other: String)
    case gap(before: String, bytes: Int)
    case beyondFile(tensor: String, end: Int, available: Int)
    case trailingBytes(Int)
    /// A value of the metadata is of another type, or not supported.
    case metadata(key: String, expected: String, found: String)
}

extension GGUFError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .magic(let found): "it begins with the bytes \(found); expected \"GGUF\""
        case .bigEndian: "its numbers are big-endian; expected little-endian"
        case .version(let found): "it is of version \(found) of GGUF; expected 2 or 3"
        case .cut(let offset, let expected): "it ends at byte \(offset), where \(expected) is expected"
        case .tooMany(let what, let found, let limit): "it states \(found) \(what); expected at most \(limit)"
        case .notUTF8(let offset): "the string at byte \(offset) is not UTF-8"
        case .emptyName(let offset): "the name at byte \(offset) is empty"
        case .nameTooLong(let offset, let bytes, let limit):
            "the name at byte \(offset) has \(bytes) bytes; expected at most \(limit)"
        case .valueType(let key, let found): "\(key) is of type \(found); expected a type from 0 to 12"
        case .nestedArray(let key): "\(key) is an array of arrays; expected an array of numbers or strings"
        case .truth(let offset, let found): "the truth value at byte \(offset) is \(found); expected 0 or 1"
        case .duplicateKey(let key): "\(key) appears twice"
        case .duplicateTensor(let name): "the tensor \(name) appears twice"
        case .sides(let tensor, let found): "\(tensor) has \(found) sizes; expected 1 to 4"
        case .emptySide(let tensor): "\(tensor) has a size of 0"
        case .shapeOverflow(let tensor): "\(tensor) has a shape too large to address"
        case .unsupportedType(let tensor, let found):
            "\(tensor) is \(found); expected one of \(StoredType.allCases.map(\.description).joined(separator: ", "))"
        case .partialBlock(let tensor, let columns, let type, let block):
            "a row of \(tensor) has \(columns) numbers; expected a multiple of \(block), a block of \(type)"
        case .alignment(let found): "general.alignment is \(found); expected a power of two from 8 to 65536"
        case .unaligned(let tensor, let offset, let alignment):
            "\(tensor) is at \(offset) of the data; expected a multiple of \(alignment)"
        case .overlap(let tensor, let other): "\(tensor) overlaps \(other)"
        case .gap(let before, let bytes): "\(bytes) bytes before \(before) belong to no tensor"
        case .beyondFile(let tensor, let end, let available):
            "\(tensor) ends at byte \(end) of \(available) bytes of data"
        case .trailingBytes(let count): "\(count) bytes follow the last tensor"
        case .metadata(let key, let expected, let found): "\(key) is \(found); expected \(expected)"
        }
    }
}
