import Federation

/// An error of a data folder, described for the command line.
struct StoreFailure: Error, CustomStringConvertible {
    let description: String

    init(_ error: StoreError) {
        description =
            switch error {
            case .full: "no space is left"
            case .fenced, .exists: "somebody else writes there"
            case .gone: "the data directory was moved or deleted"
            case .unsound(let reason), .failed(let reason): reason
            }
    }
}
