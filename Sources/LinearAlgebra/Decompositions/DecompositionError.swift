/// Why a product could not be decomposed.
package enum DecompositionError: Error, Equatable {
    /// A factor holds an infinity or NaN.
    case notFinite
    /// The result holds a number beyond Float: the factors are finite, but their product is too large.
    case beyondFloat
    /// A LAPACK routine failed, with its code.
    case gaveUp(routine: String, code: Int)
    /// A LAPACK routine needs more workspace than its 32-bit integers can count.
    case tooLarge(routine: String)
}

extension DecompositionError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notFinite: "expected factors of finite numbers; one holds an infinity or a NaN"
        case .beyondFloat: "expected a product within the range of float32; it is larger"
        case .gaveUp(let routine, let code): "expected \(routine) to succeed; it ended with code \(code)"
        case .tooLarge(let routine): "expected a matrix that \(routine) can take; this one is too large"
        }
    }
}
