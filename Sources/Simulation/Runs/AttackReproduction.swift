import Foundation
import RankwiseWire

/// What attacks do to a federation under each robust rule, as a list of runs: handwritten digits, ten clients of ten ranks,
/// a fifth of them attackers.
package struct AttackReproduction: Sendable {
    /// Nobody attacks.
    package static let clean = "none"
    package static let attacks = [clean] + Attack.Kind.allCases.map(\.rawValue)
    package static let rules = ["none", "clip", "trimmed", "median", "krum", "multi-krum", "geometric-median"]
    package static let splits: [SimulationSettings.Deal.Scheme] = [.staircase, .iid]

    private static let clients = 10
    private static let attackers = 0.2
    private static let highestRank = 60

    /// A CSV file of digits, as `scripts/data digits` writes it.
    package var data: String
    package var strategy: String
    package var attacks: [String]
    package var rules: [String]
    package var splits: [SimulationSettings.Deal.Scheme]
    package var seeds: [UInt64]
    package var rounds: Int
    package var threads: Int

    package init(
        data: String, strategy: String = "rbla", attacks: [String] = Self.attacks, rules: [String] = Self.rules,
        splits: [SimulationSettings.Deal.Scheme] = Self.splits, seeds: [UInt64], rounds: Int, threads: Int
    ) {
        self.data = data
        self.strategy = strategy
        self.attacks = attacks
        self.rules = rules
        self.splits = splits
        self.seeds = seeds
        self.rounds = rounds
        self.threads = threads
    }

    /// A run with what the table calls it.
    package struct Run: Sendable {
        let split: SimulationSettings.Deal.Scheme
        let attack: String
        let rule: String
        package let run: Reproduction.Run
    }

    package func runs() throws(SimulationError) -> [Run] {
        var runs: [Run] = []
        for split in splits {
            for attack in attacks {
                let kind = Attack.Kind(rawValue: attack)
                guard kind != nil || attack == Self.clean else {
                    throw .settings(
                        path: "attacks",
                        reason: "has \"\(attack)\"; expected \(Self.attacks.joined(separator: ", "))")
                }
                for rule in rules {
                    for seed in seeds {
                        runs.append(
                            Run(
                                split: split, attack: attack, rule: rule,
                                run: Reproduction.Run(
                                    path: "\(split.rawValue)-\(attack)/\(rule)-seed\(seed)",
                                    document: try document(split, kind, rule, seed))))
                    }
                }
            }
        }
        return runs
    }

    private func document(
        _ split: SimulationSettings.Deal.Scheme, _ attack: Attack.Kind?, _ rule: String, _ seed: UInt64
    ) throws(SimulationError) -> SimulationDocument {
        SimulationDocument(
            federation: FederationDocument(
                id: "attacks", baseModel: .init(name: "mlp-64-200-200-10", seed: seed),
                adapter: .init(
                    maxRank: Self.highestRank, scaling: .init(mode: "constant", value: 1),
                    modules: [
                        "fc1": .init(inputs: 64, outputs: 200), "fc2": .init(inputs: 200, outputs: 200, maxRank: 160),
                        "fc3": .init(inputs: 200, outputs: 10, maxRank: 100),
                    ]),
                strategy: .init(name: strategy, weighting: "samples"), robust: try Self.robust(rule),
                round: .init(total: rounds, minClients: Self.clients, minUpdates: Self.clients),
                training: [
                    "epochs": .integer(5), "batch_size": .integer(10), "optimizer": .string("sgd"),
                    "learning_rate": .number(0.01), "momentum": .number(0.9), "feature_scale": .integer(8),
                ],
                seed: seed),
            simulation: SimulationSettings(
                clients: Self.clients, ranks: (1...Self.clients).map { $0 * Self.highestRank / Self.clients },
                data: .init(train: data, holdout: 0.2), partition: .init(scheme: split),
                attacks: attack.map { [Attack($0, clients: Self.attackers)] } ?? [], threads: threads))
    }

    /// Every rule that can be told of the attackers' number is: a row needs 2f + 1 holders for `trimmed` and `median`, and
    /// `trimmed` drops at least f values on each side of five; `multi-krum` keeps all others.
    private static func robust(_ rule: String) throws(SimulationError) -> FederationDocument.Robust? {
        let attackers = Int64(Self.attackers * Double(clients))
        switch rule {
        case "none": return nil
        case "clip", "geometric-median": return .init(rule: rule)
        case "trimmed":
            return .init(
                rule: rule, parameters: ["fraction": .number(0.4), "holders": .integer(2 * attackers + 1)])
        case "median": return .init(rule: rule, parameters: ["holders": .integer(2 * attackers + 1)])
        case "krum": return .init(rule: "krum", parameters: ["byzantine": .integer(attackers)])
        case "multi-krum":
            return .init(
                rule: "krum",
                parameters: ["byzantine": .integer(attackers), "keep": .integer(Int64(clients) - attackers)])
        default:
            throw .settings(path: "rules", reason: "has \"\(rule)\"; expected \(rules.joined(separator: ", "))")
        }
    }
}

extension AttackReproduction {
    /// A run's last round.
    package struct Result: Sendable {
        let run: Run
        let last: RoundRecord

        package init(run: Run, last: RoundRecord) {
            self.run = run
            self.last = last
        }
    }

    /// Tables as Markdown, one for each split: the accuracy by attack and rule in percent, mean ± deviation over the seeds, and
    /// how far the best rule stays behind the clean run without a rule; below, how often a backdoor works.
    package func markdown(_ results: [Result]) -> String {
        splits.map { split in
            func own(_ attack: String, _ rule: String) -> [RoundRecord] {
                results.filter { $0.run.split == split && $0.run.attack == attack && $0.run.rule == rule }.map(\.last)
            }
            func mean(_ values: [Double]) -> Double? {
                values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
            }
            let clean = mean(own(Self.clean, "none").map(\.testAccuracy))
            var lines = [
                "### \(split.rawValue)", "",
                "| attack | " + rules.joined(separator: " | ") + " | best rule, points below the clean run |",
                "|---|" + rules.map { _ in "---|" }.joined() + "---|",
            ]
            for attack in attacks {
                let cells = rules.map { Self.percent(own(attack, $0).map(\.testAccuracy)) }
                let ranked = rules.compactMap { rule in
                    rule == "none"
                        ? nil : mean(own(attack, rule).map(\.testAccuracy)).map { (rule: rule, accuracy: $0) }
                }
                let best = ranked.max { $0.accuracy < $1.accuracy }
                let behind = best.flatMap { best in
                    clean.map { "\(best.rule), \(String(format: "%.1f", 100 * ($0 - best.accuracy)))" }
                }
                lines.append("| \(attack) | " + (cells + [behind ?? ""]).joined(separator: " | ") + " |")
            }
            let backdoor = Attack.Kind.backdoor.rawValue
            if attacks.contains(backdoor) {
                let cells = rules.map { Self.percent(own(backdoor, $0).compactMap(\.attackSuccess)) }
                lines.append("| success of the backdoor | " + (cells + [""]).joined(separator: " | ") + " |")
            }
            return lines.joined(separator: "\n") + "\n"
        }.joined(separator: "\n")
    }

    private static func percent(_ values: [Double]) -> String {
        guard !values.isEmpty else { return "" }
        let mean = values.reduce(0, +) / Double(values.count)
        guard values.count > 1 else { return String(format: "%.1f", 100 * mean) }
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        return String(format: "%.1f ± %.1f", 100 * mean, 100 * variance.squareRoot())
    }
}
