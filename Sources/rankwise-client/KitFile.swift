import ArgumentParser
import DurableFiles
import FoundationEssentials
import RankwiseWire
import ServerCalls

/// A kit as `rankwise-admin kit` writes it, and the file that it came from.
struct KitFile: Sendable {
    let path: String
    let kit: JoinKit

    init(_ path: String) throws {
        guard let bytes = try? OwnedFile(path, for: .reading).contents() else {
            throw ValidationError("--kit: \(path) cannot be read")
        }
        self.path = path
        do throws(WireError) {
            kit = try WireJSON.decodeStrictly(JoinKit.self, from: Data(bytes))
        } catch {
            throw ValidationError("--kit: \(path): \(error)".printable)
        }
    }

    /// What to tell the machine's owner where the server refuses the kit's token; nil for other refusals.
    func explanation(of problem: Problem, now: Date = .now) -> String? {
        if problem.code == "auth.spent" {
            return "the kit \(path) is used up: \(problem.summary); ask the operator for a new one"
        }
        guard problem.code == "auth.token" else { return nil }
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let end = kit.expiresAt.flatMap { (try? style.parse($0)) ?? (try? Date.ISO8601FormatStyle().parse($0)) }
        if let end, end <= now {
            return "the kit \(path) expired at \(kit.expiresAt ?? ""): \(problem.summary); "
                + "ask the operator for a new one"
        }
        return "the server does not take the token of the kit \(path): \(problem.summary); it was withdrawn or has "
            + "expired, or the federation is another one now; ask the operator for a new one"
    }
}
