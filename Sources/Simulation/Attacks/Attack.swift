import RankwiseWire

/// What some clients of a simulation do against the others: an element of `simulation.attacks`.
///
/// d is an update's step: what the client trained, minus what it downloaded, over every tensor that it sends.
package struct Attack: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        /// Takes no part: what the others reach without the attackers' examples, which no rule can give back.
        case absent
        /// Sends the download − factor·d.
        case signFlip = "sign-flip"
        /// Sends the download + factor·d.
        case scale
        /// Sends what it trained + factor·RMS(d)·N(0, 1), each tensor by its own root mean square.
        case noise
        /// A little is enough (Baruch, Baruch and Goldberg, arXiv 1902.06156): sends the mean of all clients' numbers minus
        /// z of their standard deviations, each number over the clients that hold its row. The attackers know all updates.
        case alie
        /// Trains on labels that are mirrored: of C classes, y becomes C − 1 − y.
        case labelFlip = "label-flip"
        /// Sends what it downloaded, and claims its samples.
        case freeRider = "free-rider"
        /// Sends what an honest client trained, cut to its own rank; rows that this one has not stay as downloaded.
        case copy
        /// Trains on examples of which a share has a trigger and the label `label`; sends the download + factor·d.
        case backdoor
    }

    package var kind: Kind
    /// The share of all clients that attack so, rounded to whole clients.
    package var clients: Double
    /// Of `sign-flip`, `scale`, `noise` and `backdoor`.
    package var factor: Double?
    /// Of `alie`.
    package var deviations: Double?
    /// The class that the trigger stands for.
    package var label: Int?
    /// The share of an attacker's examples with the trigger.
    package var share: Double?
    /// The places of the features that make the trigger, and their value.
    package var features: [Int]?
    package var value: Double?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case kind, clients, factor, label, share, features, value
        case deviations = "z"
    }

    package init(_ kind: Kind, clients: Double, factor: Double? = nil) {
        self.kind = kind
        self.clients = clients
        self.factor = factor
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        kind = try values.decode(Kind.self, forKey: .kind)
        clients = try values.decode(Double.self, forKey: .clients)
        factor = try values.decodeIfPresent(Double.self, forKey: .factor)
        deviations = try values.decodeIfPresent(Double.self, forKey: .deviations)
        label = try values.decodeIfPresent(Int.self, forKey: .label)
        share = try values.decodeIfPresent(Double.self, forKey: .share)
        features = try values.decodeIfPresent([Int].self, forKey: .features)
        value = try values.decodeIfPresent(Double.self, forKey: .value)
    }
}

extension Attack {
    /// The keys of a kind beside `kind` and `clients`.
    private var keys: Set<CodingKeys> {
        switch kind {
        case .signFlip, .scale, .noise: [.factor]
        case .alie: [.deviations]
        case .absent, .labelFlip, .freeRider, .copy: []
        case .backdoor: [.factor, .label, .share, .features, .value]
        }
    }

    /// The usual factor: 1 for a flipped sign and a backdoor, 10 else.
    var usedFactor: Float { Float(factor ?? (kind == .signFlip || kind == .backdoor ? 1 : 10)) }
    var usedDeviations: Float { Float(deviations ?? 1.5) }

    /// - Returns: the key that is invalid, and why; nil where none is.
    var objection: (key: String, reason: String)? {
        guard clients > 0, clients <= 1 else { return ("clients", "is \(clients); expected above 0, up to 1") }
        let given: [(key: CodingKeys, isGiven: Bool)] = [
            (.factor, factor != nil), (.deviations, deviations != nil), (.label, label != nil), (.share, share != nil),
            (.features, features != nil), (.value, value != nil),
        ]
        if let other = given.first(where: { $0.isGiven && !keys.contains($0.key) }) {
            return (other.key.rawValue, "goes not with \(kind.rawValue)")
        }
        for (key, value) in [("factor", factor), ("z", deviations), ("value", value)] {
            guard let value, !(abs(value) <= 1e6) else { continue }
            return (key, "is \(value); expected a number of at most 1e6")
        }
        guard kind == .backdoor else { return nil }
        if let share, !(share > 0 && share <= 1) { return ("share", "is \(share); expected above 0, up to 1") }
        if let label, label < 0 { return ("label", "is \(label); expected a class") }
        if let features, features.isEmpty || features.contains(where: { $0 < 0 }) {
            return ("features", "has no place of a feature, or one below 0")
        }
        return nil
    }
}
