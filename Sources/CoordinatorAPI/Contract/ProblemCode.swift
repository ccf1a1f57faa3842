/// The stable codes of all problems, with their statuses.
///
/// A code that ends in `.*` stands for all codes with other endings.
package enum ProblemCode: String, Sendable, CaseIterable {
    case requestMalformed = "request.malformed"
    case requestTimeout = "request.timeout"
    case requestLength = "request.length"
    case requestTooLarge = "request.too_large"
    case requestUriTooLong = "request.uri_too_long"
    case requestExpectation = "request.expectation"
    case requestHeaderTooLarge = "request.header_too_large"
    case requestTransferCoding = "request.transfer_coding"
    case requestVersion = "request.version"
    case pathUnknown = "path.unknown"
    case methodNotAllowed = "method.not_allowed"
    case serverOverloaded = "server.overloaded"
    case requestAbandoned = "request.abandoned"
    case `internal`
    case requestArgument = "request.argument"
    case requestType = "request.type"
    case bodyInvalid = "body.invalid"
    case rangeUnsatisfiable = "range.unsatisfiable"
    case rateLimited = "rate.limited"
    case authToken = "auth.token"
    case authRole = "auth.role"
    case authCertificate = "auth.certificate"
    case clientRevoked = "client.revoked"
    case authSpent = "auth.spent"
    case clientBase = "client.base"
    case clientExists = "client.exists"
    case clientRank = "client.rank"
    case clientRegion = "client.region"
    case clientToken = "client.token"
    case federationFull = "federation.full"
    case clientUnknown = "client.unknown"
    case federationUnknown = "federation.unknown"
    case federationSetAside = "federation.set_aside"
    case federationDraft = "federation.draft"
    case federationBusy = "federation.busy"
    case federationFinished = "federation.finished"
    case federationState = "federation.state"
    case federationExists = "federation.exists"
    case serverFederations = "server.federations"
    case settingsInvalid = "settings.invalid"
    case archiveUnsound = "archive.unsound"
    case tokenUnknown = "token.unknown"
    case federationTokens = "federation.tokens"
    case listUnknown = "list.unknown"
    case roundUnknown = "round.unknown"
    case roundClosed = "round.closed"
    case roundNotSelected = "round.not_selected"
    case roundBusy = "round.busy"
    case federationBytes = "federation.bytes"
    case updateAccuracy = "update.accuracy"
    case updateLoss = "update.loss"
    case updateBase = "update.base"
    case updateClients = "update.clients"
    case updateDigest = "update.digest"
    case updateDtype = "update.dtype"
    case updateExists = "update.exists"
    case updateFormat = "update.format"
    case updateMetrics = "update.metrics"
    case updateMissing = "update.missing"
    case updateNone = "update.none"
    case updateNorm = "update.norm"
    case updateNotFinite = "update.not_finite"
    case updateRange = "update.range"
    case updateRank = "update.rank"
    case updateRegion = "update.region"
    case updateSamples = "update.samples"
    case updateShape = "update.shape"
    case updateSum = "update.sum"
    case updateTooLarge = "update.too_large"
    case updateUnknown = "update.unknown"
    case evaluationBest = "evaluation.best"
    case evaluationClosed = "evaluation.closed"
    case evaluationExists = "evaluation.exists"
    case evaluationMetrics = "evaluation.metrics"
    case evaluationNone = "evaluation.none"
    case evaluationNotAsked = "evaluation.not_asked"
    case evaluationSamples = "evaluation.samples"
    case configuration = "config.*"
    case templateShape = "template.shape"
    case uploadInFlight = "upload.in_flight"
    case uploadLength = "upload.length"
    case uploadOffset = "upload.offset"
    case uploadTooLarge = "upload.too_large"
    case adapterBits = "adapter.bits"
    case adapterDropped = "adapter.dropped"
    case adapterDtype = "adapter.dtype"
    case adapterNone = "adapter.none"
    case adapterRank = "adapter.rank"
    case mergeCompacted = "merge.compacted"
    case mergeNone = "merge.none"
    case mergeSince = "merge.since"
    case storeFull = "store.full"
    case storeGone = "store.gone"
    case storeUnavailable = "store.unavailable"

    /// The problems of one kind of call; a route declares the groups that it may answer.
    package enum Group: String, Sendable, CaseIterable {
        /// What any request may meet, before and around its handler.
        case transport
        /// Path, query and header fields.
        case argument
        /// The type of a body.
        case body
        /// A body of JSON.
        case document
        /// Files by range.
        case file
        /// How often and how much.
        case rate
        /// Who calls.
        case token
        /// Registering a client.
        case registration
        /// A client that the path or the token names.
        case client
        /// A federation that the path names.
        case federation
        /// Taking a template.
        case template
        /// Changes of a state.
        case state
        /// Creating a federation.
        case creation
        /// Settings.
        case settings
        /// Taking an archive.
        case archive
        /// Issuing and withdrawing tokens.
        case tokens
        /// Lists of clients.
        case list
        /// A round that the path names.
        case round
        /// Taking an update.
        case update
        /// What clients find when they score adapters.
        case evaluation
        /// Bytes and their digest.
        case digest
        /// The file of an adapter.
        case adapterFile
        /// An update that is held.
        case heldUpdate
        /// An adapter_config.json.
        case configuration
        /// Uploads in parts.
        case upload
        /// Adapters, merges and models for download.
        case rendering
        /// What is stored.
        case store
    }

    /// The statuses with which the code is answered.
    package var statuses: [Int] { facts.statuses }
    package var group: Group { facts.group }
    /// A sentence without a full stop.
    package var meaning: String { facts.meaning }

    /// The code of this text; nil where there is none.
    package init?(text: String) {
        if let code = Self(rawValue: text) {
            self = code
        } else if text.hasPrefix("config.") {
            self = .configuration
        } else {
            return nil
        }
    }

    private var facts: (statuses: [Int], group: Group, meaning: String) {
        switch self {
        case .requestMalformed: ([400], .transport, "The request is not HTTP/1.1 as RFC 9112 has it")
        case .requestTimeout: ([408], .transport, "The request did not arrive in time")
        case .requestLength: ([411], .transport, "The request must carry Content-Length")
        case .requestTooLarge: ([413], .transport, "The body is longer than the server takes")
        case .requestUriTooLong: ([414], .transport, "The request line is longer than the server takes")
        case .requestExpectation: ([417], .transport, "The only expectation that is met is 100-continue")
        case .requestHeaderTooLarge: ([431], .transport, "The header section is larger than the server takes")
        case .requestTransferCoding: ([501], .transport, "The only transfer coding that is understood is chunked")
        case .requestVersion: ([505], .transport, "The server speaks HTTP/1.1")
        case .pathUnknown: ([404], .transport, "Nothing is served under this path")
        case .methodNotAllowed: ([405], .transport, "The path does not take this method")
        case .serverOverloaded: ([503], .transport, "The server has too much to do")
        case .requestAbandoned: ([503], .transport, "The request was given up before it was answered")
        case .internal: ([500], .transport, "Something broke on the server")
        case .requestArgument:
            ([400], .argument, "A part of the path, of the query or of the header fields is not as expected")
        case .requestType: ([415], .body, "The body's type or coding is not as expected")
        case .bodyInvalid:
            ([400, 422], .document, "The body is not JSON, or has a key or value that is not as expected")
        case .rangeUnsatisfiable: ([416], .file, "The range lies outside of the file")
        case .rateLimited: ([429], .rate, "Too much in too short a time")
        case .authToken: ([401], .token, "No token, or one that nobody has")
        case .authRole: ([403], .token, "The token's role may not do this here")
        case .authCertificate: ([403], .token, "The connection's certificate names another client")
        case .clientRevoked: ([403], .token, "The client was revoked")
        case .authSpent: ([403], .registration, "The enrolment token has registered as many clients as it may")
        case .clientBase: ([422], .registration, "The client trains another base model")
        case .clientExists: ([409], .registration, "The client is registered with another token")
        case .clientRank: ([422], .registration, "The rank is below 1")
        case .clientRegion: ([422], .registration, "The federation takes no such region")
        case .clientToken: ([422], .registration, "The token is not 32 random bytes, or somebody else uses it")
        case .federationFull: ([409], .registration, "The federation takes no more clients")
        case .clientUnknown: ([404], .client, "There is no such client")
        case .federationUnknown: ([404], .federation, "There is no such federation")
        case .federationSetAside: ([503], .federation, "This version cannot run the federation as it is stored")
        case .federationDraft: ([503], .federation, "The federation waits for its template")
        case .federationBusy: ([503], .template, "Another part of the template is being taken")
        case .federationFinished: ([409], .registration, "The federation has run all its rounds")
        case .federationState: ([409], .state, "The federation's state does not allow this")
        case .federationExists: ([409], .creation, "The federation exists or has existed")
        case .serverFederations: ([409], .creation, "The server takes no more federations")
        case .settingsInvalid: ([422], .settings, "A setting is not as expected, or does not go with the others")
        case .archiveUnsound: ([422], .archive, "The archive cannot be taken in")
        case .tokenUnknown: ([404], .tokens, "There is no such token")
        case .federationTokens: ([409], .tokens, "The federation takes no more tokens")
        case .listUnknown: ([404], .list, "No event has a list of this digest")
        case .roundUnknown: ([404], .round, "There is no such round")
        case .roundClosed: ([409], .update, "The round takes no more updates")
        case .roundNotSelected: ([409], .update, "The client is not selected for the round")
        case .roundBusy: ([503], .update, "The round's updates are being added up")
        case .federationBytes: ([507], .update, "The round's updates take up as much as they may")
        case .updateAccuracy: ([422], .update, "The strategy needs an accuracy")
        case .updateLoss: ([422], .update, "The strategy needs a loss")
        case .updateBase: ([422], .update, "The update is of another base model")
        case .updateClients: ([422], .update, "The list of a region's clients is not sound")
        case .updateDigest: ([400], .digest, "The bytes that came do not have the digest that was sent")
        case .updateDtype: ([422], .adapterFile, "A tensor's type is not one that is taken")
        case .updateExists: ([409], .update, "The round holds another update of this client")
        case .updateFormat: ([422], .adapterFile, "The file is no sound safetensors file of an adapter")
        case .updateMetrics: ([422], .update, "A measurement is not as expected")
        case .updateMissing: ([422], .adapterFile, "A module or factor is missing")
        case .updateNone: ([404], .heldUpdate, "The server holds no update of this client for the round")
        case .updateNorm: ([422], .update, "The update's norm is larger than the federation takes")
        case .updateNotFinite: ([422], .adapterFile, "A number is not finite")
        case .updateRange: ([422], .update, "A number is too large for exact sums")
        case .updateRank: ([422], .adapterFile, "The rank is above the granted one")
        case .updateRegion: ([422], .update, "The file is no part of this round from this region")
        case .updateSamples: ([422], .update, "The number of samples is not as expected")
        case .updateShape: ([422], .adapterFile, "A tensor's shape is not the federation's")
        case .updateSum: ([422], .update, "A sum or weight of a region is not sound")
        case .updateTooLarge: ([413, 422], .adapterFile, "The update is longer than any sound one")
        case .updateUnknown: ([422], .adapterFile, "A tensor is none of the federation's")
        case .evaluationBest: ([409], .evaluation, "The federation names no metric by which rounds are compared")
        case .evaluationClosed: ([409], .evaluation, "The round's evaluation has ended")
        case .evaluationExists: ([409], .evaluation, "The evaluation has another answer of this client")
        case .evaluationMetrics: ([422], .evaluation, "The metrics are not as expected")
        case .evaluationNone: ([404], .evaluation, "There is no such evaluation yet")
        case .evaluationNotAsked: ([409], .evaluation, "The evaluation does not ask this client")
        case .evaluationSamples: ([422], .evaluation, "The number of scored samples is not as expected")
        case .configuration: ([422], .configuration, "A key of adapter_config.json cannot be carried")
        case .templateShape: ([422], .template, "The template's shape cannot be used")
        case .uploadInFlight: ([503], .upload, "The federation's unfinished uploads take up as much as they may")
        case .uploadLength: ([400], .upload, "The upload's length contradicts an earlier one")
        case .uploadOffset: ([409], .upload, "The offset is not the one that the server holds")
        case .uploadTooLarge: ([413], .upload, "No sound update is so long")
        case .adapterBits: ([400], .rendering, "There are no messages of so many bits")
        case .adapterDropped: ([410], .rendering, "The round's adapter was not kept")
        case .adapterDtype: ([400], .rendering, "The element type is unknown")
        case .adapterNone: ([404], .rendering, "The round has published no adapter")
        case .adapterRank: ([400], .rendering, "The federation has no such rank")
        case .mergeCompacted: ([410], .rendering, "Old merges are kept only as their sum")
        case .mergeNone: ([404], .rendering, "Nothing was added to the base")
        case .mergeSince: ([400], .rendering, "since is not before the round")
        case .storeFull: ([507], .store, "The server's disk is full; nothing was changed")
        case .storeGone: ([503], .store, "The server's data was moved or deleted; nothing was changed")
        case .storeUnavailable: ([503], .store, "The store did not take it; nothing was changed")
        }
    }
}
