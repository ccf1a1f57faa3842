/// Why a safetensors file could not be written.
package enum SafetensorsWriteError: Error, Equatable, Sendable {
    case duplicate(String)
    case tooLarge(String)
    case undeclared(String)
    case length(String, expected: Int, found: Int)
    case rank(module: String, expected: Int, found: Int)
    case missing(String)
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
        case .system(let error): "\(error)"
        }
    }
}
