import ServerProgram

/// The server with PostgreSQL and a bucket, which several servers share.
@main
enum Main {
    static func main() async { await RankwiseServer.main(cluster: .postgres) }
}
