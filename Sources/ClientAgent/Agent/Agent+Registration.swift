import AdapterFormat
import RankwiseWire
import ServerCalls

/// Registers this client and its rank with the server.
extension Agent {
    /// The rank to ask for: the owner's, or a lower one after pruning.
    var rank: Int { progress.rank(configured: configuration.rank) }

    /// Registers with the current rank and stores that it is registered.
    func registration() async throws(AgentError) -> Answer<Void> {
        // A new client needs the enrolment token; a known client may show its own.
        let known = identity.registeredRank == nil ? nil : identity.token
        var answer = try await register(showing: configuration.enrolmentToken ?? known)
        if case .refused(let problem) = answer, problem.isOfTheClient,
            configuration.enrolmentToken != nil || known == nil
        {
            // An earlier answer may have been lost: the server knows this client, but the enrolment token has expired.
            let second = try await register(showing: identity.token)
            if case .value = second { answer = second }
        }
        guard case .value = answer else { return answer }
        identity.registeredRank = rank
        identity.evaluates = configuration.evaluates
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
        var claims: [String: JSONValue] = ["message_bits": .array(bits)]
        if configuration.evaluates { claims["evaluate"] = .bool(true) }
        let registration = RegistrationBody(
            rank: rank, token: identity.token,
            capabilities: configuration.capabilities.merging(claims) { own, _ in own })
        let client = configuration.client
        return try await answer(to: "registration") { (_) async throws(CallError) in
            try await enrolment.register(client, registration)
        }
    }

    /// The step after the last pending update was sent.
    func next(after revision: Int64?) -> Step {
        identity.registeredRank == rank ? .poll(after: revision) : .advertise(after: revision)
    }

    /// Registers a lower rank; if the server refuses it, the client goes on at the old one.
    func advertise(after revision: Int64?) async throws(AgentError) -> Step {
        if case .refused(let problem) = try await registration() {
            observe(.rankKept(wanted: rank, reason: problem.summary))
        }
        return .poll(after: revision)
    }
}
