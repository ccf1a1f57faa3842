import ArgumentParser

/// A round that has published: by number, the newest, or the best by what clients measured.
enum RoundChoice: ExpressibleByArgument, Sendable, Hashable {
    case number(Int)
    case latest
    case best

    init?(argument: String) {
        switch argument {
        case "latest": self = .latest
        case "best": self = .best
        default:
            guard let number = Int(argument), number >= 0 else { return nil }
            self = .number(number)
        }
    }

    var defaultValueDescription: String {
        switch self {
        case .number(let number): "\(number)"
        case .latest: "latest"
        case .best: "best"
        }
    }
}
