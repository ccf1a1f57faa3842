import Coordinator
import DurableFiles
import Federation
import Foundation
import HTTPServing

/// How a server's metrics are counted and who may read them.
struct MetricsSettings {
    /// Whether anything is counted.
    var isEnabled: Bool
    /// A port of their own, over plain HTTP and without a token; nil for none.
    var address: ListeningAddress?
    /// The file of the token that may read metrics and nothing else; nil for none.
    var tokenFile: String?
    /// How many federations have a label of their own.
    var federations: Int

    private static let federationsRange = 0...100_000

    init(_ document: MetricsDocument) throws(SettingsError) {
        isEnabled = document.enabled ?? true
        address = try document.listen.map { text throws(SettingsError) in
            try ListeningAddress(text, path: "metrics.listen")
        }
        tokenFile = document.tokenFile
        federations = document.federations ?? 200
        guard Self.federationsRange.contains(federations) else {
            throw SettingsError(
                path: "metrics.federations",
                reason: "is \(federations); expected \(Self.federationsRange.lowerBound) to "
                    + "\(Self.federationsRange.upperBound)")
        }
        guard isEnabled || (address == nil && tokenFile == nil) else {
            throw SettingsError(
                path: "metrics.enabled",
                reason: "is false; expected neither metrics.listen nor metrics.token_file beside it")
        }
    }

    /// The hash of the token in the file; nil where no file is named.
    func tokenHash() throws(SettingsError) -> ContentDigest? {
        guard let tokenFile else { return nil }
        guard let bytes = FileManager.default.contents(atPath: tokenFile) else {
            throw SettingsError(
                path: "metrics.token_file",
                reason: "is '\(tokenFile)', which cannot be read; expected a file with a token")
        }
        let token = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.utf8.count >= 32 else {
            throw SettingsError(
                path: "metrics.token_file",
                reason:
                    "is '\(tokenFile)', which holds \(token.utf8.count.counted("byte")); expected a token of at least 32"
            )
        }
        return Access.hash(token)
    }
}
