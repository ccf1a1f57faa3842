import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// The end of a federation. Of all routes the last, since nothing is left for others.
    func addLifeRoutes(to routes: inout Routes) {
        let services = services
        routes.on(.delete, "/v1/federations/{federation}") { request in
            let federation = try request.federation()
            try request.principal(services.access).requireAdmin()
            try request.expect(query: "release")
            let departed = try await services.federations.delete(federation, releasing: try request.flag("release"))
            return try .json(DepartedFederationBody(departed))
        }
    }
}

extension DepartedFederationBody {
    init(_ departed: DepartedFederation) {
        self.init(
            id: departed.id.rawValue, head: "\(departed.head)", events: departed.events, released: departed.isReleased)
    }
}
