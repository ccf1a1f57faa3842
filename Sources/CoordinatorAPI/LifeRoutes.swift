import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes that create federations from others and that end them. They come last.
    func addLifeRoutes(to routes: inout Routes) {
        let services = services
        routes.on(
            .post, "/v1/federations/{federation}/fork", for: .federationAdmin,
            contract: RouteContract(
                body: .json(ForkBody.schema), answers: [.json(CreatedFederationBody.schema, "Its tokens", status: 201)],
                problems: [.document, .settings, .creation, .rendering, .round, .store]),
            "Creates a federation that begins with a round's adapter of this one"
        ) { request, admin in
            let bytes = try await request.body.collect(upTo: Self.documentLimit)
            let fork = try WireJSON.decodeStrictly(ForkBody.self, from: Data(bytes))
            let source = try services.federations.snapshot(of: admin.federation).machine.settings
            let settings = try Self.settings(of: fork, from: source)
            return try Self.created(
                try await services.federations.fork(admin.federation, round: fork.round, as: settings))
        }
        routes.on(
            .get, "/v1/federations/{federation}/archive", for: .federationAdmin,
            contract: RouteContract(answers: [.bytes("application/x-tar", "The archive")], problems: [.store]),
            "The whole federation as a tar file"
        ) { _, admin in
            let spool = try await services.archives.write(admin.federation)
            let file: OpenFile
            do throws(OpenFileError) {
                file = try OpenFile(path: spool.path)
            } catch {
                throw ServiceError.internalFailure("the archive \(spool.path) cannot be read: \(error)")
            }
            // The response has the file open; no other caller may open it.
            await services.archives.abandon(spool)
            return Response(
                status: .ok,
                headerFields: [
                    .contentType: "application/x-tar", .cacheControl: "no-store",
                    .contentDisposition: "attachment; filename=\"\(admin.federation).tar\"",
                ], body: .file(file, 0..<file.byteCount))
        }
        routes.on(
            .post, "/v1/archives", for: .admin,
            contract: RouteContract(
                body: .bytes(type: "application/x-tar"),
                answers: [.json(FederationBody.schema, "The federation", status: 201)],
                problems: [.archive, .creation, .settings, .store]), "Takes a federation from such a file"
        ) { request, _ in
            let spool = services.archives.begin()
            do {
                _ = try await request.body.save(to: spool.path, upTo: ArchiveService.byteLimit)
                let snapshot = try await services.archives.take(spool)
                await services.archives.abandon(spool)
                var response = try Response.json(FederationBody(snapshot), status: .created)
                response.headerFields[.location] = "/v1/federations/\(snapshot.machine.settings.id)"
                return response
            } catch {
                await services.archives.abandon(spool)
                throw error
            }
        }
        routes.on(
            .delete, "/v1/federations/{federation}", for: .federationAdmin,
            query: [.init("release", .flag, "whether the name may be used again")],
            contract: RouteContract(
                answers: [.json(DepartedFederationBody.schema, "What remains of it")], problems: [.store]),
            "Deletes a federation"
        ) { request, admin in
            let departed = try await services.federations.delete(
                admin.federation, releasing: try request.flag("release"))
            return try .json(DepartedFederationBody(departed))
        }
    }
}

extension RankwiseAPI {
    /// The other federation's settings, replaced by the fork's key by key, down to the second level.
    private static func settings(of fork: ForkBody, from source: FederationSettings) throws -> FederationSettings {
        for key in ["id", "adapter"] where fork.settings[key] != nil {
            throw ServiceError.settings(
                SettingsError(
                    path: "settings.\(key)", reason: "is given; a fork has the adapter of its round and its own id"))
        }
        let own = try WireJSON.encode(FederationDocument(source))
        var object = try WireJSON.decode([String: JSONValue].self, from: own)
        for (key, value) in fork.settings {
            if case .object(var members) = object[key], case .object(let more) = value, key != "training" {
                members.merge(more) { _, new in new }
                object[key] = .object(members)
            } else {
                object[key] = value
            }
        }
        object["id"] = .string(fork.id)
        object["adapter"] = .object(["template": .bool(true)])
        let document = try WireJSON.decodeStrictly(FederationDocument.self, from: try WireJSON.encode(object))
        return try settings(document)
    }
}

extension DepartedFederationBody {
    init(_ departed: DepartedFederation) {
        self.init(
            id: departed.id.rawValue, head: "\(departed.head)", events: departed.events, released: departed.isReleased)
    }
}
