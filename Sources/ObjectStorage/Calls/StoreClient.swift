import HTTPFetching
import Logging

/// What all calls on one bucket share.
struct StoreClient: Sendable {
    let location: BucketLocation
    let endpoint: Endpoint
    let region: String
    let tls: HTTPFetcher.TLS
    let credentials: CredentialsProvider
    let logger: Logger

    init(_ configuration: ObjectBucket.Configuration, clock: CallClock, logger: Logger) throws(ObjectError) {
        location = configuration.location
        endpoint = try Endpoint(configuration)
        region = configuration.region
        tls = HTTPFetcher.TLS(authority: configuration.authority)
        credentials = CredentialsProvider(configuration.credentials, now: clock.wall, logger: logger)
        self.logger = logger
    }
}
