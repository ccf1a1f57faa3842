import RankwiseWire

/// A simulation's settings beside the federation's: the clients, their ranks and their data.
package struct SimulationSettings: Codable, Sendable, Hashable {
    /// How the training examples are distributed to the clients.
    package struct Deal: Codable, Sendable, Hashable {
        package enum Scheme: String, Codable, Sendable, CaseIterable {
            case iid
            case dirichlet
            case staircase
            /// Every client draws its own examples, with replacement, for more clients than the data could supply.
            case draw
        }

        package var scheme: Scheme
        /// The concentration of `dirichlet`.
        package var alpha: Double?
        /// How many examples a client draws under `draw`.
        package var examples: Int?

        enum CodingKeys: String, CodingKey, CaseIterable { case scheme, alpha, examples }

        package init(scheme: Scheme, alpha: Double? = nil, examples: Int? = nil) {
            self.scheme = scheme
            self.alpha = alpha
            self.examples = examples
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            scheme = try values.decode(Scheme.self, forKey: .scheme)
            alpha = try values.decodeIfPresent(Double.self, forKey: .alpha)
            examples = try values.decodeIfPresent(Int.self, forKey: .examples)
        }
    }

    /// The source of the examples.
    package struct Source: Codable, Sendable, Hashable {
        /// A CSV file (label last) or IDX images with their labels beside them; for a pretrained model what `join` takes.
        /// Empty where each client has a file of its own.
        package var train: String
        /// A file for each client, in their order, in place of `train`; it goes with `test`.
        package var clients: [String]?
        /// Examples that no client has; nil where they are held out of `train`.
        package var test: String?
        /// The share of every label's examples to hold out if there is no `test`.
        package var holdout: Double?
        /// The share of every label's training examples that no client gets. Updates are scored on them for `ranking`
        /// weights, which otherwise use the clients' reports.
        package var validation: Double?

        enum CodingKeys: String, CodingKey, CaseIterable { case train, clients, test, holdout, validation }

        package init(
            train: String = "", test: String? = nil, holdout: Double? = nil, validation: Double? = nil,
            clients: [String]? = nil
        ) {
            self.train = train
            self.clients = clients
            self.test = test
            self.holdout = holdout
            self.validation = validation
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            clients = try values.decodeIfPresent([String].self, forKey: .clients)
            train = try values.value(.train, default: "")
            test = try values.decodeIfPresent(String.self, forKey: .test)
            holdout = try values.decodeIfPresent(Double.self, forKey: .holdout)
            validation = try values.decodeIfPresent(Double.self, forKey: .validation)
        }
    }

    package var clients: Int
    /// The ranks that the clients advertise, assigned in turn.
    package var ranks: [Int]
    /// A pretrained model's folder or file; nil for the model that `base_model` names.
    package var base: String?
    package var data: Source
    package var partition: Deal
    /// What some clients do against the others.
    package var attacks: [Attack]
    /// How many clients train at a time.
    package var threads: Int

    enum CodingKeys: String, CodingKey, CaseIterable { case clients, ranks, base, data, partition, attacks, threads }

    package init(
        clients: Int, ranks: [Int], base: String? = nil, data: Source, partition: Deal, attacks: [Attack] = [],
        threads: Int = 2
    ) {
        self.clients = clients
        self.ranks = ranks
        self.base = base
        self.data = data
        self.partition = partition
        self.attacks = attacks
        self.threads = threads
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        clients = try values.decode(Int.self, forKey: .clients)
        ranks = try values.decode([Int].self, forKey: .ranks)
        base = try values.decodeIfPresent(String.self, forKey: .base)
        data = try values.decode(Source.self, forKey: .data)
        partition = try values.value(.partition, default: Deal(scheme: .iid))
        attacks = try values.value(.attacks, default: [])
        threads = try values.value(.threads, default: 2)
    }
}

extension SimulationSettings {
    static let clientLimit = 100_000

    /// - Throws: `settings`, which names the invalid key.
    func validate() throws(SimulationError) {
        func refuse(_ key: String, _ reason: String) -> SimulationError {
            .settings(path: "simulation." + key, reason: reason)
        }
        guard (1...Self.clientLimit).contains(clients) else {
            throw refuse("clients", "is \(clients); expected 1 to \(Self.clientLimit)")
        }
        guard !ranks.isEmpty else { throw refuse("ranks", "is empty; expected at least one rank") }
        if let rank = ranks.first(where: { $0 < 1 }) { throw refuse("ranks", "has \(rank); expected 1 or more") }
        guard (1...256).contains(threads) else { throw refuse("threads", "is \(threads); expected 1 to 256") }
        if let files = data.clients {
            guard data.train.isEmpty else {
                throw refuse("data.train", "stands beside data.clients; give one of them")
            }
            guard files.count == clients else {
                throw refuse("data.clients", "has \(files.count) files for \(clients) clients")
            }
            guard data.test != nil, data.validation == nil else {
                throw refuse("data.clients", "goes with data.test, and without holdout and validation")
            }
        } else if data.train.isEmpty {
            throw refuse("data.train", "is missing; there is no data.clients either")
        }
        if data.test == nil {
            guard let share = data.holdout, share > 0, share < 1 else {
                throw refuse("data.holdout", "is missing or not between 0 and 1; there is no data.test either")
            }
        } else if data.holdout != nil {
            throw refuse("data.holdout", "stands beside data.test; give one of them")
        }
        if let share = data.validation, !(share > 0 && share < 1) {
            throw refuse("data.validation", "is \(share); expected above 0, below 1")
        }
        for (index, attack) in attacks.enumerated() {
            if let (key, reason) = attack.objection { throw refuse("attacks[\(index)].\(key)", reason) }
        }
        guard attacks.filter({ $0.kind == .backdoor }).count < 2 else {
            throw refuse("attacks", "has two backdoors; their success could not be told apart")
        }
        switch partition.scheme {
        case .iid, .staircase: break
        case .dirichlet:
            guard partition.alpha != nil else { throw refuse("partition.alpha", "is missing; dirichlet needs it") }
        case .draw:
            guard let examples = partition.examples, (1...1_000_000).contains(examples) else {
                throw refuse("partition.examples", "is missing or not 1 to 1000000; draw needs it")
            }
        }
    }
}
