import AdapterFormat
import Aggregation
package import Federation

/// Takes a client's update: checks that it may come, that it is sound, and answers once it is durable.
package struct UpdateService: Sendable {
    let parts: Parts

    /// What a client says of its update.
    package struct Claim: Sendable {
        package let federation: FederationID
        package let round: Int
        package let client: ClientName
        package let samples: Int
        package let metrics: Metrics
        /// From `Content-Digest`, where it was sent.
        package let digest: ContentDigest?

        package init(
            federation: FederationID, round: Int, client: ClientName, samples: Int, metrics: Metrics,
            digest: ContentDigest?
        ) {
            self.federation = federation
            self.round = round
            self.client = client
            self.samples = samples
            self.metrics = metrics
            self.digest = digest
        }
    }

    /// Leave to stream the body to a file.
    package struct Ticket: Sendable {
        let claim: Claim
        package let spool: SpoolFile
        /// No sound update of this federation is longer.
        package let byteLimit: Int
        let room: UpdateByteReservations.Reservation?
        /// Is to see the body's bytes; nil where the length of the body is not known.
        package var arrival: ArrivingUpdate?
    }

    /// What the server holds of a client's update.
    package struct Receipt: Sendable {
        package let update: Update
        /// Updates that the round holds.
        package let received: Int
        package let isNew: Bool
    }

    /// Whether the body is worth reading: throws before a byte of it was taken.
    ///
    /// - Parameter byteCount: of the body, where the client says it.
    package func begin(_ claim: Claim, byteCount: Int?) async throws(ServiceError) -> Ticket {
        let session = try parts.activeSession(of: claim.federation, for: claim.client)
        session.touch(claim.client)
        return Ticket(
            claim: claim, spool: parts.store.makeSpoolFile(),
            byteLimit: try session.updateByteLimit(round: claim.round),
            room: try await admit(claim, byteCount: byteCount, in: session),
            arrival: byteCount.map {
                ArrivingUpdate(
                    byteCount: $0,
                    measuresFactors: session.snapshot.machine.settings.limits.factorOverMedian != nil)
            })
    }

    /// Takes the streamed body, whose file must be durable: the file becomes the update's blob, or goes.
    package func finish(
        _ ticket: Ticket, digest: ContentDigest, byteCount: Int
    ) async throws(ServiceError) -> Receipt {
        defer { parts.room.release(ticket.room) }
        do throws(ServiceError) {
            let receipt = try await take(ticket, digest: digest, byteCount: byteCount)
            if !receipt.isNew { await parts.store.discard(ticket.spool) }
            return receipt
        } catch {
            await parts.store.discard(ticket.spool)
            throw error
        }
    }

    /// A tensor of a body that no update of the federation has.
    ///
    /// - Parameters:
    ///   - head: the body's bytes, as far as its header goes.
    ///   - byteCount: of the whole body; nil where the client does not say it, and nothing is known then.
    package func stranger(
        inHead head: [UInt8], byteCount: Int?, of federation: FederationID
    ) throws(ServiceError) -> String? {
        guard let byteCount else { return nil }
        return try parts.registry.session(federation).plan().shape.stranger(inHead: head, byteCount: byteCount)
    }

    /// Forgets a body that did not arrive whole.
    package func abandon(_ ticket: Ticket) async {
        await parts.store.discard(ticket.spool)
        parts.room.release(ticket.room)
    }

    /// Takes an update back that counts in the round that collects, at the admin's wish.
    package func takeBack(
        updateOf client: ClientName, round: Int, in federation: FederationID
    ) async throws(ServiceError) {
        let session = try parts.registry.session(federation)
        switch try await session.reply(to: .takeBack(client, round: round)) {
        case .done: try await parts.sweep()
        case .round(.noUpdate(let round)): throw .noUpdate(round: round)
        case .round(let error): throw .round(error)
        default: throw .internalFailure("taking an update back was answered with something else")
        }
    }

    package func receipt(
        for client: ClientName, round: Int, in federation: FederationID
    ) async throws(ServiceError) -> Receipt {
        let machine = try parts.registry.session(federation).snapshot.machine
        var rounds = round...round
        if let buffer = machine.settings.policy.buffer, let current = machine.round?.number, round <= current,
            machine.clients[client].map({ $0.history.lastUpdated >= round }) ?? false
        {
            // It counted in whichever round collected when it came.
            rounds = round...min(current, round + buffer.maximumStaleness)
        }
        for number in rounds {
            let seen = try await RoundService(parts: parts).round(number, of: federation)
            guard let update = seen.round.held(of: client), (update.began ?? number) == round else { continue }
            return Receipt(update: update, received: seen.round.receivedCount, isNew: false)
        }
        throw .noUpdate(round: round)
    }
}

extension UpdateService {
    /// Whether an update may come: throws what is to be said against it.
    ///
    /// - Parameter byteCount: of the update; one whose length is not known counts as long as any may be.
    /// - Returns: the room set aside for it, which the caller must release; nil for one that is here already.
    func admit(
        _ claim: Claim, byteCount: Int?, in session: FederationSession
    ) async throws(ServiceError) -> UpdateByteReservations.Reservation? {
        guard try await held(by: claim) == nil else { return nil }
        if let objection = session.snapshot.machine.objection(to: claim.client, round: claim.round) {
            throw .round(objection)
        }
        try await refuseUnlessSound(claim, in: session)
        let longest = try session.updateByteLimit(round: claim.round)
        let limit = parts.quotas.updateBytes
        let room = parts.room.reserve(
            min(byteCount ?? longest, longest), for: claim.client, in: session, upTo: limit)
        guard let room else { throw .tooManyUpdateBytes(limit: limit) }
        return room
    }

    /// Takes the update that a durable file holds; what becomes of the file otherwise is the caller's.
    func take(_ ticket: Ticket, digest: ContentDigest, byteCount: Int) async throws(ServiceError) -> Receipt {
        let claim = ticket.claim
        if let expected = claim.digest, expected != digest { throw .digestMismatch(expected: expected, found: digest) }
        if let receipt = try await held(by: claim) {
            guard receipt.update.digest == digest, receipt.update.samples == claim.samples else {
                throw .round(.updateExists(round: claim.round))
            }
            return receipt
        }
        let session = try parts.activeSession(of: claim.federation, for: claim.client)
        let snapshot = session.snapshot
        guard let client = snapshot.machine.clients[claim.client] else { throw .unknownClient(claim.client) }
        let configuration: String?
        do throws(StoreError) {
            configuration = try await parts.configurations.configuration(
                of: claim.client, round: claim.round, in: claim.federation)
        } catch {
            throw .store(error)
        }
        let check = UpdateCheck(
            claim, configuration: configuration, clientRank: snapshot.machine.grantedRank(of: client), at: snapshot,
            as: try snapshot.plan(), parts: parts)
        let squares = ticket.arrival?.soundSquares
        let finding: UpdateCheck.Finding
        do throws(ServiceError) {
            finding = try await parts.validation.run { () throws(ServiceError) in
                try check.finding(fileAt: ticket.spool.path, squares: squares)
            }
        } catch {
            guard case .update(let refusal) = error else { throw error }
            try await refuse(claim, for: refusal, in: session)
        }
        let update = Update(
            client: claim.client, digest: digest, byteCount: byteCount, rank: finding.rank,
            samples: claim.samples, metrics: claim.metrics, receivedAt: parts.clock.now(), ranks: finding.ranks,
            norm: finding.norm, factorSizes: finding.factorSizes)
        session.touch(claim.client)
        let event = FederationMachine.Event.update(
            update, round: claim.round, spool: ticket.spool, adopting: finding.adopting)
        switch try await reply(to: event, in: session) {
        case .received(let count):
            parts.freshBlobs.note(digest, at: parts.store.blobPath(of: digest), now: parts.clock.now())
            return Receipt(update: update, received: count, isNew: true)
        case .round(.updateExists(let round)):
            guard let receipt = try await held(by: claim), receipt.update.digest == digest,
                receipt.update.samples == claim.samples
            else { throw .round(.updateExists(round: round)) }
            return receipt
        case .round(let error): throw .round(error)
        case .configuration(let key):
            let known = session.snapshot.machine.settings.adapter.config[key] ?? "null"
            let refusal = ConfigRefusal(
                key: key, found: finding.adopting[key] ?? "null",
                reason: "this federation has \(known) since a moment ago")
            try await refuse(claim, for: UpdateRefusal(refusal), in: session)
        default: throw .internalFailure("an update was answered with something else")
        }
    }

    /// The session's reply, once no buffer of an asynchronous federation is being added up, if that does not take long.
    private func reply(
        to event: FederationMachine.Event, in session: FederationSession
    ) async throws(ServiceError) -> FederationMachine.Reply {
        let patience = parts.clock.now().adding(seconds: 30)
        var reply = try await session.reply(to: event)
        while case .round(.busy) = reply, await session.collects(by: patience) {
            reply = try await session.reply(to: event)
        }
        return reply
    }

    /// The receipt for what this client already sent in the round, if anything.
    private func held(by claim: Claim) async throws(ServiceError) -> Receipt? {
        do throws(ServiceError) {
            return try await receipt(for: claim.client, round: claim.round, in: claim.federation)
        } catch .noUpdate, .unknownRound {
            return nil
        }
    }

    private func refuseUnlessSound(_ claim: Claim, in session: FederationSession) async throws(ServiceError) {
        let limit = session.snapshot.machine.settings.limits.samples
        guard (1...limit).contains(claim.samples) else {
            let refusal = UpdateRefusal(
                code: "update.samples", detail: "samples is \(claim.samples); this federation takes 1 to \(limit)")
            try await refuse(claim, for: refusal, in: session)
        }
        if let objection = claim.metrics.objection {
            try await refuse(claim, for: UpdateRefusal(code: "update.metrics", detail: objection), in: session)
        }
        if let refusal = claim.baseRefusal(in: session.snapshot.machine) {
            try await refuse(claim, for: refusal, in: session)
        }
        let strategy = try session.plan().strategy
        if strategy.needsAccuracy, claim.metrics.accuracy == nil {
            let refusal = UpdateRefusal(
                code: "update.accuracy",
                detail: "accuracy is missing; this federation weighs clients by ranking and needs ?accuracy=X")
            try await refuse(claim, for: refusal, in: session)
        }
    }

    /// Puts the refusal on the round's record and throws it.
    private func refuse(
        _ claim: Claim, for refusal: UpdateRefusal, in session: FederationSession
    ) async throws(ServiceError) -> Never {
        try await session.refuse(refusal, of: claim.client, round: claim.round, at: parts.clock.now())
    }
}
