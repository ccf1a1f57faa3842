import AdapterFormat
import Aggregation
package import Federation

/// Takes a client's update: checks that it may come and is valid, and answers once it is durable.
package struct UpdateService: Sendable {
    private let runtime: FederationRuntime
    private let rounds: RoundService
    private let blobs: any BlobStore
    private let configurations: any ConfigurationStore
    private let adapters: any AdapterStore
    private let reservations: UpdateByteReservations
    private let freshBlobs: FreshBlobs
    private let quotas: Quotas
    private let clock: any WallClock
    /// The queue that checks updates, several at once.
    private let validation = BlockingQueue(label: "validation", concurrent: true)

    init(
        runtime: FederationRuntime, rounds: RoundService, blobs: any BlobStore,
        configurations: any ConfigurationStore, adapters: any AdapterStore, reservations: UpdateByteReservations,
        freshBlobs: FreshBlobs, quotas: Quotas, clock: any WallClock
    ) {
        self.runtime = runtime
        self.rounds = rounds
        self.blobs = blobs
        self.configurations = configurations
        self.adapters = adapters
        self.reservations = reservations
        self.freshBlobs = freshBlobs
        self.quotas = quotas
        self.clock = clock
    }

    /// The client's statements about its update.
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

    /// Permission to stream the body to a file.
    package struct Ticket: Sendable {
        let claim: Claim
        package let spool: SpoolFile
        /// Whether the file must be on the disk before it is taken.
        package var mustBeDurable = true
        /// No valid update of this federation is longer.
        package let byteLimit: Int
        let admission: Admission
        /// Receives the body's bytes; nil where the body's length is not known.
        package var arrival: ArrivingUpdate?
    }

    /// The ways in which an update may come.
    enum Admission: Sendable {
        /// Bytes are reserved for it, which the caller must release.
        case room(UpdateByteReservations.Reservation)
        /// The server held an update of the client when this one began; the new bytes must be the same.
        case held

        var room: UpdateByteReservations.Reservation? { if case .room(let room) = self { room } else { nil } }
    }

    /// A held update of a client, and the state of its round.
    package struct Receipt: Sendable {
        package let update: Update
        /// The number of updates that the round holds.
        package let received: Int
        package let isNew: Bool
    }

    /// Checks the claim before any byte of the body is read; throws where the update may not come.
    ///
    /// - Parameter byteCount: the body's length, where the caller states it.
    package func begin(_ claim: Claim, byteCount: Int?) async throws(ServiceError) -> Ticket {
        let session = try runtime.activeSession(of: claim.federation, for: claim.client)
        session.touch(claim.client)
        return Ticket(
            claim: claim, spool: blobs.stage(), mustBeDurable: blobs.publishesFilesThemselves,
            byteLimit: try session.updateByteLimit(round: claim.round, of: claim.client),
            admission: try await admit(claim, byteCount: byteCount, holding: held(by: claim), in: session),
            arrival: region(of: claim, in: session) == nil
                ? byteCount.map {
                    ArrivingUpdate(
                        byteCount: $0,
                        measuresFactors: session.snapshot.machine.settings.limits.factorOverMedian != nil)
                } : nil)
    }

    /// The region that sends this; nil for one client.
    private func region(of claim: Claim, in session: FederationSession) -> Capabilities.Region? {
        session.snapshot.machine.clients[claim.client]?.capabilities.region
    }

    /// Takes the streamed body. The file becomes the update's blob or is deleted.
    package func finish(
        _ ticket: Ticket, digest: ContentDigest, byteCount: Int
    ) async throws(ServiceError) -> Receipt {
        defer { release(ticket.admission) }
        do throws(ServiceError) {
            let receipt = try await take(ticket, digest: digest, byteCount: byteCount)
            if !receipt.isNew { await blobs.discard(ticket.spool) }
            return receipt
        } catch {
            await blobs.discard(ticket.spool)
            throw error
        }
    }

    /// Finds a tensor in the body that no update of the federation has.
    ///
    /// - Parameters:
    ///   - head: the body's first bytes, including its header.
    ///   - byteCount: the whole body's length; where it is nil, the result is nil.
    package func stranger(
        inHead head: [UInt8], byteCount: Int?, of federation: FederationID
    ) throws(ServiceError) -> String? {
        guard let byteCount else { return nil }
        return try runtime.session(federation).plan().shape.stranger(inHead: head, byteCount: byteCount)
    }

    /// Discards a body that did not arrive completely.
    package func abandon(_ ticket: Ticket) async {
        await blobs.discard(ticket.spool)
        release(ticket.admission)
    }

    /// Takes an update out of the collecting round, at the admin's request.
    package func takeBack(
        updateOf client: ClientName, round: Int, in federation: FederationID
    ) async throws(ServiceError) {
        let session = try runtime.session(federation)
        try await session.reply(to: .takeBack(client, round: round))
        do throws(StoreError) { try await blobs.sweepBlobs() } catch { throw .store(error) }
    }

    /// The receipt for the update that a client sent for a round; throws `.noUpdate` where the server holds none.
    package func receipt(
        for client: ClientName, round: Int, in federation: FederationID
    ) async throws(ServiceError) -> Receipt {
        let machine = try runtime.session(federation).snapshot.machine
        var candidates = round...round
        if let buffer = machine.settings.policy.buffer, let current = machine.round?.number, round <= current,
            machine.clients[client].map({ $0.history.lastUpdated >= round }) ?? false
        {
            // It counted in the round that was collecting when it came.
            candidates = round...min(current, round + buffer.maximumStaleness)
        }
        for number in candidates {
            guard let held = try await rounds.update(of: client, round: number, in: federation),
                (held.update.began ?? number) == round
            else { continue }
            return Receipt(update: held.update, received: held.received, isNew: false)
        }
        guard (1...max(1, machine.round?.number ?? 0)).contains(round) else {
            throw .unknownRound(round, current: machine.round?.number ?? 0)
        }
        throw .noUpdate(round: round)
    }
}

extension UpdateService {
    /// Throws where an update may not come.
    ///
    /// - Parameters:
    ///   - byteCount: the update's length; an unknown length counts as the longest valid one.
    ///   - held: the client's update of the round that the server holds.
    func admit(
        _ claim: Claim, byteCount: Int?, holding held: Receipt?, in session: FederationSession
    ) async throws(ServiceError) -> Admission {
        if held != nil { return .held }
        if let objection = try await session.objection(to: claim.client, round: claim.round) {
            // Another server may have taken the update.
            if try await self.held(by: claim) != nil { return .held }
            throw .round(objection)
        }
        try await refuseUnlessSound(claim, in: session)
        let longest = try session.updateByteLimit(round: claim.round, of: claim.client)
        let limit = quotas.updateBytes
        let room = reservations.reserve(
            min(byteCount ?? longest, longest), for: claim.client, in: session, upTo: limit)
        guard let room else { throw .tooManyUpdateBytes(limit: limit) }
        return .room(room)
    }

    func release(_ admission: Admission?) { reservations.release(admission?.room) }

    /// Takes the update that a durable file holds. Where the update is not new or not taken, the caller decides about
    /// the file.
    func take(_ ticket: Ticket, digest: ContentDigest, byteCount: Int) async throws(ServiceError) -> Receipt {
        let claim = ticket.claim
        if let expected = claim.digest, expected != digest { throw .digestMismatch(expected: expected, found: digest) }
        // Asked again, since the admin may have taken the update back, or its bytes may be lost, while these came.
        if case .held = ticket.admission, let receipt = try await held(by: claim, with: digest) {
            return try receipt.confirming(claim, digest)
        }
        let session = try runtime.activeSession(of: claim.federation, for: claim.client)
        let finding = try await check(ticket, byteCount: byteCount, in: session)
        let update = Update(
            client: claim.client, digest: digest, byteCount: byteCount, rank: finding.rank,
            samples: claim.samples, metrics: claim.metrics, receivedAt: clock.now(), ranks: finding.ranks,
            norm: finding.norm, factorSizes: finding.factorSizes)
        session.touch(claim.client)
        let objection: FederationMachine.UpdateObjection
        switch try await record(update, of: ticket, adopting: finding.adopting, in: session) {
        case .success(let count): return Receipt(update: update, received: count, isNew: true)
        case .failure(let error): objection = error
        }
        switch objection {
        case .round(let error):
            // Another call may have stored it meanwhile, also where the round has closed since.
            guard let receipt = try await held(by: claim, with: digest) else { throw .round(error) }
            return try receipt.confirming(claim, digest)
        case .configuration(let key):
            let known = session.snapshot.machine.settings.adapter.config[key] ?? "null"
            let refusal = ConfigRefusal(
                key: key, found: finding.adopting[key] ?? "null",
                reason: "this federation has \(known) since a moment ago")
            try await refuse(claim, for: UpdateRefusal(refusal), in: session)
        }
    }

    /// Checks the update's file against the federation.
    private func check(
        _ ticket: Ticket, byteCount: Int, in session: FederationSession
    ) async throws(ServiceError) -> UpdateCheck.Finding {
        let claim = ticket.claim
        if let region = region(of: claim, in: session) { return try await check(ticket, of: region, in: session) }
        let snapshot = session.snapshot
        guard let client = snapshot.machine.clients[claim.client] else { throw .unknownClient(claim.client) }
        let configuration: String?
        do throws(StoreError) {
            configuration = try await configurations.configuration(
                of: claim.client, round: claim.round, in: claim.federation)
        } catch {
            throw .store(error)
        }
        let check = UpdateCheck(
            claim, configuration: configuration, clientRank: snapshot.machine.grantedRank(of: client), at: snapshot,
            as: try snapshot.plan(), adapters: adapters)
        let squares = ticket.arrival?.soundSquares
        do throws(ServiceError) {
            // A small file is read sooner than another thread is woken.
            guard byteCount > Self.smallest else {
                return try check.finding(fileAt: ticket.spool.path, squares: squares)
            }
            return try await validation.run { () throws(ServiceError) in
                try check.finding(fileAt: ticket.spool.path, squares: squares)
            }
        } catch {
            guard case .update(let refusal) = error else { throw error }
            try await refuse(claim, for: refusal, in: session)
        }
    }

    /// The largest file, in bytes, that is checked on a cooperative thread.
    private static let smallest = 32 << 10

    /// Checks the file of a region's partial sum against the federation.
    private func check(
        _ ticket: Ticket, of region: Capabilities.Region, in session: FederationSession
    ) async throws(ServiceError) -> UpdateCheck.Finding {
        let claim = ticket.claim
        let check = RegionCheck(
            plan: try session.plan(), settings: session.snapshot.machine.settings, round: claim.round,
            name: claim.client, region: region, samples: claim.samples)
        do throws(ServiceError) {
            return try await validation.run { () throws(ServiceError) in
                try check.finding(fileAt: ticket.spool.path)
            }
        } catch {
            guard case .update(let refusal) = error else { throw error }
            try await refuse(claim, for: refusal, in: session)
        }
    }

    /// Makes the update's file a blob and has the round count it. On failure the file is at its old path again.
    private func record(
        _ update: Update, of ticket: Ticket, adopting keys: [String: String], in session: FederationSession
    ) async throws(ServiceError) -> Result<Int, FederationMachine.UpdateObjection> {
        do throws(StoreError) { try await blobs.publish(ticket.spool, as: update.digest) } catch { throw .store(error) }
        // While it is published, its file is at hand; later a store may have to ask for it.
        if let file = try? blobs.lend(update.digest) {
            freshBlobs.note(update.digest, at: file.path, now: clock.now())
        }
        let result: Result<Int, FederationMachine.UpdateObjection>
        do throws(ServiceError) {
            result = try await self.result(
                of: .update(update, round: ticket.claim.round, adopting: keys), in: session)
        } catch {
            await blobs.withdraw(update.digest, backTo: ticket.spool)
            throw error
        }
        if case .failure = result { await blobs.withdraw(update.digest, backTo: ticket.spool) }
        return result
    }

    /// The session's reply. Where a buffer of an asynchronous federation is being aggregated, it waits a short time for
    /// that.
    private func result(
        of event: FederationMachine.Event<Int, FederationMachine.UpdateObjection>, in session: FederationSession
    ) async throws(ServiceError) -> Result<Int, FederationMachine.UpdateObjection> {
        let patience = clock.now().adding(seconds: 30)
        var result = try await session.result(of: event)
        while case .failure(.round(.busy)) = result, await session.collects(by: patience) {
            result = try await session.result(of: event)
        }
        return result
    }

    /// The receipt for the update that this client already sent in the round, if any.
    private func held(by claim: Claim) async throws(ServiceError) -> Receipt? {
        do throws(ServiceError) {
            return try await receipt(for: claim.client, round: claim.round, in: claim.federation)
        } catch .noUpdate, .unknownRound {
            return nil
        }
    }

    /// The same. Where this server's copy has no update with this digest, what is stored by now counts.
    private func held(by claim: Claim, with digest: ContentDigest) async throws(ServiceError) -> Receipt? {
        if let known = try await held(by: claim), known.update.digest == digest { return known }
        try await runtime.session(claim.federation).refreshed()
        return try await held(by: claim)
    }

    private func refuseUnlessSound(_ claim: Claim, in session: FederationSession) async throws(ServiceError) {
        let each = session.snapshot.machine.settings.limits.samples
        let (product, overflow) = each.multipliedReportingOverflow(by: region(of: claim, in: session)?.clients ?? 1)
        let limit = overflow ? Int.max : product
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
        if strategy.needsLoss, (claim.metrics.loss ?? -1) < 0 {
            let found = claim.metrics.loss.map { "is \($0)" } ?? "is missing"
            let refusal = UpdateRefusal(
                code: "update.loss",
                detail: "loss \(found); this federation weighs clients by loss and needs ?loss=X of at least 0")
            try await refuse(claim, for: refusal, in: session)
        }
    }

    /// Records the refusal with the round and throws it.
    private func refuse(
        _ claim: Claim, for refusal: UpdateRefusal, in session: FederationSession
    ) async throws(ServiceError) -> Never {
        try await session.refuse(refusal, of: claim.client, round: claim.round, at: clock.now())
    }
}

extension UpdateService.Receipt {
    /// The same receipt, where the client has sent the same bytes again.
    fileprivate func confirming(
        _ claim: UpdateService.Claim, _ digest: ContentDigest
    ) throws(ServiceError) -> UpdateService.Receipt {
        guard update.digest == digest, update.samples == claim.samples else {
            throw .round(.updateExists(round: claim.round))
        }
        return self
    }
}
