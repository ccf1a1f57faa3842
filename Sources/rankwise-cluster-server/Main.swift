import ServerProgram

/// The server with PostgreSQL and a bucket, which several servers share, and with a root, whose region it is.
@main
enum Main {
    static func main() async { await RankwiseServer.main(cluster: .postgres, upstream: .http) }
}
