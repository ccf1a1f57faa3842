import ArgumentParser
import Foundation
import RankwiseWire

/// Makes, lists and deletes a federation's tokens.
struct TokensCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens", abstract: "Make, list or delete a federation's reader and enrolment tokens.",
        subcommands: [Make.self, List.self, Delete.self])

    struct Make: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "make", abstract: "Make a token; this alone shows it.")

        @OptionGroup var target: FederationArgument
        @Option(help: "enrolment or reader; the server says if it knows another.") var role: String
        @Option(help: "How many clients an enrolment token may register (default: any number).") var uses: Int?
        @Option(help: ArgumentHelp("How long it is good, \(Lifetime.help) (default: for ever).", valueName: "time"))
        var expires: Lifetime?
        @OptionGroup var server: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            if let uses, uses < 1 { throw ValidationError("--uses is \(uses); expected at least 1") }
        }

        func run() async throws {
            let body = TokenRequestBody(role: role, expiresAt: expires?.end(after: .now), uses: uses)
            let made = try await server.api().makeToken(target.federation, body)
            let token = made.body
            try output.show(
                made.json,
                Cells.facts([
                    ["id", token.id], ["role", token.role], ["token", Cells.text(token.token)],
                    ["expires", token.expiresAt ?? "never"], ["uses left", token.usesLeft.map(String.init) ?? "any"],
                ]))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the tokens, without their texts.")

        @OptionGroup var target: FederationArgument
        @OptionGroup var server: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let answer = try await server.api().tokens(target.federation)
            let rows = answer.body.tokens.map { token in
                [
                    token.id, token.role, token.createdAt, token.expiresAt ?? "never",
                    token.usesLeft.map(String.init) ?? "any",
                ]
            }
            try output.show(answer.json, Cells.list(["ID", "ROLE", "CREATED", "EXPIRES", "USES LEFT"], rows))
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Withdraw a token; whoever holds it is refused from now on.",
            discussion: #"With --json: {"deleted": ID}, because the server's answer has no body."#)

        private struct Deleted: Encodable { let deleted: String }

        @OptionGroup var target: FederationArgument
        @Argument(help: "The token's id, as `tokens list` shows it.") var id: String
        @OptionGroup var server: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard id.wholeMatch(of: /[A-Za-z0-9_-]{1,128}/) != nil else {
                throw ValidationError("the id is '\(id)'; expected letters, digits, '_' and '-'")
            }
        }

        func run() async throws {
            try await server.api().deleteToken(target.federation, id)
            try output.show(Deleted(deleted: id), ["token \(id) of \(target.federation) is withdrawn"])
        }
    }
}
