import ServerProgram

/// The server with SQLite and a data folder. It hands over to `rankwise-cluster-server` where the settings name
/// PostgreSQL or a root.
@main
enum Main {
    static func main() async { await RankwiseServer.main() }
}
