/// The tokens that the server issued: creation, use by registrations, withdrawal.
extension FederationMachine {
    /// The limit on tokens. All of them are looked up in memory, and expired ones stay until they are withdrawn.
    package static let tokenLimit = 1000

    mutating func issue(_ token: IssuedToken, in step: inout Step) throws(TokenError) {
        guard tokens.count < Self.tokenLimit else { throw .full(limit: Self.tokenLimit) }
        tokens[token.id] = token
        step.changes.append(.token(token))
        step.record("token.issued", "\(token.role.rawValue) \(token.id)")
    }

    mutating func withdraw(_ id: String, in step: inout Step) throws(TokenError) {
        guard let token = tokens.removeValue(forKey: id) else { throw .unknown(id: id) }
        step.changes.append(.tokenWithdrawn(id: id))
        step.record("token.withdrawn", "\(token.role.rawValue) \(id)")
    }

    /// Why the token cannot register a new client now. It was valid when the call came, but others may have used it up
    /// or withdrawn it since.
    func objection(toEnrolmentBy id: String, at now: Timestamp) -> RegistrationError? {
        guard let token = tokens[id], token.role.registers, !token.isExpired(at: now) else {
            return .tokenWithdrawn
        }
        return token.usesLeft == 0 ? .tokenSpent : nil
    }

    /// Uses the token once, where its uses are counted.
    mutating func spend(_ id: String, on client: ClientName, in step: inout Step) {
        guard var token = tokens[id], let left = token.usesLeft, left > 0 else { return }
        token.usesLeft = left - 1
        tokens[id] = token
        step.changes.append(.token(token))
        step.record("token.used", client: client, "\(id), \(left - 1) uses left")
    }
}
