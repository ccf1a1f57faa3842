import Coordinator
import Federation
import Logging
import RegionalServing
import ServerProgram

extension UpstreamLink {
    /// Follows the root over HTTP, one agent for each federation.
    static var http: UpstreamLink {
        UpstreamLink { settings, services, logger in
            await withTaskGroup(of: Void.self) { group in
                for federation in settings.federations {
                    let agent = RegionAgent(
                        .init(
                            server: settings.url, federation: federation.id, name: settings.name,
                            clients: federation.clients, tokenFile: federation.tokenFile, caFile: settings.caFile,
                            folder: settings.folder),
                        services: services, logger: logger)
                    group.addTask { await agent.run() }
                }
            }
        }
    }
}
