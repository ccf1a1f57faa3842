import Testing

@testable import ObjectStorage

@Suite struct ConfigurationTests {
    @Test(arguments: [
        ("s3://bucket", "bucket", ""), ("s3://bucket/", "bucket", ""), ("s3://a.b-c1/x", "a.b-c1", "x/"),
        ("s3://bucket/x/y/", "bucket", "x/y/"),
    ])
    func `a URL names a bucket and a prefix`(url: String, bucket: String, prefix: String) throws {
        let location = try BucketLocation(url: url)
        #expect(location.bucket == bucket)
        #expect(location.prefix == prefix)
    }

    @Test(arguments: [
        "", "bucket", "s3:/bucket", "s3://", "s3:///x", "s3://UPPER", "s3://ab", "s3://a_b_c", "s3://-ab", "s3://a..b",
        "s3://bucket/x//y", "s3://bucket/../y", "s3://bucket?x", "s3://bucket/x#y", "s3://key:secret@bucket/x",
        "https://bucket/x",
    ])
    func `a URL that is none is refused without what may be a secret`(url: String) {
        #expect {
            try BucketLocation(url: url)
        } throws: {
            guard case .invalid(let reason)? = $0 as? ObjectError else { return false }
            return !reason.contains("secret")
        }
    }

    private func endpoint(
        _ url: String?, bucket: String = "bucket", pathStyle: Bool? = nil, region: String = "us-east-1"
    ) throws -> Endpoint {
        var configuration = try ObjectBucket.Configuration(url: "s3://\(bucket)")
        configuration.endpoint = url
        configuration.pathStyle = pathStyle
        configuration.region = region
        return try Endpoint(configuration)
    }

    @Test func `the bucket is in the path or in the host`() throws {
        let given = try endpoint("http://127.0.0.1:9000/")
        #expect(given.origin == "http://127.0.0.1:9000")
        #expect(given.host == "127.0.0.1:9000")
        #expect(given.path(of: "a b/c") == "/bucket/a%20b/c")
        #expect(given.path(of: nil) == "/bucket")
        let hosted = try endpoint("https://Objects.example:443", pathStyle: false)
        #expect(hosted.origin == "https://bucket.objects.example")
        #expect(hosted.path(of: "k") == "/k")
        #expect(hosted.path(of: nil) == "/")
        let amazon = try endpoint(nil, region: "eu-central-1")
        #expect(amazon.origin == "https://bucket.s3.eu-central-1.amazonaws.com")
        #expect(try endpoint(nil, bucket: "with.dots").path(of: "k") == "/with.dots/k")
        #expect(try endpoint("http://[::1]:9000").host == "[::1]:9000")
        #expect(try endpoint("http://host:80").host == "host")
        #expect(try endpoint("http://host:443").host == "host:443")
    }

    @Test(arguments: [
        "", "host", "ftp://host", "http://", "http://host/path", "http://user:secret@host", "http://host:0",
        "http://host:65536", "http://host:", "http://host?x", "http://[::1", "http://host:80:80", "http://ho st",
    ])
    func `an endpoint that is none is refused without what may be a secret`(url: String) {
        #expect {
            try endpoint(url)
        } throws: {
            guard case .invalid(let reason)? = $0 as? ObjectError else { return false }
            return !reason.contains("secret")
        }
    }

    @Test func `a region and a number of connections are checked`() throws {
        #expect(throws: ObjectError.self) { try endpoint("http://host", region: "a/b") }
        var configuration = try ObjectBucket.Configuration(url: "s3://bucket")
        configuration.connections = 0
        #expect(throws: ObjectError.self) { try ObjectBucket(configuration, logger: .silent) }
    }
}
