import ArgumentParser
import Foundation
import RankwiseWire
import Simulation
import Training
import Yams

/// `rankwise-lab simulate`: simulates a federation of many clients on this machine.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Play a federation with any number of clients on this machine.",
        discussion: """
            SETTINGS is a federation's settings with a part `simulation`: clients, ranks, data, partition, threads. \
            Writes OUT/rounds.csv, a row a round, and OUT/report.html. In memory a run that was stopped goes on; over HTTP \
            it begins again.

              rankwise-lab simulate Config/simulation.yaml --transport http --out run
            """)

    @Argument(help: "The settings, as YAML or JSON.") var settings: String
    @Option(help: "The folder to write to; made if it is not there.") var out: String
    @Option(help: "memory, or http: the whole server in this process and an agent for every client.")
    var transport = SimulationRun.Transport.memory
    @Option(help: "Plays so many rounds instead of the settings' round.total.") var rounds: Int?

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        do {
            let document = try document()
            let simulation = SimulationRun(document, path: out, transport: transport)
            let display = SimulationDisplay(
                rounds: document.federation.round.total,
                played: transport == .memory ? try simulation.playedRounds() : 0)
            let records = try await simulation.play(cohort: try SimulatedCohort(document)) { display.show($0) }
            display.finish()
            let name = document.federation.id
            try Report(title: "Simulation of \(name)", groups: ReportGroup.read(below: out))
                .write(to: out + "/report.html")
            if let last = records.last {
                print(
                    "\(name)\taccuracy=\(last.testAccuracy.formatted(places: 4))\tloss="
                        + "\(last.testLoss.formatted(places: 4))\trounds=\(last.round)\tpeak_rss_kib=\(Self.peakMemory)"
                )
            }
        } catch let error where error is SimulationError || error is DecodingError || error is YamlError {
            throw LabFailure.shown(error)
        }
    }

    private func document() throws -> SimulationDocument {
        guard let bytes = FileManager.default.contents(atPath: settings) else {
            throw ValidationError("\(settings) cannot be read")
        }
        let values = try YAMLDecoder().decode([String: JSONValue].self, from: bytes)
        do throws(WireError) {
            var document = try SimulationDocument(values: values)
            if let rounds { document.federation.round.total = rounds }
            return document
        } catch {
            throw ValidationError("\(settings): \(error)")
        }
    }

    /// The peak resident memory of this process, from the kernel, in KiB.
    private static var peakMemory: String { "\(ProcessMemory.bytes("VmHWM") >> 10)" }
}

extension SimulationRun.Transport: ExpressibleByArgument {}
