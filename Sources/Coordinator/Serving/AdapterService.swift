import AdapterFormat
package import Federation

/// Serves published adapters, cut to a rank.
package struct AdapterService: Sendable {
    let runtime: FederationRuntime
    let rounds: RoundService
    let adapters: any AdapterStore
    let cache: AdapterCache
    let lanes: RenderingLanes

    /// The adapter that a round published, or the newest one, as a file.
    ///
    /// - Parameters:
    ///   - round: 0 is the initial adapter; nil the newest.
    ///   - rank: from 1 to the federation's maximum, which is the default. A round with a lower rank returns what it
    ///     has.
    ///   - trainedIn: the round in which the adapter will be trained, where ranks fall from round to round.
    ///   - elementType: F32, F16 or BF16; defaults to the federation's.
    ///   - messageBits: 8 or 4 for a quantised message.
    ///   - caller: the caller that waits for the file; nil for the server itself.
    package func file(
        round: Int?, rank: Int?, trainedIn: Int? = nil, elementType: String?, messageBits: Int? = nil,
        of federation: FederationID, for caller: RenderingCaller? = nil
    ) async throws(ServiceError) -> AdapterCache.File {
        let session = try runtime.session(federation)
        let plan = try session.plan()
        let bits = try messageBits.map { count throws(ServiceError) in
            guard let bits = MessageBits(rawValue: count) else { throw .unknownMessageBits(count) }
            return bits
        }
        let number = try await rounds.published(round, of: session.snapshot.machine)
        let rank = try checked(rank, plan)
        // Rounds that use the same ranks share a file.
        let later = trainedIn.flatMap { later in
            later > number && plan.ranks(for: rank, round: later) != plan.ranks(for: rank, round: number) ? later : nil
        }
        return try await file(
            round: number, rank: rank, trainedIn: later ?? number,
            type: try plan.type(named: elementType), bits: bits, of: federation, as: plan, for: caller)
    }

    /// The adapter as it was published: complete, in the federation's type.
    ///
    /// - Parameter queue: where it is rendered; nil for the default queue.
    func file(
        ofRound round: Int, in federation: FederationID, as plan: AdapterPlan, on queue: BlockingQueue? = nil
    ) async throws(ServiceError) -> AdapterCache.File {
        try await file(
            round: round, rank: plan.maximumRank, trainedIn: round, type: plan.shape.type, bits: nil, of: federation,
            as: plan, for: nil, on: queue)
    }

    /// The key of the complete adapter that a round publishes.
    static func wholeKey(ofRound round: Int, in federation: FederationID, _ plan: AdapterPlan) -> AdapterCache.Key {
        key(
            round: round, rank: plan.maximumRank, trainedIn: round, type: plan.shape.type, bits: nil, of: federation)
    }

    private static func key(
        round: Int, rank: Int, trainedIn: Int, type: ScalarType, bits: MessageBits?, of federation: FederationID
    ) -> AdapterCache.Key {
        AdapterCache.Key(
            federation: federation, content: .adapter(round: round, rank: rank, trainedIn: trainedIn, bits: bits),
            type: type)
    }

    /// The rank of every module in a file of this shape.
    static func ranks(
        in shape: AdapterShape, rank: Int, ofRound round: Int, trainedIn: Int, _ plan: AdapterPlan
    ) -> [String: Int] {
        let held = Set(shape.modules.map(\.owner))
        return ranks(rank, ofRound: round, trainedIn: trainedIn, plan).filter { held.contains($0.key) }
    }

    private func file(
        round: Int, rank: Int, trainedIn: Int, type: ScalarType, bits: MessageBits?, of federation: FederationID,
        as plan: AdapterPlan, for caller: RenderingCaller?, on queue: BlockingQueue? = nil
    ) async throws(ServiceError) -> AdapterCache.File {
        let key = Self.key(
            round: round, rank: rank, trainedIn: trainedIn, type: type, bits: bits, of: federation)
        let source = StoredAdapter(.adapter, of: federation, round: round, in: adapters)
        return try await cache.file(key, for: caller, on: lanes, own: queue) {
            descriptor, interruption in
            try RoundService.rendering(adapterOfRound: round, of: federation, in: adapters) {
                let shape = try plan.storedShape(ofRound: round).withDense { try source.holds($0) }
                let ranks = Self.ranks(in: shape, rank: rank, ofRound: round, trainedIn: trainedIn, plan)
                let writer = try AdapterWriter(
                    shape: shape, ranks: ranks, scaling: plan.scaling, type: type,
                    messageBits: bits, descriptor: descriptor)
                try writer.take(InterruptibleSource(source: source, interruption: interruption))
                return ranks
            }
        }
    }

    /// The adapter's `adapter_config.json`, with which PEFT uses the federation's scales.
    package func configuration(
        round: Int?, rank: Int?, trainedIn: Int? = nil, of federation: FederationID
    ) async throws(ServiceError) -> String {
        let session = try runtime.session(federation)
        let plan = try session.plan()
        let machine = session.snapshot.machine
        let number = try await rounds.published(round, of: machine)
        return AdapterConfig(
            shape: plan.storedShape(ofRound: number),
            ranks: Self.ranks(try checked(rank, plan), ofRound: number, trainedIn: trainedIn ?? number, plan),
            scaling: plan.scaling, baseModel: machine.settings.baseModel.name,
            carried: machine.settings.adapter.config
        ).json
    }

    /// The ranks that the round has for a client rank, and those that the round it will be trained in uses.
    private static func ranks(
        _ rank: Int, ofRound round: Int, trainedIn: Int, _ plan: AdapterPlan
    ) -> [String: Int] {
        plan.ranks(for: rank, round: round).merging(plan.ranks(for: rank, round: trainedIn), uniquingKeysWith: min)
    }

    private func checked(_ rank: Int?, _ plan: AdapterPlan) throws(ServiceError) -> Int {
        guard let rank else { return plan.maximumRank }
        guard (1...plan.maximumRank).contains(rank) else { throw .rankOutOfRange(found: rank, limit: plan.maximumRank) }
        return rank
    }
}
