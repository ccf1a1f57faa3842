extension ObjectBucket {
    package struct Configuration: Sendable {
        /// The bucket and the prefix under which all keys are.
        package var location: BucketLocation
        /// The store's address, such as `https://objects.example:9000`. Default: Amazon's for the region.
        package var endpoint: String?
        /// What the store calls its region. Default us-east-1, which most stores accept.
        package var region = "us-east-1"
        /// Whether the bucket is the path's first segment (true) or part of the host's name. Default: the path where an
        /// endpoint is given, the host otherwise.
        package var pathStyle: Bool?
        /// A PEM file with the authorities of the store's certificate, in place of the system's.
        package var authority: String?
        /// Default: the environment's.
        package var credentials = CredentialsSource.environment
        /// The most requests under way at once; further calls wait. Default 8.
        package var connections = 8
        /// For calls that bring none of their own.
        package var patience = ObjectPatience()

        package init(location: BucketLocation) {
            self.location = location
        }

        /// - Parameter url: `s3://bucket/prefix`
        package init(url: String) throws(ObjectError) {
            self.init(location: try BucketLocation(url: url))
        }
    }
}
