import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// The limit on a settings document, in bytes.
    static let documentLimit = 4 << 20

    /// Routes of federations and their audit log.
    func addFederationRoutes(to routes: inout Routes) {
        let services = services
        routes.on(
            .post, "/v1/federations", for: .admin,
            contract: RouteContract(
                body: .json(FederationDocument.schema),
                answers: [.json(CreatedFederationBody.schema, "Its tokens", status: 201)],
                problems: [.document, .settings, .creation, .store]),
            "Creates a federation from its settings; shows its tokens this once"
        ) { request, _ in
            let bytes = try await request.body.collect(upTo: Self.documentLimit)
            let document = try WireJSON.decodeStrictly(FederationDocument.self, from: Data(bytes))
            let settings = try Self.settings(document)
            return try Self.created(try await services.federations.create(settings))
        }
        routes.on(
            .get, "/v1/federations", for: .anyReader,
            query: [
                .init("after", .name, "only federations whose names come later"),
                .init("limit", .integer, "1 to 1000 federations; all where absent", in: 1...1000),
                .init("outline", .flag, "without settings, but with the open round's numbers"),
            ],
            contract: RouteContract(answers: [
                .json(
                    .page("federations", of: .either(FederationBody.schema, FederationOutlineBody.schema)),
                    "The federations")
            ]),
            "The federations that the caller may read, in the order of their names"
        ) { request, reader in
            let (visible, hasMore) = services.federations.list(
                after: try request.federationName("after"), limit: try request.integer("limit", in: 1...1000)
            ) { reader.mayRead($0) }
            let next = hasMore ? visible.last?.machine.settings.id.rawValue : nil
            guard try request.flag("outline") else {
                return try .json(FederationsBody(try visible.map { try FederationBody($0) }, next: next))
            }
            return try .json(FederationsBody(visible.map { FederationOutlineBody($0) }, next: next))
        }
        routes.on(
            .get, "/v1/federations/{federation}", for: .reader,
            contract: RouteContract(answers: [.json(FederationBody.schema, "The federation")]),
            "How a federation stands, with its settings"
        ) { _, reader in
            return try .json(FederationBody(try services.federations.snapshot(of: reader.federation)))
        }
        routes.on(
            .patch, "/v1/federations/{federation}", for: .federationAdmin,
            contract: RouteContract(
                body: .json(FederationPatch.schema), answers: [.json(FederationBody.schema, "The changed federation")],
                problems: [.document, .settings, .state, .store]),
            "Changes round policy, retention or state"
        ) { request, admin in
            let bytes = try await request.body.collect(upTo: Self.documentLimit)
            let patch = try WireJSON.decodeStrictly(FederationPatch.self, from: Data(bytes))
            let state = try patch.state.map { try Self.state($0) }
            var snapshot = try services.federations.snapshot(of: admin.federation)
            if let changes = patch.round {
                let policy = try Self.policy(snapshot.machine.settings.policy, changedBy: changes)
                snapshot = try await services.federations.setPolicy(policy, of: admin.federation)
            }
            if let retention = patch.retention {
                snapshot = try await services.federations.setRetention(
                    try Self.retention(retention), of: admin.federation)
            }
            if let state {
                snapshot = try await services.federations.setState(state, of: admin.federation)
            }
            return try .json(FederationBody(snapshot))
        }
        routes.on(
            .get, "/v1/federations/{federation}/events", for: .federationAdmin,
            query: [
                .init("after", .integer, "the id of the last event known; 0 where absent"),
                .init(
                    "before", .integer, "in place of `after`: only events with lower ids, the newest first",
                    in: 1...Int.max),
                .init("limit", .integer, "1 to 1000 events; 100 where absent", in: 1...1000),
            ],
            contract: RouteContract(
                answers: [.json(.listing("events", of: EventBody.schema), "The events")], problems: [.store]),
            "The audit log"
        ) { request, admin in
            let limit = try request.integer("limit", in: 1...1000) ?? 100
            if let before = try request.integer("before", in: 1...Int.max) {
                guard request.query["after"] == nil else {
                    throw ArgumentError.invalid(
                        name: "before", found: "\(before)", expected: "either 'after' or 'before'")
                }
                let events = try await services.federations.events(
                    before: Int64(before), limit: limit, of: admin.federation)
                return try .json(["events": events.map(EventBody.init)])
            }
            let after = try request.integer("after", in: 0...Int.max) ?? 0
            let events = try await services.federations.events(after: Int64(after), limit: limit, of: admin.federation)
            return try .json(["events": events.map(EventBody.init)])
        }
        routes.on(
            .get, "/v1/federations/{federation}/lists/{digest}", for: .federationAdmin,
            contract: RouteContract(
                answers: [.bytes("text/plain; charset=utf-8", "One name in each line")], problems: [.list, .store]),
            "The names behind a digest in the audit log"
        ) { request, admin in
            let text = request.parameters["digest"] ?? ""
            guard let digest = ContentDigest(hex: text) else {
                throw ArgumentError.invalid(name: "digest", found: text, expected: "sha256: and 64 hexadecimal digits")
            }
            let list = try await services.federations.list(digest, of: admin.federation)
            return Response(
                status: .ok, headerFields: [.contentType: "text/plain; charset=utf-8", .cacheControl: "private"],
                body: .bytes(Array(list.text.utf8)))
        }
    }

    /// The new federation's tokens, which are shown only in this response.
    static func created(_ created: FederationService.Created) throws -> Response {
        var response = try Response.json(
            CreatedFederationBody(
                id: created.id.rawValue, enrolmentToken: created.enrolmentToken, readerToken: created.readerToken),
            status: .created)
        response.headerFields[.location] = "/v1/federations/\(created.id)"
        return response
    }

    static func settings(_ document: FederationDocument) throws(ServiceError) -> FederationSettings {
        do throws(SettingsError) {
            return try FederationSettings(document)
        } catch {
            throw .settings(error)
        }
    }

    private static func retention(_ document: FederationDocument.Retention) throws(ServiceError) -> Retention? {
        do throws(SettingsError) { return try Retention?(document) } catch { throw .settings(error) }
    }

    private static func state(_ text: String) throws(ServiceError) -> FederationState {
        switch text {
        case "running": return .running
        case "paused": return .paused
        case "finished": return .finished
        default:
            throw .settings(SettingsError(path: "state", reason: "is '\(text)'; expected running, paused or finished"))
        }
    }

    /// The policy with the keys of the patch replaced.
    private static func policy(_ policy: RoundPolicy, changedBy changes: [String: JSONValue]) throws -> RoundPolicy {
        let now = try WireJSON.encode(FederationDocument.Round(policy))
        var object = try WireJSON.decode([String: JSONValue].self, from: now)
        object.merge(changes) { _, new in new }
        let document = try WireJSON.decodeStrictly(FederationDocument.Round.self, from: try WireJSON.encode(object))
        do throws(SettingsError) {
            return try RoundPolicy(document)
        } catch {
            throw ServiceError.settings(error)
        }
    }
}

extension FederationBody {
    init(_ snapshot: FederationSnapshot) throws(WireError) {
        let machine = snapshot.machine
        self.init(
            id: machine.settings.id.rawValue, state: machine.state.rawValue, round: machine.round?.number ?? 0,
            revision: machine.revision, clients: machine.clients.tally.active,
            createdAt: snapshot.createdAt.timestamp, settings: try FederationDocument(machine.settings))
        evaluation = Standing(machine)
    }
}

extension FederationOutlineBody {
    init(_ snapshot: FederationSnapshot) {
        let machine = snapshot.machine
        let settings = machine.settings
        self.init(
            id: settings.id.rawValue, state: machine.state.rawValue, round: machine.round?.number ?? 0,
            rounds: settings.policy.total, revision: machine.revision, clients: machine.clients.tally.active,
            createdAt: snapshot.createdAt.timestamp, strategy: settings.strategy.name,
            baseModel: settings.baseModel.name, maxRank: settings.adapter.isDraft ? nil : settings.adapter.maximumRank,
            open: machine.round.flatMap { FederationOutlineBody.Open($0) })
    }
}

extension FederationOutlineBody.Open {
    /// - Returns: nil where the round has ended.
    init?(_ round: RoundMachine) {
        let phase: String
        switch round.phase {
        case .collecting: phase = "collecting"
        case .aggregating: phase = "aggregating"
        case .published, .failed: return nil
        }
        self.init(
            phase: phase, deadlineAt: round.deadline.timestamp, selected: round.participations.count,
            received: round.receivedCount, refused: round.refusals.count, awaited: round.participations.tally.awaited,
            minUpdates: round.minimumUpdates)
    }
}

extension EventBody {
    init(_ stored: StoredEvent) {
        self.init(
            id: stored.id, at: stored.event.at.timestamp, kind: stored.event.kind, round: stored.event.round,
            client: stored.event.client?.rawValue, detail: stored.event.detail, hash: "\(stored.hash)")
    }
}
