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
        var answer = try await register(showing: configuration.enrolmentToken ?? known)
        if case .refused(let problem) = answer, problem.isOfTheClient,
            configuration.enrolmentToken != nil || known == nil
        {
            // An earlier answer may have been lost: the server knows this client, and the enrolment token has expired.
            let second = try await register(showing: identity.token)
            if case .value = second { answer = second }
        }
        guard case .value = answer else { return answer }
        identity.registeredRank = rank
        try await keepIdentity()
        observe(.registered(client: configuration.client, rank: rank))
        return answer
    }

    private func register(showing token: String?) async throws(AgentError) -> Answer<Void> {
        let enrolment = FederationEndpoint(
            server: configuration.server, federation: configuration.federation, token: token, fetcher: endpoint.fetcher)
        let bits = MessageBits.allCases.sorted { $0.rawValue > $1.rawValue }.map {
            JSONValue.integer(Int64($0.rawValue))
        }
        let registration = RegistrationBody(
            rank: rank, token: identity.token,
            capabilities: configuration.capabilities.merging(["message_bits": .array(bits)]) { own, _ in own })
        let client = configuration.client
        return try await answer(to: "registration") { (_) async throws(CallError) in
            try await enrolment.register(client, registration)
        }
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
