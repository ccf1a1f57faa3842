package import StrictJSON

/// Why Rankwise cannot read bytes as a safetensors file.
package enum SafetensorsError: Error, Equatable, Sendable {
    case unreadable(SystemError)
    /// The file has another format.
    case foreign(ForeignFormat)
    /// The file ends before the length of its header does.
    case fileTooShort(bytes: Int)
    case headerTooShort(length: UInt64)
    case headerTooLong(length: UInt64, limit: Int)
    case headerBeyondFile(length: UInt64, available: Int)
    case headerNotObject
    case headerSyntax(JSONSyntaxError)
    case tooManyTensors(limit: Int)
    case duplicateName(String)
    case malformedTensor(String, reason: String)
    case unknownType(tensor: String, type: String)
    case unsupportedType(tensor: String, type: String)
    case shapeOverflow(tensor: String)
    case offsetsMismatchShape(tensor: String, expected: Int, found: Int)
    case offsetsBeyondFile(tensor: String, end: Int, available: Int)
    case overlap(tensor: String, other: String)
    case gap(before: String, bytes: Int)
    case trailingBytes(Int)
    case metadataNotText(String)
    case quantisation(tensor: String, QuantisationError)
}

extension SafetensorsError {
    /// The tensor that caused the error, if there is one.
    package var tensor: String? {
        switch self {
        case .duplicateName(let name), .malformedTensor(let name, _), .unknownType(let name, _),
            .unsupportedType(let name, _), .shapeOverflow(let name), .offsetsMismatchShape(let name, _, _),
            .offsetsBeyondFile(let name, _, _), .overlap(let name, _), .gap(let name, _),
            .quantisation(let name, _):
            name
        case .unreadable, .foreign, .fileTooShort, .headerTooShort, .headerTooLong, .headerBeyondFile, .headerNotObject,
            .headerSyntax, .tooManyTensors, .trailingBytes, .metadataNotText:
            nil
        }
    }
}

extension SafetensorsError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let error): "the file cannot be read: \(error)"
        case .foreign(let format): "\(format); expected a safetensors file, such as PEFT's adapter_model.safetensors"
        case .fileTooShort(let bytes):
            "the file is \(bytes) bytes long; the length of a safetensors header takes 8"
        case .headerTooShort(let length): "the header is \(length) bytes long; the least is 2"
        case .headerTooLong(let length, let limit): "the header is \(length) bytes long; at most \(limit) are read"
        case .headerBeyondFile(let length, let available):
            "the header is \(length) bytes long, but only \(available) bytes follow its length"
        case .headerNotObject: "the header does not begin with '{'"
        case .headerSyntax(let error): "the header is not sound JSON: \(error)"
        case .tooManyTensors(let limit): "the file holds more than \(limit) tensors"
        case .duplicateName(let name): "\(name) appears twice"
        case .malformedTensor(let name, let reason): "the header's entry for \(name) \(reason)"
        case .unknownType(let name, let type): "\(name) has the dtype \(type), which safetensors does not know"
        case .unsupportedType(let name, let type):
            "\(name) is \(type); adapters are F64, F32, F16 or BF16, or quantised"
        case .shapeOverflow(let name): "\(name) has a shape too large to address"
        case .offsetsMismatchShape(let name, let expected, let found):
            "\(name) takes \(found) bytes, but its shape and dtype need \(expected)"
        case .offsetsBeyondFile(let name, let end, let available):
            "\(name) ends at byte \(end) of \(available) bytes of data"
        case .overlap(let name, let other): "\(name) overlaps \(other)"
        case .gap(let name, let bytes): "\(bytes) bytes before \(name) belong to no tensor"
        case .trailingBytes(let count): "\(count) bytes follow the last tensor"
        case .metadataNotText(let key): "the metadata \(key) is not a string"
        case .quantisation(let name, let error): "\(name) is U8 and not a quantised tensor: \(error)"
        }
    }
}
