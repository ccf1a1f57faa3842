import ArgumentParser
import DurableFiles
import Foundation
import RankwiseWire
import ServerCalls

/// Writes what a machine needs to join a federation into one file.
struct KitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kit",
        abstract: "Write one file by which a machine joins a federation.",
        discussion: """
            The file has the server's address, the CA's certificates where --ca-file names them, the federation, an \
            enrolment token that is made for it, and its expiry. It is a secret. On the machine: \
            rankwise-client join --kit FILE --data PATH. With --json: what the kit has, without the token.
            """)

    /// What `--json` prints.
    private struct Written: Encodable {
        var kit: String
        var server: String
        var federation: String
        var tokenID: String
        var expiresAt: String?
        var uses: Int
        var name: String?
        var defaultRank: Int

        enum CodingKeys: String, CodingKey {
            case kit, server, federation, uses, name
            case tokenID = "token_id"
            case expiresAt = "expires_at"
            case defaultRank = "default_rank"
        }
    }

    @OptionGroup var target: FederationArgument
    @Option(help: ArgumentHelp("The file to write; it must not exist.", valueName: "file")) var out: String
    @Option(help: "How many clients may register by it.") var uses = 1
    @Option(help: ArgumentHelp("How long clients may register by it, \(Lifetime.help).", valueName: "time"))
    var expires = Lifetime.kit
    @Option(help: "The client's name (default: the machine's own name).") var name: Name?
    @Option(help: "The rank where the machine's owner names none (default: the federation's maximum).") var rank: Int?
    @Option(
        help: ArgumentHelp(
            "The server's address as the machine reaches it (default: that of --server).", valueName: "url"))
    var address: String?
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard uses >= 1 else { throw ValidationError("--uses is \(uses); expected at least 1") }
        guard rank ?? 1 >= 1 else { throw ValidationError("--rank is \(rank ?? 0); expected at least 1") }
        guard name == nil || uses == 1 else {
            throw ValidationError("--name is for one client, and --uses is \(uses)")
        }
    }

    func run() async throws {
        let address = try clientAddress()
        let authority = try authorityText()
        guard !FileManager.default.fileExists(atPath: out) else {
            throw AdminError.file("--out: \(out) exists; a kit does not replace a file")
        }
        let api = try server.api()
        let defaultRank = try await defaultRank(api)
        let made = try await api.makeToken(
            target.federation, TokenRequestBody(role: "enrolment", expiresAt: expires.end(after: .now), uses: uses))
        guard let token = made.body.token else { throw AdminError.damaged("the server's answer has no token") }
        let kit = JoinKit(
            server: address.description, federation: target.federation.description, token: token,
            tokenID: made.body.id, expiresAt: made.body.expiresAt, uses: uses, authority: authority,
            name: name?.description, defaultRank: defaultRank)
        do {
            try write(kit)
        } catch {
            // Nobody has the token, so nobody shall be able to use it.
            try await api.deleteToken(target.federation, made.body.id)
            throw error
        }
        if address.isLoopback {
            OutputOptions.note("\(address) is reached from this machine alone; --address names another")
        }
        try output.show(
            Written(
                kit: out, server: kit.server, federation: kit.federation, tokenID: made.body.id,
                expiresAt: kit.expiresAt, uses: uses, name: kit.name, defaultRank: defaultRank),
            Cells.facts([
                ["kit", out], ["server", kit.server], ["federation", kit.federation], ["token id", made.body.id],
                ["expires", kit.expiresAt ?? "never"], ["uses", "\(uses)"],
            ]))
    }

    private func clientAddress() throws -> ServerAddress {
        guard let address else { return try server.address() }
        do throws(AccessError) {
            return try ServerAddress(address)
        } catch {
            throw ValidationError("--address: \(error)")
        }
    }

    private func authorityText() throws(AdminError) -> String? {
        guard let path = try server.authority() else { return nil }
        guard let bytes = try? OwnedFile(path, for: .reading).contents(),
            let text = String(validating: bytes, as: UTF8.self), text.contains("-----BEGIN CERTIFICATE-----")
        else { throw .file("\(path) holds no certificates in PEM's form") }
        return text
    }

    private func defaultRank(_ api: AdminAPI) async throws(AdminError) -> Int {
        if let rank { return rank }
        let federation = try await api.federation(target.federation).body
        guard let rank = federation.settings.adapter.maxRank else {
            throw .missing("\(federation.id) is a draft and has no greatest rank yet; name one by --rank")
        }
        return rank
    }

    private func write(_ kit: JoinKit) throws(AdminError) {
        let text: Data
        do throws(WireError) { text = try WireJSON.encode(kit, pretty: true) } catch { throw .damaged("\(error)") }
        do throws(FileError) {
            try DurableFile.replace(out, promising: .contentAndName, with: Array(text) + [10])
        } catch {
            throw .file("--out: \(error)")
        }
    }
}

extension Lifetime {
    /// How long a kit is good by default.
    static let kit = Lifetime(seconds: 604_800, text: "7d")
}
