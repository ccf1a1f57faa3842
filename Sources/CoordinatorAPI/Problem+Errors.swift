import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

/// The only table from errors to statuses and stable codes.
extension Problem {
    init(_ status: HTTPResponse.Status, code: String, _ detail: String, tensor: String? = nil, current: Int? = nil) {
        self.init(
            title: status.reasonPhrase, status: status.code, code: code, detail: detail, tensor: tensor,
            current: current)
    }

    init(_ error: ServiceError) {
        switch error {
        case .unauthenticated:
            self.init(.unauthorized, code: "auth.token", "expected a bearer token that this server issued or knows")
        case .forbidden:
            self.init(.forbidden, code: "auth.role", "the token is good, but its role may not do this here")
        case .revoked(let client): self.init(.forbidden, code: "client.revoked", "client \(client) was revoked")
        case .tooManyRequests(let seconds):
            self.init(
                .tooManyRequests, code: "rate.limited", "too much in too short a time; try again in \(seconds) s")
        case .abandoned:
            self.init(.serviceUnavailable, code: "request.abandoned", "the request was given up before it was answered")
        case .unknownFederation(let id):
            self.init(.notFound, code: "federation.unknown", "there is no federation \(id)")
        case .setAside(let id):
            self.init(
                .serviceUnavailable, code: "federation.set_aside",
                "this server cannot run federation \(id) as it is stored; its log says why")
        case .unknownClient(let name): self.init(.notFound, code: "client.unknown", "there is no client \(name)")
        case .unknownRound(let number, let current):
            self.init(
                .notFound, code: "round.unknown", "there is no round \(number); the current one is \(current)",
                current: current)
        case .noAdapter(let round):
            self.init(.notFound, code: "adapter.none", "round \(round) has published no adapter")
        case .adapterDropped(let round, let kept):
            self.init(
                .gone, code: "adapter.dropped",
                "the adapter of round \(round) was not kept (retention); there are those of rounds "
                    + kept.map(String.init).joined(separator: ", "))
        case .noUpdate(let round):
            self.init(.notFound, code: "update.none", "the server holds no update of this client for round \(round)")
        case .noMerge(let strategy):
            self.init(.notFound, code: "merge.none", "\(strategy) has added nothing to the base")
        case .mergeCompacted(let through):
            self.init(
                .gone, code: "merge.compacted",
                "the merges up to round \(through) are kept as their sum alone; ask a round from \(through) on for "
                    + "since=0 or for since=\(through) and above")
        case .sinceOutOfRange(let found, let round):
            self.init(.badRequest, code: "merge.since", "since is \(found); expected a round before \(round)")
        case .draft:
            self.init(
                .serviceUnavailable, code: "federation.draft",
                "the federation waits for its template (PUT …/template and …/template/adapter_config.json)")
        case .notDraft(let state):
            self.init(
                .conflict, code: "federation.state",
                "the federation is \(state.rawValue); a template is taken while it is a draft")
        case .busy(let id):
            self.init(
                .serviceUnavailable, code: "federation.busy",
                "federation \(id) is just taking another part of its template; try again in a moment")
        case .template(let refusal):
            self.init(.unprocessableContent, code: refusal.code, refusal.detail, tensor: refusal.tensor)
        case .federationExists(let id):
            self.init(.conflict, code: "federation.exists", "federation \(id) exists already, or has existed")
        case .archivedFederationExists:
            self.init(.conflict, code: "federation.exists", "the archive's federation exists already, or has existed")
        case .tooManyFederations(let limit):
            self.init(
                .conflict, code: "server.federations", "this server takes no more than \(limit.counted("federation"))")
        case .tooManyUpdateBytes(let limit):
            self.init(
                RequestFailure.insufficientStorage.status, code: "federation.bytes",
                "the round's updates may take up \(limit.counted("byte")); nothing was changed, try again later")
        case .settings(let error): self.init(.unprocessableContent, code: "settings.invalid", "\(error)")
        case .round(let error): self.init(error)
        case .registration(let error): self.init(error)
        case .lifecycle(let error): self.init(error)
        case .token(let error): self.init(error)
        case .update(let refusal):
            self.init(.unprocessableContent, code: refusal.code, refusal.detail, tensor: refusal.tensor)
        case .digestMismatch(let expected, let found):
            self.init(
                .badRequest, code: "update.digest", "Content-Digest says \(expected); the body that came is \(found)")
        case .upload(let error): self.init(error)
        case .badToken:
            self.init(
                .unprocessableContent, code: "client.token",
                "expected a token of 32 random bytes in base64url or hexadecimal that nobody else uses")
        case .rankOutOfRange(let found, let limit):
            self.init(.badRequest, code: "adapter.rank", "rank is \(found); this federation has ranks 1 to \(limit)")
        case .unknownList(let digest):
            self.init(.notFound, code: "list.unknown", "no event has a list of clients of the digest \(digest)")
        case .unknownElementType(let found):
            self.init(.badRequest, code: "adapter.dtype", "dtype is '\(found)'; expected one of F32, F16, BF16")
        case .unknownMessageBits(let found):
            self.init(.badRequest, code: "adapter.bits", "bits is \(found); expected 8 or 4")
        case .store(.full):
            self.init(
                RequestFailure.insufficientStorage.status, code: "store.full",
                "the server's disk is full; nothing was changed, try again later")
        case .store(.gone):
            self.init(
                .serviceUnavailable, code: "store.gone",
                "the server's data directory was moved or deleted under it; nothing was changed")
        case .store(.unsound(let reason)):
            self.init(.unprocessableContent, code: "archive.unsound", "the archive cannot be taken in: \(reason)")
        case .store(.fenced), .store(.exists), .store(.failed):
            self.init(
                .serviceUnavailable, code: "store.unavailable",
                "the store did not take it; nothing was changed, try again")
        case .internalFailure:
            self.init(.internalServerError, code: "internal", "something broke on the server; its log has more")
        }
    }

    private init(_ error: RoundError) {
        switch error {
        case .closed(let round, let current):
            self.init(
                .conflict, code: "round.closed", "round \(round) takes no more updates; the current one is \(current)",
                current: current)
        case .unknown(let round, let current):
            self.init(
                .notFound, code: "round.unknown", "there is no round \(round) yet; the current one is \(current)",
                current: current)
        case .notSelected(let round):
            self.init(
                .conflict, code: "round.not_selected", "this client is not selected for round \(round)", current: round)
        case .updateExists(let round):
            self.init(
                .conflict, code: "update.exists", "round \(round) holds another update of this client", current: round)
        case .noUpdate(let round): self.init(ServiceError.noUpdate(round: round))
        case .busy(let round):
            self.init(
                .serviceUnavailable, code: "round.busy",
                "the updates of round \(round) are being added up; try again in a moment", current: round)
        }
    }

    private init(_ error: RegistrationError) {
        switch error {
        case .nameTaken(let name):
            self.init(.conflict, code: "client.exists", "client \(name) is registered with another token")
        case .revoked(let name): self.init(.forbidden, code: "client.revoked", "client \(name) was revoked")
        case .full(let limit):
            self.init(
                .conflict, code: "federation.full",
                "the federation takes no more than \(limit.counted("client")); those that left by themselves keep their "
                    + "places until the admin revokes them")
        case .badRank(let found):
            self.init(.unprocessableContent, code: "client.rank", "rank is \(found); expected at least 1")
        case .otherBase(let expected, let found):
            self.init(
                .unprocessableContent, code: "client.base",
                "the client trains the base model \(found); this federation adapts \(expected.hex)")
        case .region(let reason): self.init(.unprocessableContent, code: "client.region", "\(reason)")
        case .draft: self.init(ServiceError.draft)
        case .finished: self.init(.conflict, code: "federation.finished", "the federation has run all its rounds")
        case .tokenSpent:
            self.init(.forbidden, code: "auth.spent", "the enrolment token has registered as many clients as it may")
        case .tokenWithdrawn:
            // The same answer as later calls with this token get.
            self.init(ServiceError.unauthenticated)
        }
    }

    private init(_ error: LifecycleError) {
        switch error {
        case .cannotChange(let from, let to):
            self.init(
                .conflict, code: "federation.state",
                "a federation that is \(from.rawValue) cannot become \(to.rawValue)")
        case .settings(let error): self.init(.unprocessableContent, code: "settings.invalid", "\(error)")
        }
    }

    private init(_ error: TokenError) {
        switch error {
        case .unknown: self.init(.notFound, code: "token.unknown", "there is no such token")
        case .full(let limit):
            self.init(
                .conflict, code: "federation.tokens",
                "the federation has \(limit.counted("token")) and takes no more; delete those that are of no use")
        }
    }

    init(_ error: WireError) {
        self.init(error.path.isEmpty ? .badRequest : .unprocessableContent, code: "body.invalid", "\(error)")
    }

    init(_ error: ArgumentError) {
        self.init(.badRequest, code: "request.argument", "\(error)")
    }

    init(_ error: CertificateMismatch) {
        let names = error.names.isEmpty ? "nobody" : error.names.joined(separator: ", ")
        self.init(
            .forbidden, code: "auth.certificate",
            "this call is client \(error.client)'s; the certificate of its connection names \(names)")
    }

    init(_ error: UpdateTooLong) {
        let found = error.found.map { "the update is \($0.counted("byte")) long; " } ?? ""
        let reason =
            error.stranger.map { "it has \($0), which no adapter of the federation has" }
            ?? "expected the federation's modules at the granted rank and nothing else"
        self.init(
            .contentTooLarge, code: "update.too_large",
            "\(found)no sound one is longer than \(error.limit.counted("byte")): \(reason)")
    }

    init(_ error: UnsupportedType) {
        self.init(
            .unsupportedMediaType, code: "request.type", "\(error.field) is \(error.found); expected \(error.expected)")
    }

    /// The problem for a failure in the transport.
    init(_ failure: RequestFailure) {
        let code =
            switch failure {
            case .malformed: "request.malformed"
            case .notFound: "path.unknown"
            case .methodNotAllowed: "method.not_allowed"
            case .timeout: "request.timeout"
            case .lengthRequired: "request.length"
            case .contentTooLarge: "request.too_large"
            case .uriTooLong: "request.uri_too_long"
            case .rangeNotSatisfiable: "range.unsatisfiable"
            case .expectationFailed: "request.expectation"
            case .headerTooLarge: "request.header_too_large"
            case .internal: "internal"
            case .unsupportedTransferCoding: "request.transfer_coding"
            case .overloaded: "server.overloaded"
            case .versionNotSupported: "request.version"
            case .insufficientStorage: "store.full"
            }
        self.init(failure.status, code: code, failure.detail)
    }
}
