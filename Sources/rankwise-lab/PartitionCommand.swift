import ArgumentParser
import Foundation
import Training
import TrainingData

/// `rankwise-lab partition`: divides a data set among clients.
struct PartitionCommand: ParsableCommand {
    enum Scheme: String, ExpressibleByArgument, CaseIterable {
        case iid
        case staircase
        case dirichlet
    }

    static let configuration = CommandConfiguration(
        commandName: "partition",
        abstract: "Deal a data set to clients, every example to exactly one.",
        discussion: """
            Writes OUT/client-00.csv, OUT/client-01.csv and so on, and with --holdout OUT/heldout.csv. The same seed deals \
            the same way. staircase gives client i the labels 0 to i; dirichlet draws every label's shares.

              rankwise-lab partition --data Config/data/digits.csv --clients 10 --scheme staircase --holdout 0.2 --out shards
            """)

    @Option(help: "A CSV file (label last) or IDX images with their labels beside them.") var data: String
    @Option(help: "How many clients.") var clients: Int
    @Option(help: "iid, staircase or dirichlet.") var scheme = Scheme.iid
    @Option(help: "The concentration of dirichlet; the smaller, the more uneven.") var alpha = 0.5
    @Option(help: "Draws the hold-out and the deal.") var seed: UInt64 = 0
    @Option(help: "The share of every label's examples to hold out, below 1; 0 for none.") var holdout = 0.0
    @Option(help: "The folder to write to; made if it is not there.") var out: String

    func run() throws {
        do {
            let examples = try DataSet(path: data)
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
            var kept = Array(0..<examples.count)
            if holdout != 0 {
                let heldOut: [Int]
                (kept, heldOut) = try Partition.holdOut(holdout, of: examples.labels, seed: seed)
                try write(examples.subset(heldOut), as: "heldout")
            }
            let rest = examples.subset(kept)
            let digits = max(2, String(clients - 1).count)
            for (client, hand) in try partition.deal(rest.labels, to: clients, seed: seed).enumerated() {
                let number = String(repeating: "0", count: digits - String(client).count) + String(client)
                try write(rest.subset(hand), as: "client-\(number)")
            }
        } catch let error as DataSetError {
            throw ValidationError("\(error)")
        } catch let error as PartitionError {
            throw ValidationError("\(error)")
        }
    }

    private var partition: Partition {
        switch scheme {
        case .iid: .iid
        case .staircase: .staircase
        case .dirichlet: .dirichlet(alpha: alpha)
        }
    }

    private func write(_ examples: DataSet, as name: String) throws {
        let path = "\(out)/\(name).csv"
        try examples.csv.write(toFile: path, atomically: true, encoding: .utf8)
        print(
            "\(path)\t\(examples.count) examples\tlabels \(Set(examples.labels).sorted().map(String.init).joined(separator: ","))"
        )
    }
}
