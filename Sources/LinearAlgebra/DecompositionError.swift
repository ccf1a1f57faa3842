/// Why a product could not be decomposed.
package enum DecompositionError: Error, Equatable {
    /// A factor holds an infinity or something that is no number.
    case notFinite
    /// The result holds a number that a float cannot: its factors are finite, their product is too large.
    case beyondFloat
    /// A LAPACK routine gave up, with its code.
    case notConverged(routine: String, code: Int)
}

extension DecompositionError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notFinite: "expected factors of finite numbers; one holds an infinity or a NaN"
        case .beyondFloat: "expected a product within the range of float32; it is larger"
        case .notConverged(let routine, let code): "expected \(routine) to converge; it ended with code \(code)"
        }
    }
}
