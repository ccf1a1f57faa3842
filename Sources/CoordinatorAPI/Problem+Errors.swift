import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

/// The only table from errors to statuses and stable codes.
extension Problem {
    init(_ status: HTTPResponse.Status, code: ProblemCode, _ detail: String, current: Int? = nil) {
        self.init(
            title: status.reasonPhrase, status: status.code, code: code.rawValue, detail: detail, current: current)
    }

    /// The problem of an update or a template; its code is the refusal's own.
    private init(_ refusal: UpdateRefusal) {
        let status = HTTPResponse.Status.unprocessableContent
        self.init(
            title: status.reasonPhrase, status: status.code, code: refusal.code, detail: refusal.detail,
            tensor: refusal.tensor)
    }

    init(_ error: ServiceError) {
        switch error {
        case .unauthenticated:
            self.init(.unauthorized, code: .authToken, "expected a bearer token that this server issued or knows")
        case .forbidden:
            self.init(.forbidden, code: .authRole, "the token is good, but its role may not do this here")
        case .revoked(let client): self.init(.forbidden, code: .clientRevoked, "client \(client) was revoked")
        case .tooManyRequests(let seconds):
            self.init(
                .tooManyRequests, code: .rateLimited, "too much in too short a time; try again in \(seconds) s")
        case .abandoned:
            self.init(.serviceUnavailable, code: .requestAbandoned, "the request was given up before it was answered")
        case .unknownFederation(let id):
            self.init(.notFound, code: .federationUnknown, "there is no federation \(id)")
        case .setAside(let id):
            self.init(
                .serviceUnavailable, code: .federationSetAside,
                "this server cannot run federation \(id) as it is stored; its log says why")
        case .unknownClient(let name): self.init(.notFound, code: .clientUnknown, "there is no client \(name)")
        case .unknownRound(let number, let current):
            self.init(
                .notFound, code: .roundUnknown, "there is no round \(number); the current one is \(current)",
                current: current)
        case .noAdapter(let round):
            self.init(.notFound, code: .adapterNone, "round \(round) has published no adapter")
        case .adapterDropped(let round, let kept):
            self.init(
                .gone, code: .adapterDropped,
                "the adapter of round \(round) was not kept (retention); there are those of rounds "
                    + kept.map(String.init).joined(separator: ", "))
        case .noUpdate(let round):
            self.init(.notFound, code: .updateNone, "the server holds no update of this client for round \(round)")
        case .noMerge(let strategy):
            self.init(.notFound, code: .mergeNone, "\(strategy) has added nothing to the base")
        case .mergeCompacted(let through):
            self.init(
                .gone, code: .mergeCompacted,
                "the merges up to round \(through) are kept as their sum alone; ask a round from \(through) on for "
                    + "since=0 or for since=\(through) and above")
        case .sinceOutOfRange(let found, let round):
            self.init(.badRequest, code: .mergeSince, "since is \(found); expected a round before \(round)")
        case .draft:
            self.init(
                .serviceUnavailable, code: .federationDraft,
                "the federation waits for its template (PUT …/template and …/template/adapter_config.json)")
        case .notDraft(let state):
            self.init(
                .conflict, code: .federationState,
                "the federation is \(state.rawValue); a template is taken while it is a draft")
        case .busy(let id):
            self.init(
                .serviceUnavailable, code: .federationBusy,
                "federation \(id) is just taking another part of its template; try again in a moment")
        case .template(let refusal):
            self.init(refusal)
        case .federationExists(let id):
            self.init(.conflict, code: .federationExists, "federation \(id) exists already, or has existed")
        case .archivedFederationExists:
            self.init(.conflict, code: .federationExists, "the archive's federation exists already, or has existed")
        case .tooManyFederations(let limit):
            self.init(
                .conflict, code: .serverFederations, "this server takes no more than \(limit.counted("federation"))")
        case .tooManyUpdateBytes(let limit):
            self.init(
                RequestFailure.insufficientStorage.status, code: .federationBytes,
                "the round's updates may take up \(limit.counted("byte")); nothing was changed, try again later")
        case .settings(let error): self.init(.unprocessableContent, code: .settingsInvalid, "\(error)")
        case .round(let error): self.init(error)
        case .registration(let error): self.init(error)
        case .lifecycle(let error): self.init(error)
        case .token(let error): self.init(error)
        case .update(let refusal):
            self.init(refusal)
        case .evaluation(let error): self.init(error)
        case .evaluationRefused(.samples(let detail)):
            self.init(.unprocessableContent, code: .evaluationSamples, detail)
        case .evaluationRefused(.metrics(let detail)):
            self.init(.unprocessableContent, code: .evaluationMetrics, detail)
        case .noBest(isNamed: true):
            self.init(.notFound, code: .evaluationNone, "no evaluation has said yet which round is the best")
        case .noBest(isNamed: false):
            self.init(
                .conflict, code: .evaluationBest,
                "the federation has no evaluation.best, which names the metric by which rounds are compared")
        case .digestMismatch(let expected, let found):
            self.init(
                .badRequest, code: .updateDigest, "Content-Digest says \(expected); the body that came is \(found)")
        case .upload(let error): self.init(error)
        case .badToken:
            self.init(
                .unprocessableContent, code: .clientToken,
                "expected a token of 32 random bytes in base64url or hexadecimal that nobody else uses")
        case .rankOutOfRange(let found, let limit):
            self.init(.badRequest, code: .adapterRank, "rank is \(found); this federation has ranks 1 to \(limit)")
        case .unknownList(let digest):
            self.init(.notFound, code: .listUnknown, "no event has a list of clients of the digest \(digest)")
        case .unknownElementType(let found):
            self.init(.badRequest, code: .adapterDtype, "dtype is '\(found)'; expected one of F32, F16, BF16")
        case .unknownMessageBits(let found):
            self.init(.badRequest, code: .adapterBits, "bits is \(found); expected 8 or 4")
        case .store(.full):
            self.init(
                RequestFailure.insufficientStorage.status, code: .storeFull,
                "the server's disk is full; nothing was changed, try again later")
        case .store(.gone):
            self.init(
                .serviceUnavailable, code: .storeGone,
                "the server's data directory was moved or deleted under it; nothing was changed")
        case .store(.unsound(let reason)):
            self.init(.unprocessableContent, code: .archiveUnsound, "the archive cannot be taken in: \(reason)")
        case .store(.fenced), .store(.exists), .store(.failed):
            self.init(
                .serviceUnavailable, code: .storeUnavailable,
                "the store did not take it; nothing was changed, try again")
        case .internalFailure:
            self.init(.internalServerError, code: .internal, "something broke on the server; its log has more")
        }
    }

    private init(_ error: RoundError) {
        switch error {
        case .closed(let round, let current):
            self.init(
                .conflict, code: .roundClosed, "round \(round) takes no more updates; the current one is \(current)",
                current: current)
        case .unknown(let round, let current):
            self.init(
                .notFound, code: .roundUnknown, "there is no round \(round) yet; the current one is \(current)",
                current: current)
        case .notSelected(let round):
            self.init(
                .conflict, code: .roundNotSelected, "this client is not selected for round \(round)", current: round)
        case .updateExists(let round):
            self.init(
                .conflict, code: .updateExists, "round \(round) holds another update of this client", current: round)
        case .noUpdate(let round): self.init(ServiceError.noUpdate(round: round))
        case .busy(let round):
            self.init(
                .serviceUnavailable, code: .roundBusy,
                "the updates of round \(round) are being added up; try again in a moment", current: round)
        }
    }

    private init(_ error: EvaluationError) {
        switch error {
        case .none(let round):
            self.init(.notFound, code: .evaluationNone, "round \(round) is not evaluated, or not yet")
        case .closed(let round):
            self.init(.conflict, code: .evaluationClosed, "the evaluation of round \(round) has ended")
        case .notAsked(let round):
            self.init(
                .conflict, code: .evaluationNotAsked, "the evaluation of round \(round) does not ask this client")
        case .exists(let round):
            self.init(
                .conflict, code: .evaluationExists,
                "the evaluation of round \(round) has another answer of this client")
        }
    }

    private init(_ error: RegistrationError) {
        switch error {
        case .nameTaken(let name):
            self.init(.conflict, code: .clientExists, "client \(name) is registered with another token")
        case .revoked(let name): self.init(.forbidden, code: .clientRevoked, "client \(name) was revoked")
        case .full(let limit):
            self.init(
                .conflict, code: .federationFull,
                "the federation takes no more than \(limit.counted("client")); those that left by themselves keep their "
                    + "places until the admin revokes them")
        case .badRank(let found):
            self.init(.unprocessableContent, code: .clientRank, "rank is \(found); expected at least 1")
        case .otherBase(let expected, let found):
            self.init(
                .unprocessableContent, code: .clientBase,
                "the client trains the base model \(found); this federation adapts \(expected.hex)")
        case .region(let reason): self.init(.unprocessableContent, code: .clientRegion, "\(reason)")
        case .draft: self.init(ServiceError.draft)
        case .finished: self.init(.conflict, code: .federationFinished, "the federation has run all its rounds")
        case .tokenSpent:
            self.init(.forbidden, code: .authSpent, "the enrolment token has registered as many clients as it may")
        case .tokenWithdrawn:
            // The same answer as later calls with this token get.
            self.init(ServiceError.unauthenticated)
        }
    }

    private init(_ error: LifecycleError) {
        switch error {
        case .cannotChange(let from, let to):
            self.init(
                .conflict, code: .federationState,
                "a federation that is \(from.rawValue) cannot become \(to.rawValue)")
        case .settings(let error): self.init(.unprocessableContent, code: .settingsInvalid, "\(error)")
        }
    }

    private init(_ error: TokenError) {
        switch error {
        case .unknown: self.init(.notFound, code: .tokenUnknown, "there is no such token")
        case .full(let limit):
            self.init(
                .conflict, code: .federationTokens,
                "the federation has \(limit.counted("token")) and takes no more; delete those that are of no use")
        }
    }

    init(_ error: WireError) {
        self.init(error.path.isEmpty ? .badRequest : .unprocessableContent, code: .bodyInvalid, "\(error)")
    }

    init(_ error: ArgumentError) {
        self.init(.badRequest, code: .requestArgument, "\(error)")
    }

    init(_ error: CertificateMismatch) {
        let names = error.names.isEmpty ? "nobody" : error.names.joined(separator: ", ")
        self.init(
            .forbidden, code: .authCertificate,
            "this call is client \(error.client)'s; the certificate of its connection names \(names)")
    }

    init(_ error: UpdateTooLong) {
        let found = error.found.map { "the update is \($0.counted("byte")) long; " } ?? ""
        let reason =
            error.stranger.map { "it has \($0), which no adapter of the federation has" }
            ?? "expected the federation's modules at the granted rank and nothing else"
        self.init(
            .contentTooLarge, code: .updateTooLarge,
            "\(found)no sound one is longer than \(error.limit.counted("byte")): \(reason)")
    }

    init(_ error: UnsupportedType) {
        self.init(
            .unsupportedMediaType, code: .requestType, "\(error.field) is \(error.found); expected \(error.expected)")
    }

    /// The problem for a failure in the transport.
    init(_ failure: RequestFailure) {
        let code: ProblemCode =
            switch failure {
            case .malformed: .requestMalformed
            case .notFound: .pathUnknown
            case .methodNotAllowed: .methodNotAllowed
            case .timeout: .requestTimeout
            case .lengthRequired: .requestLength
            case .contentTooLarge: .requestTooLarge
            case .uriTooLong: .requestUriTooLong
            case .rangeNotSatisfiable: .rangeUnsatisfiable
            case .expectationFailed: .requestExpectation
            case .headerTooLarge: .requestHeaderTooLarge
            case .internal: .internal
            case .unsupportedTransferCoding: .requestTransferCoding
            case .overloaded: .serverOverloaded
            case .versionNotSupported: .requestVersion
            case .insufficientStorage: .storeFull
            }
        self.init(failure.status, code: code, failure.detail)
    }
}
