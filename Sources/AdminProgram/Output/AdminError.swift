import RankwiseWire
import ServerCalls

/// Why a command did not do what it was asked to do.
enum AdminError: Error, Sendable, Hashable {
    /// A call brought no result. `hint` says what the user can do.
    case call(CallError, hint: String? = nil)
    /// What was named is not there.
    case missing(String)
    /// A local file.
    case file(String)
    /// What came is not what the server said it would be.
    case damaged(String)
    /// The watched federation ended badly.
    case failed(String)
}

extension AdminError {
    var exit: AdminExit {
        switch self {
        case .call(let error, _): AdminExit(error)
        case .missing: .refused
        case .file: .file
        case .damaged: .outOfReach
        case .failed: .failed
        }
    }
}

extension AdminError: CustomStringConvertible {
    var description: String {
        switch self {
        case .call(let error, let hint): "\(error)" + (hint.map { "; \($0)" } ?? "")
        case .missing(let text), .file(let text), .damaged(let text), .failed(let text): text.printable
        }
    }
}
