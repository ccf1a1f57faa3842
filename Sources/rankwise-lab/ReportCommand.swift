import ArgumentParser
import Simulation

/// `rankwise-lab report`: shows stored runs as a page.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write a page with curves and tables of the runs below a folder.",
        discussion: """
            Runs in one folder that differ in strategy and seed come into one picture. Runs may still be under way. The \
            tables are printed as Markdown too.

              rankwise-lab report runs --out report.html
            """)

    @Argument(help: "A folder with runs of reproduce or simulate.") var folder: String
    @Option(help: "The HTML file to write.") var out: String
    @Option(help: "The page's heading.") var title = "Rankwise simulations"

    func run() throws {
        do {
            let groups = try ReportGroup.read(below: folder)
            try Report(title: title, groups: groups).write(to: out)
            for group in groups { print(group.markdown) }
        } catch {
            throw LabFailure.shown(error)
        }
    }
}

extension ReportGroup {
    /// A heading, a description of the runs, and their table.
    var markdown: String { "## \(name)\n\n\(about)\n\n\(ReportTable(self).markdown)" }
}
