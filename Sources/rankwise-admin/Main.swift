import AdminProgram

/// The operator's command line.
@main
enum Main {
    static func main() async { await RankwiseAdmin.run() }
}
