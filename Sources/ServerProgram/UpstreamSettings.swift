package import Coordinator
package import Federation
import Foundation
package import Logging
import RankwiseWire

/// The root whose federations this server serves as a region, checked.
package struct UpstreamSettings: Sendable, Hashable {
    package struct RootFederation: Sendable, Hashable {
        package let id: FederationID
        /// The most clients of this region.
        package let clients: Int
        /// A file with a token of the root of the role `region`.
        package let tokenFile: String?
    }

    /// The root's address.
    package let url: String
    /// This region's name among the root's clients.
    package let name: ClientName
    package let caFile: String?
    package let federations: [RootFederation]
    /// Where the region keeps its own tokens.
    package let folder: String
}

/// Follows the root. It is in a program of its own, so that a server without a root needs no libcurl.
package struct UpstreamLink: Sendable {
    /// Runs until the task is cancelled.
    package let follow: @Sendable (UpstreamSettings, Services, Logger) async -> Void

    package init(follow: @escaping @Sendable (UpstreamSettings, Services, Logger) async -> Void) {
        self.follow = follow
    }
}

/// The `upstream` of a server's settings.
struct UpstreamDocument: Codable, Sendable, Hashable {
    struct RootFederation: Codable, Sendable, Hashable {
        var clients: Int?
        var tokenFile: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case clients
            case tokenFile = "token_file"
        }

        init(clients: Int? = nil, tokenFile: String? = nil) {
            self.clients = clients
            self.tokenFile = tokenFile
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            clients = try values.decodeIfPresent(Int.self, forKey: .clients)
            tokenFile = try values.decodeIfPresent(String.self, forKey: .tokenFile)
        }
    }

    var url: String?
    var name: String?
    var caFile: String?
    var federations: [String: RootFederation]?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case url, name, federations
        case caFile = "ca_file"
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        url = try values.decodeIfPresent(String.self, forKey: .url)
        name = try values.decodeIfPresent(String.self, forKey: .name)
        caFile = try values.decodeIfPresent(String.self, forKey: .caFile)
        federations = try values.decodeIfPresent([String: RootFederation].self, forKey: .federations)
    }
}

extension UpstreamSettings {
    /// The places of a region in its root where the settings name no number.
    static let clients = 100

    /// - Returns: nil where no root is named.
    init?(
        _ file: UpstreamDocument?, _ flags: ServerFlags?, _ environment: [String: String], dataFolder: String?
    ) throws(SettingsError) {
        func given(_ flag: String?, _ key: String, _ value: String?) -> String? {
            flag ?? environment["RANKWISE_UPSTREAM" + key] ?? value
        }
        let document = file ?? UpstreamDocument()
        let url = given(flags?.upstream, "", document.url)
        let name = given(flags?.upstreamName, "_NAME", document.name)
        let caFile = given(flags?.upstreamCaFile, "_CA_FILE", document.caFile)
        let federation = given(flags?.upstreamFederation, "_FEDERATION", nil)
        let tokenFile = given(flags?.upstreamTokenFile, "_TOKEN_FILE", nil)
        let clients = given(flags?.upstreamClients, "_CLIENTS", nil)
        guard let url else {
            let others = [
                ("upstream.name", name), ("upstream.ca_file", caFile), ("upstream.federations", federation),
                ("upstream.federations", tokenFile), ("upstream.federations", clients),
                ("upstream.federations", document.federations.map { _ in "" }),
            ]
            if let (path, _) = others.first(where: { $0.1 != nil }) {
                throw SettingsError(
                    path: path, reason: "is given; expected upstream.url, the root's address, beside it")
            }
            return nil
        }
        guard let parts = URLComponents(string: url), ["http", "https"].contains(parts.scheme?.lowercased() ?? ""),
            parts.host?.isEmpty == false, parts.query == nil, parts.fragment == nil, parts.user == nil
        else {
            throw SettingsError(
                path: "upstream.url",
                reason: "is '\(url)'; expected the root's address, http://HOST:PORT or https://HOST")
        }
        guard let dataFolder else {
            throw SettingsError(
                path: "upstream.url", reason: "is given, and data is a database; a regional server has a data folder")
        }
        self.url = url
        guard let name else {
            throw SettingsError(path: "upstream.name", reason: "is missing; expected this region's name at the root")
        }
        do throws(NameError) { self.name = try ClientName(name) } catch {
            throw SettingsError(path: "upstream.name", reason: "is no name: \(error)")
        }
        if let caFile, !FileManager.default.isReadableFile(atPath: caFile) {
            throw SettingsError(path: "upstream.ca_file", reason: "is \(caFile), which cannot be read")
        }
        self.caFile = caFile
        var named = document.federations ?? [:]
        if let federation {
            named = [
                federation: UpstreamDocument.RootFederation(clients: try Self.count(clients), tokenFile: tokenFile)
            ]
        } else if tokenFile != nil || clients != nil {
            throw SettingsError(
                path: "upstream.federations",
                reason: "are missing beside a token file or a number of clients; expected --upstream-federation NAME")
        }
        guard !named.isEmpty else {
            throw SettingsError(
                path: "upstream.federations",
                reason: "are missing; expected the names of the root's federations that this region serves")
        }
        var federations: [RootFederation] = []
        for (id, one) in named.sorted(by: { $0.key < $1.key }) {
            let path = "upstream.federations.\(id)"
            let most = one.clients ?? Self.clients
            guard (1...1_000_000_000).contains(most) else {
                throw SettingsError(path: path + ".clients", reason: "is \(most); expected 1 to 1000000000")
            }
            do throws(NameError) {
                federations.append(
                    RootFederation(id: try FederationID(id), clients: most, tokenFile: one.tokenFile))
            } catch {
                throw SettingsError(path: path, reason: "is no name: \(error)")
            }
        }
        self.federations = federations
        folder = dataFolder + "/upstream"
    }

    private static func count(_ text: String?) throws(SettingsError) -> Int? {
        guard let text else { return nil }
        guard let count = Int(text) else {
            throw SettingsError(path: "upstream.clients", reason: "is '\(text)'; expected a number")
        }
        return count
    }
}
