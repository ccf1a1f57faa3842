import ArgumentParser
import ClientAgent
import FoundationEssentials
import RankwiseWire

/// Where a client joins and as whom: by the command line, or by a kit.
struct JoinTarget: Sendable {
    let server: String
    let federation: String
    let name: String
    let rank: Int
    /// The enrolment token, if there is one.
    let token: String?
    let kit: KitFile?

    /// The certificates that the kit brings for the server's.
    var authority: String? { kit?.kit.authority }

    /// What to tell the owner about an agent's end.
    func explanation(of error: AgentError) -> String {
        guard case .refused(let problem) = error, let explanation = kit?.explanation(of: problem) else {
            return "\(error)"
        }
        return explanation
    }
}

extension JoinTarget {
    /// Takes what the kit has; flags that say something else are refused by name.
    init(_ kit: KitFile, _ command: JoinCommand) throws {
        let content = kit.kit
        server = try ServerOptions.address(content.server)
        federation = content.federation
        for (what, flag, own) in [
            ("the server", command.url, server), ("--federation", command.federation, federation),
            ("--name", command.name, content.name),
        ] {
            guard let flag, let own, flag != own else { continue }
            throw ValidationError("\(what) is \(flag), and the kit \(kit.path) says \(own); leave one out")
        }
        if command.access.tokenFile != nil {
            throw ValidationError("--token-file and --kit both have a token; leave one out")
        }
        let environment = ProcessInfo.processInfo.environment
        if let token = try command.access.token(), token != content.token {
            throw ValidationError("RANKWISE_TOKEN and the kit \(kit.path) have different tokens; leave one out")
        }
        if content.authority != nil, command.access.caFile != nil || environment["RANKWISE_CA_FILE"] != nil {
            let other = command.access.caFile == nil ? "RANKWISE_CA_FILE" : "--ca-file"
            throw ValidationError("\(other) and the kit \(kit.path) both have certificates; leave one out")
        }
        name = try command.name ?? content.name ?? Self.machineName()
        guard let rank = command.rank ?? content.defaultRank else {
            throw ValidationError("the kit \(kit.path) has no default_rank; give --rank")
        }
        self.rank = rank
        token = content.token
        self.kit = kit
    }

    /// Takes everything from the command line and the environment.
    init(_ command: JoinCommand) throws {
        func needed<Value>(_ value: Value?, _ name: String) throws -> Value {
            guard let value else { throw ValidationError("\(name) is missing; give it, or a kit by --kit FILE") }
            return value
        }
        server = try needed(command.url, "the server's address")
        federation = try needed(command.federation, "--federation")
        name = try needed(command.name, "--name")
        rank = try needed(command.rank, "--rank")
        token = try command.access.token()
        kit = nil
    }

    /// This machine's host name in the form of a client's name.
    private static func machineName() throws -> String {
        let host = ProcessInfo.processInfo.hostName.lowercased()
        let name = String(host.prefix(64).map { "abcdefghijklmnopqrstuvwxyz0123456789._-".contains($0) ? $0 : "-" })
        guard WireName.isSound(name) else {
            throw ValidationError("this machine's name, '\(host)', is no client's name; give --name")
        }
        return name
    }
}
