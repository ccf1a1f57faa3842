/// Why a safetensors file could not be written.
package enum SafetensorsWriteError: Error, Equatable, Sendable {
    case duplicate(String)
    case tooLarge(String)
    case undeclared(String)
    case length(String, expected: Int, found: Int)
    case rank(module: String, expected: Int, found: Int)
    case missing(String)
    case notFinite(String, row: Int)
    case tooWide(String, row: Int)
    case system(SystemError)
}

extension SafetensorsWriteError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .duplicate(let name): "\(name) is declared twice"
        case .tooLarge(let name): "\(name) is too large to address"
        case .undeclared(let name): "\(name) is not one of the file's tensors, or was written before"
        case .length(let name, let expected, let found): "\(name) takes \(expected) numbers; \(found) came"
        case .rank(let module, let expected, let found):
            "\(module) is written at rank \(expected); \(found) components came"
        case .missing(let name): "\(name) was declared and not written"
        case .notFinite(let name, let row):
            "\(name) cannot be written: row \(row) has a number that is not finite in its type"
        case .tooWide(let name, let row):
            "\(name) cannot be quantised: the values of row \(row) lie further apart than a Float reaches"
        case .system(let error): "\(error)"
        }
    }
}
