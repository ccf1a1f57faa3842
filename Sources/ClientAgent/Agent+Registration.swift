import AdapterFormat
import RankwiseWire

/// What the server knows of this client.
extension Agent {
    /// The rank to ask for: the owner's, or a lower one that the client pruned itself to.
    var rank: Int { progress.rank(configured: configuration.rank) }

    /// Registers at the present rank and writes down that it is.
    func registration() async throws(AgentError) -> Answer<Void> {
        // The enrolment token lets a new client in; one that is known may show its own.
        let known = identity.registeredRank == nil ? nil : identity.token
        let enrolment = FederationEndpoint(
            server: configuration.server, federation: configuration.federation,
            token: configuration.enrolmentToken ?? known, fetcher: endpoint.fetcher)
        let bits = MessageBits.allCases.sorted { $0.rawValue > $1.rawValue }.map {
            JSONValue.integer(Int64($0.rawValue))
        }
        let rank = rank
        let registration = RegistrationBody(
            rank: rank, token: identity.token,
            capabilities: configuration.capabilities.merging(["message_bits": .array(bits)]) { own, _ in own })
        let client = configuration.client
        let answer = try await answer(to: "registration") { (_) async throws(CallError) in
            try await enrolment.register(client, registration)
        }
        guard case .value = answer else { return answer }
        identity.registeredRank = rank
        try keepIdentity()
        observe(.registered(client: client, rank: rank))
        return answer
    }

    /// What follows once nothing is left to send.
    func next(after revision: Int64?) -> Step {
        identity.registeredRank == rank ? .poll(after: revision) : .advertise(after: revision)
    }

    /// Tells the server of a lower rank; where it will not hear of it, the client goes on at the old one.
    func advertise(after revision: Int64?) async throws(AgentError) -> Step {
        if case .refused(let problem) = try await registration() {
            observe(.rankKept(wanted: rank, reason: problem.summary))
        }
        return .poll(after: revision)
    }
}
