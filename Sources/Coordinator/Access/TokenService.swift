package import Federation

/// Issues, lists and withdraws a federation's reader and enrolment tokens.
package struct TokenService: Sendable {
    let runtime: FederationRuntime
    let access: Access
    let clock: any WallClock

    /// A new token. Its text is shown only now, because the server keeps only the hash.
    package struct Issued: Sendable {
        package let record: IssuedToken
        package let token: String
    }

    /// - Parameters:
    ///   - expiresAt: the time from which the token is no longer valid; nil for never.
    ///   - uses: how many clients or regions the token may register; nil for any number.
    package func issue(
        _ role: IssuedToken.Role, expiresAt: Timestamp?, uses: Int?, in federation: FederationID
    ) async throws(ServiceError) -> Issued {
        let session = try runtime.session(federation)
        let now = clock.now()
        if let expiresAt, expiresAt <= now {
            throw .settings(SettingsError(path: "expires_at", reason: "is in the past; expected a time to come"))
        }
        if let uses {
            guard role.registers else {
                throw .settings(
                    SettingsError(path: "uses", reason: "is for tokens that register clients or regions; leave it out"))
            }
            guard (1...1_000_000).contains(uses) else {
                throw .settings(SettingsError(path: "uses", reason: "is \(uses); expected 1 to 1000000"))
            }
        }
        let token = Access.makeToken()
        let hash = Access.hash(token)
        // The id is made from the hash, so that the finder of a token can tell which one it is.
        let record = IssuedToken(
            id: String(hash.hex.prefix(16)), role: role, hash: hash, createdAt: now, expiresAt: expiresAt,
            usesLeft: uses)
        // The token becomes valid before it is listed. Otherwise it could be withdrawn first and become valid
        // afterwards.
        access.grant(record, of: federation)
        do throws(ServiceError) {
            try await session.reply(to: .issue(record))
        } catch {
            access.forget(tokenWithHash: hash)
            throw error
        }
        return Issued(record: record, token: token)
    }

    /// All tokens that were not withdrawn, oldest first.
    package func list(in federation: FederationID) throws(ServiceError) -> [IssuedToken] {
        try runtime.session(federation).snapshot.machine.tokens.values.sorted {
            ($0.createdAt, $0.id) < ($1.createdAt, $1.id)
        }
    }

    /// Makes the token with this id invalid.
    package func withdraw(_ id: String, in federation: FederationID) async throws(ServiceError) {
        let session = try runtime.session(federation)
        let hash = session.snapshot.machine.tokens[id]?.hash
        try await session.reply(to: .withdraw(id))
        if let hash { access.forget(tokenWithHash: hash) }
    }
}
