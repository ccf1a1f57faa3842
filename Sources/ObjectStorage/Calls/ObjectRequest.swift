import HTTPFetching

/// One request to the store, before it is signed.
struct ObjectRequest: Sendable {
    /// SHA-256 of no bytes.
    static let emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    var method: FetchRequest.Method
    /// With the bucket's prefix; nil for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    /// Signed beside those that every request has.
    var fields: [(name: String, value: String)] = []
    var body = FetchRequest.Body.none
    /// In hexadecimal digits.
    var payload = ObjectRequest.emptyPayload
    var destination = FetchRequest.Destination.memory(limit: FetchRequest.memoryLimit)

    /// The request as it is sent. `Expect`, which curl adds for large bodies, is not signed.
    func signed(
        for store: StoreClient, by credentials: Credentials, at time: CalendarTime, patience: FetchRequest.Patience
    ) -> FetchRequest {
        var signing = SigV4.Request(
            method: method.rawValue, path: store.endpoint.path(of: key), query: query,
            fields: [
                ("Host", store.endpoint.host), ("x-amz-date", time.compact), ("x-amz-content-sha256", payload),
            ], payload: payload)
        if let token = credentials.sessionToken { signing.fields.append(("x-amz-security-token", token)) }
        signing.fields += fields
        let authorization = SigV4(credentials, at: time, region: store.region).authorization(for: signing)
        let query = SigV4.canonicalQuery(query)
        return FetchRequest(
            method, store.endpoint.origin + signing.path + (query.isEmpty ? "" : "?\(query)"),
            fields: signing.fields.map { HTTPField($0.name, $0.value) } + [HTTPField("Authorization", authorization)],
            body: body, destination: destination, patience: patience)
    }
}
