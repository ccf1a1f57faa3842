package import HTTPFetching
package import RankwiseWire
package import ServerCalls
package import Training

/// The client of one federation: registers, waits for a plan, trains, sends, and starts again.
///
/// Each `Step` names its possible successors. A step performs one thing and returns the next step. Its results are on
/// disk before the next step begins, so the agent may be killed at any point.
package actor Agent {
    package struct Configuration: Sendable {
        /// The longest adapter that it downloads.
        package static let defaultAdapterLimit: Int64 = 64 << 30
        package static let defaultPollWait = Duration.seconds(25)

        /// Without a slash at its end; with a path if a proxy serves it under one.
        package var server: String
        package var federation: String
        package var client: String
        package var rank: Int
        /// Registers a new client; a known client needs none.
        package var enrolmentToken: String?
        package var capabilities: [String: JSONValue]
        /// Whether to register at every start, so that the server knows the current capabilities.
        package var registersAnew: Bool
        /// Whether the trainer scores published adapters where plans ask for it. The server is told at registration.
        package var evaluates: Bool
        /// Ends the agent after this many rounds; nil for no limit.
        package var rounds: Int?
        /// How long a poll waits for news. The server allows 60 s; proxies often give up after 50 or 60.
        package var pollWait: Duration
        /// How often the agent asks during training whether the server still wants the round; nil for never.
        package var trainingCheck: Duration?
        /// How long the agent tries to reach its server before it gives up.
        package var persistence: Duration
        package var backoff: Backoff
        package var adapterLimit: Int64
        /// How many updates may be refused in a row before the agent stops: the cause will not go away by itself.
        package var refusalsInARow: Int
        /// How often a round's training is tried where another try may help.
        package var attempts: Int
        /// How many rounds in a row may fail to train before the agent stops.
        package var failuresInARow: Int
        /// How long it waits between tries to train.
        package var trainingBackoff: Backoff
        /// The smallest update, in bytes, that is sent as a resumable upload.
        package var resumableFrom: Int64

        package init(
            server: String, federation: String, client: String, rank: Int, enrolmentToken: String? = nil,
            capabilities: [String: JSONValue] = [:], registersAnew: Bool = false, evaluates: Bool = false,
            rounds: Int? = nil,
            pollWait: Duration = Self.defaultPollWait, trainingCheck: Duration? = .seconds(30),
            persistence: Duration = .seconds(86_400), backoff: Backoff = Backoff(),
            adapterLimit: Int64 = Self.defaultAdapterLimit,
            refusalsInARow: Int = 3, attempts: Int = 3,
            failuresInARow: Int = 3,
            trainingBackoff: Backoff = Backoff(first: .seconds(5), longest: .seconds(300)),
            resumableFrom: Int64 = 4 << 20
        ) {
            self.server = server
            self.federation = federation
            self.client = client
            self.rank = rank
            self.enrolmentToken = enrolmentToken
            self.capabilities = capabilities
            self.registersAnew = registersAnew
            self.evaluates = evaluates
            self.rounds = rounds
            self.pollWait = pollWait
            self.trainingCheck = trainingCheck
            self.persistence = persistence
            self.backoff = backoff
            self.adapterLimit = adapterLimit
            self.refusalsInARow = refusalsInARow
            self.attempts = attempts
            self.failuresInARow = failuresInARow
            self.trainingBackoff = trainingBackoff
            self.resumableFrom = resumableFrom
        }
    }

    /// How an agent's work ends successfully.
    package enum Outcome: Sendable, Hashable {
        case federationFinished
        /// It trained as many rounds as configured.
        case trained(rounds: Int)
    }

    enum Step: Sendable {
        /// Exits: `readSettings`, `stop`.
        case register
        /// Exits: `send` for an update from an earlier start, `poll`, `advertise`, `register` where the server does not
        /// know this client.
        case readSettings
        /// Tells the server a lower rank after pruning. Exits: `poll`.
        case advertise(after: Int64?)
        /// Exits: `evaluate`, `work`, `poll`, `stop`.
        case poll(after: Int64?)
        /// Exits: `work`, `poll`.
        case evaluate(PlanBody, json: [UInt8])
        /// Exits: `send`; `poll` where the round went on meanwhile, or was declined.
        case work(PlanBody, json: [UInt8])
        /// Exits: `poll`, `advertise`, `stop`.
        case send(AgentProgress.Unacknowledged, after: Int64?)
        /// Exits: none.
        case stop(Outcome)
    }

    /// Makes the trainer once the federation's settings are known.
    package typealias TrainerMaker = @Sendable (FederationDocument) async throws(TrainingError) -> any LocalTrainer

    let configuration: Configuration
    let state: StateFolder
    let clock: any WaitClock
    let observe: @Sendable (AgentEvent) -> Void
    var generator: any RandomNumberGenerator & Sendable
    var identity: AgentIdentity
    var progress: AgentProgress
    var endpoint: FederationEndpoint
    var trainer: (any LocalTrainer)?
    var finishedRounds = 0
    var refusedInARow = 0
    var failedInARow = 0
    /// How many versions may be published during the training of an update that still counts; 0 except in an
    /// asynchronous federation.
    var lateness = 0
    /// The last round whose adapter this start has scored, or has tried to.
    var triedEvaluation: Int?
    /// What lies in the round's folder because an evaluation needed it, so that training need not download it again.
    var downloaded: DownloadedStart?
    /// The round that was begun last. The next two say whether its files were missing, and how long to wait before it
    /// begins again.
    var lastBegun: Int?
    var hasMissedFiles = false
    var fruitless: Backoff
    /// How long a poll waits; shorter after a proxy has cut one off.
    private var pollWait: PollWait
    /// For how long the server asks the client to stay away before it polls, without waiting then.
    private var absence: Duration?
    private let makeTrainer: TrainerMaker
    /// Whether this start has registered; the server's answer to one registration is enough.
    private var hasRegistered = false

    /// Opens the state of earlier starts, or creates it.
    package init(
        _ configuration: Configuration, state: sending StateFolder, fetcher: any Fetching,
        clock: any WaitClock = SystemWaitClock(),
        generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        observe: @escaping @Sendable (AgentEvent) -> Void = { _ in }, makeTrainer: @escaping TrainerMaker
    ) throws(AgentError) {
        do throws(StateError) {
            identity = try state.identity(
                server: configuration.server, federation: configuration.federation, client: configuration.client)
            progress = try state.progress()
        } catch {
            throw .state(error)
        }
        self.configuration = configuration
        self.state = state
        self.clock = clock
        self.generator = generator
        self.observe = observe
        self.makeTrainer = makeTrainer
        fruitless = configuration.backoff
        pollWait = PollWait(configuration.pollWait)
        endpoint = FederationEndpoint(
            server: configuration.server, federation: configuration.federation, token: identity.token, fetcher: fetcher)
    }

    /// Works until the federation or the configured rounds end. Cancelling the task stops it between or within steps.
    package func run() async throws(AgentError) -> Outcome {
        // A rank lowered by pruning is advertised after an update at the old rank is sent.
        let isKnown = identity.registeredRank == rank || progress.pruned?.configured == configuration.rank
        let needsNone =
            isKnown && identity.registeredRank != nil && !configuration.registersAnew
            && identity.evaluates ?? false == configuration.evaluates
        do throws(AgentError) {
            return try await work(from: needsNone ? .readSettings : .register)
        } catch {
            await leave(for: error)
            throw error
        }
    }

    private func work(from first: Step) async throws(AgentError) -> Outcome {
        var step = first
        while true {
            if Task.isCancelled { throw .cancelled }
            switch step {
            case .register: step = try await register()
            case .readSettings: step = try await readSettings()
            case .advertise(let revision): step = try await advertise(after: revision)
            case .poll(let revision): step = try await poll(after: revision)
            case .evaluate(let plan, let json): step = try await evaluate(plan, json: json)
            case .work(let plan, let json): step = try await work(on: plan, json: json)
            case .send(let update, let revision): step = try await send(update, after: revision)
            case .stop(let outcome): return outcome
            }
        }
    }

    // MARK: Before the first round

    private func register() async throws(AgentError) -> Step {
        hasRegistered = true
        switch try await registration() {
        case .value: return .readSettings
        case .refused(let problem) where problem.code == "federation.finished": return .stop(.federationFinished)
        case .refused(let problem): throw .refused(problem)
        }
    }

    private func readSettings() async throws(AgentError) -> Step {
        let endpoint = endpoint
        let federation: FederationBody
        switch try await answer(to: "settings", { (_) async throws(CallError) in try await endpoint.settings() }) {
        case .value(let found): federation = found
        // A server that was set up again knows neither the federation's clients nor their tokens.
        case .refused where !hasRegistered: return .register
        case .refused(let problem): throw .refused(problem)
        }
        if let known = identity.federationCreatedAt, known != federation.createdAt {
            try await state { state throws(StateError) in try state.remove(state.merge) }
            progress = AgentProgress()
            try await keepProgress()
        }
        if identity.federationCreatedAt != federation.createdAt {
            identity.federationCreatedAt = federation.createdAt
            try await keepIdentity()
        }
        let round = federation.settings.round
        lateness = round.buffer == nil ? 0 : round.maxStaleness ?? 10
        if !hasRegistered { observe(.resumed(client: identity.client, lastRound: progress.lastRound)) }
        do throws(TrainingError) {
            trainer = try await makeTrainer(federation.settings)
        } catch {
            throw .trainingFailed("\(error)")
        }
        try await state { state throws(StateError) in
            try state.removeRounds(but: progress.unacknowledged?.round)
            if let update = progress.unacknowledged, try !state.files(of: update.round).hasTrained {
                progress.unacknowledged = nil
            }
        }
        return progress.unacknowledged.map { .send($0, after: nil) } ?? next(after: nil)
    }

    // MARK: Waiting

    private func poll(after revision: Int64?) async throws(AgentError) -> Step {
        let endpoint = endpoint
        if let absence { try await sleep(for: absence) }
        let (pollWait, wait) = (pollWait, absence == nil ? pollWait.duration : .zero)
        let asked = clock.now
        var isCutShort = false
        let answer: Answer<(plan: PlanBody, json: [UInt8])?>
        answer = try await self.answer(to: "plan") { (isRetry) async throws(CallError) in
            do throws(CallError) {
                // After a failure the server may have restarted, and its revisions may differ.
                return try await endpoint.plan(after: isRetry ? nil : revision, wait: wait)
            } catch {
                guard !isRetry, revision != nil, pollWait.isTooLong(for: error) else { throw error }
                isCutShort = true
                return nil
            }
        }
        if isCutShort { self.pollWait.shorten() }
        switch answer {
        case .refused(let problem): throw .refused(problem)
        case .value(nil):
            try await restIfEarly(asked: asked, wait: wait)
            return .poll(after: revision)
        case .value((let plan, let json)?):
            if let refused = progress.refusedRound, plan.round < refused {
                // A server that was restored from a backup repeats that round.
                progress.refusedRound = nil
                try await keepProgress()
            }
            absence = nil
            if owesEvaluation(by: plan) { return .evaluate(plan, json: json) }
            let step = Self.step(for: plan, json: json, refusedRound: progress.refusedRound)
            if case .poll = step {
                absence = plan.comeBackSeconds.map { .seconds($0) }
                observe(.waiting(plan))
                if let revision, plan.revision <= revision { try await restIfEarly(asked: asked, wait: wait) }
            }
            return step
        }
    }

    /// The next step for a plan.
    ///
    /// The server's view decides: a server that was restored from a backup asks again for updates that it had
    /// acknowledged.
    static func step(for plan: PlanBody, json: [UInt8], refusedRound: Int?) -> Step {
        if plan.state == "finished" { return .stop(.federationFinished) }
        guard plan.phase == "collecting", plan.selected, !plan.answered,
            plan.round != refusedRound || plan.lost == true
        else { return .poll(after: plan.revision) }
        return .work(plan, json: json)
    }

    /// Waits if a poll was answered at once, so that a server or proxy that does so is not called in a tight loop.
    private func restIfEarly(asked: Duration, wait: Duration) async throws(AgentError) {
        guard clock.now - asked < wait / 2 else { return }
        try await sleep(for: .seconds(1))
    }
}
