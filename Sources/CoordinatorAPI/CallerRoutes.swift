import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// The route that says whom a token stands for.
    func addCallerRoutes(to routes: inout Routes) {
        routes.on(
            .get, "/v1/caller", for: .holder,
            contract: RouteContract(answers: [.json(CallerBody.schema, "The caller")]),
            "Says whom the token stands for"
        ) { _, holder in
            try .json(CallerBody(holder.principal))
        }
    }
}

extension CallerBody {
    init(_ principal: Principal) {
        switch principal {
        case .admin: self.init(role: "admin")
        case .metrics: self.init(role: "metrics")
        case .reader(let federation): self.init(role: "reader", federation: federation.rawValue)
        case .enrolment(let federation, _): self.init(role: "enrolment", federation: federation.rawValue)
        case .client(let federation, let name):
            self.init(role: "client", federation: federation.rawValue, client: name.rawValue)
        }
    }
}
