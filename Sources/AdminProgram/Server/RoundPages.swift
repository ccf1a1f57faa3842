import Foundation
import RankwiseWire

/// Reads a federation's list of rounds, page by page, the newest first.
struct RoundPages: Sendable {
    /// A round, and the JSON that it came as.
    struct Entry: Sendable {
        let body: RoundBody
        let json: JSONValue
    }

    private let api: AdminAPI
    private let federation: Name
    /// What the server gives at a time.
    private static let page = 100

    init(_ api: AdminAPI, _ federation: Name) {
        self.api = api
        self.federation = federation
    }

    /// The newest rounds, `limit` of them if there are so many.
    func newest(_ limit: Int) async throws(AdminError) -> [Entry] {
        var found: [Entry] = []
        try await each { entry in
            if found.count < limit { found.append(entry) }
            return found.count < limit
        }
        return found
    }

    /// Passes the rounds to `take` until it returns false.
    func each(_ take: (Entry) -> Bool) async throws(AdminError) {
        var before: Int?
        while true {
            let page = try await api.rounds(federation, before: before, limit: Self.page).body.rounds
            for json in page {
                let body: RoundBody
                do throws(WireError) {
                    body = try WireJSON.decode(RoundBody.self, from: try WireJSON.encode(json))
                } catch {
                    throw .damaged("the server's list of rounds cannot be read: \(error)")
                }
                before = body.round
                guard take(Entry(body: body, json: json)) else { return }
            }
            guard page.count == Self.page else { return }
        }
    }

    /// The round that a user means, if it is there.
    func round(_ choice: RoundChoice) async throws(AdminError) -> RoundBody {
        var chosen: RoundBody?
        switch choice {
        case .number(let number): return try await api.round(federation, "\(number)").body
        case .latest:
            try await each { entry in
                if entry.body.adapter != nil { chosen = entry.body }
                return chosen == nil
            }
            guard let chosen else { throw .missing("\(federation) has published no round yet") }
            return chosen
        case .best:
            // What clients found in evaluations counts more than what they measured while they trained.
            if let best = try await api.federation(federation).body.evaluation?.best {
                return try await api.round(federation, "\(best.round)").body
            }
            try await each { entry in
                if entry.body.adapter != nil, chosen.map({ entry.body.isBetter(than: $0) }) ?? entry.body.isMeasured {
                    chosen = entry.body
                }
                return true
            }
            guard let chosen else {
                throw .missing("no published round of \(federation) has an accuracy or a loss that clients measured")
            }
            return chosen
        }
    }
}

extension RoundBody {
    /// Whether clients sent what rounds can be compared by.
    var isMeasured: Bool { metrics.accuracy != nil || metrics.loss != nil }

    /// Whether it has the higher accuracy, or the lower loss where neither has an accuracy; as the server's retention
    /// decides. An accuracy is better than none.
    func isBetter(than other: RoundBody) -> Bool {
        switch (metrics.accuracy, other.metrics.accuracy) {
        case (let mine?, let theirs?): mine > theirs
        case (.some, nil): true
        case (nil, .some): false
        case (nil, nil): metrics.loss.map { mine in other.metrics.loss.map { mine < $0 } ?? true } ?? false
        }
    }
}
