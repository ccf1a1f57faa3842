import AdapterFormat
import LinearAlgebra
import Testing

@testable import Aggregation

/// Robust rules against plain computations in Double.
struct RobustRuleTests {
    private static let rules: [RobustRule] = [
        .trimmed(fraction: 0.2, holders: 3), .median(holders: 3), .krum(byzantine: 2, keep: 5),
        .geometricMedian(iterations: 3, floor: 1e-6), .clip(norm: nil),
    ]

    @Test(arguments: [
        RobustRule.trimmed(fraction: 0.2, holders: 3), .median(holders: 4), .trimmed(fraction: 0.4, holders: 1),
    ])
    func `a coordinate is the mean of its middle values, and stays where too few hold it`(rule: RobustRule) throws {
        let cohort = try RobustCohort(clients: 11, rank: 6)
        let middle = try #require(rule.middle)
        let (result, _) = try cohort.round("hetlora", rule)
        func expected(_ values: [Double], _ earlier: Double) -> Double {
            guard values.count >= middle.holders else { return earlier }
            let sorted = values.sorted()
            let dropped: Int
            switch rule {
            case .trimmed(let fraction, _): dropped = Int(fraction * Double(values.count))
            default: dropped = (values.count - 1) / 2
            }
            let kept = sorted[dropped..<values.count - dropped]
            return kept.reduce(0, +) / Double(kept.count)
        }
        for module in cohort.shape.modules {
            let factors = try #require(result.adapter.modules[module.name])
            let last = try #require(cohort.previous.modules[module.name])
            let held = cohort.counted.compactMap { cohort.modules[$0][module.name] }
            for component in 0..<module.maximumRank {
                let holders = held.filter { $0.rank > component }
                for column in 0..<module.inputs {
                    let place = component * module.inputs + column
                    let wanted = expected(holders.map { $0.a[component][column] }, Double(last.a[place]))
                    #expect(abs(Double(factors.a[place]) - wanted) < 1e-6, "A \(component) \(column)")
                }
                for row in 0..<module.outputs {
                    let place = component * module.outputs + row
                    let values = holders.map {
                        cohort.scale($0.rank) / cohort.scale(module.maximumRank) * $0.b[row][component]
                    }
                    let wanted = expected(values, Double(last.b[place]))
                    #expect(abs(Double(factors.b[place]) - wanted) < 1e-5, "B \(component) \(row)")
                }
            }
        }
        let held = cohort.counted.compactMap { cohort.dense[$0]["head"] }
        for place in 0..<15 {
            let wanted = expected(held.map { $0[place] }, 0)
            #expect(abs(Double(result.adapter.dense["head"]?[place] ?? 0) - wanted) < 1e-6)
        }
    }

    @Test(arguments: [(12, 6), (45, 40)], [FactorSet.both, .a, .b])
    func `pairs of updates have the distances and products of their dense products`(
        size: (clients: Int, rank: Int), factors: FactorSet
    ) throws {
        let cohort = try RobustCohort(clients: size.clients, rank: size.rank)
        let members = try cohort.contributions.map {
            Cohort.Member(contribution: $0, file: AdapterIndex(try $0.open(), of: cohort.shape))
        }
        let earlier = EarlierAdapter(previous: cohort.previous, initial: nil)
        func pairs(isCut: Bool) throws -> UpdatePairs {
            try ProductPairs(
                shape: cohort.shape, scaling: cohort.scaling, factors: factors, isCut: isCut, threads: 2
            ).pairs(of: members, after: earlier)
        }
        let (cut, whole) = (try pairs(isCut: true), try pairs(isCut: false))
        func dot(_ one: [[Double]], _ other: [[Double]]) -> Double {
            zip(one, other).reduce(0) { $0 + zip($1.0, $1.1).reduce(0) { $0 + $1.0 * $1.1 } }
        }
        let all = members.indices.map { cohort.parts($0, with: nil, factors) }
        for one in members.indices.prefix(20) {
            for other in members.indices where other <= one || other > 40 {
                let (x, y) = (cohort.parts(one, with: other, factors), cohort.parts(other, with: one, factors))
                let (ofX, ofY) = (dot(x, x), dot(y, y))
                let wanted = one == other ? 0 : x.isEmpty ? .infinity : (ofX + ofY - 2 * dot(x, y)) / (ofX + ofY)
                let distance = cut.relativeDistance(one, other)
                #expect(distance == wanted || abs(distance - wanted) < 1e-9, "\(one) \(other)")
                let product = dot(all[one], all[other])
                let size = (dot(all[one], all[one]) * dot(all[other], all[other])).squareRoot()
                #expect(abs(whole.products[one * members.count + other] - product) <= 1e-9 * size, "\(one) \(other)")
            }
        }
    }

    @Test func `krum keeps the updates that are nearest to the others, and names the rest`() throws {
        let cohort = try RobustCohort(clients: 12, rank: 6)
        let (_, report) = try cohort.round("rbla", .krum(byzantine: 2, keep: 3))
        let counted = cohort.counted
        let scores = counted.map { one in
            counted.filter { $0 != one }.map { other -> Double in
                let (x, y) = (cohort.parts(one, with: other, .both), cohort.parts(other, with: one, .both))
                let norm = (x + y).joined().reduce(0) { $0 + $1 * $1 }
                let distance = zip(x.joined(), y.joined()).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                return x.isEmpty ? .infinity : distance / norm
            }.sorted().prefix(counted.count - 4).reduce(0, +)
        }
        let kept = Set(counted.indices.sorted { scores[$0] < scores[$1] }.prefix(3).map { counted[$0] })
        let leftOut = counted.filter { !kept.contains($0) }.map { cohort.contributions[$0].client }
        #expect(report.leftOut.map(\.client) == leftOut)
        #expect(report.leftOut.allSatisfy { $0.reason.hasPrefix("update.krum: ") })
        #expect(report.notes == ["krum: 1 updates of 0 samples take no part"])
    }

    @Test func `krum withstands fewer where updates are missing, and says so`() throws {
        let cohort = try RobustCohort(clients: 6, rank: 3)
        let (_, report) = try cohort.round("rbla", .krum(byzantine: 2, keep: 1))
        #expect(report.leftOut.count == 5)
        #expect(report.notes == ["krum: 6 updates take part, which withstand 1 hostile ones, not 2"])
    }

    @Test(arguments: ["samples", "uniform", "norm"])
    func `the geometric median weighs as its steps on dense products do`(weighting: String) throws {
        let cohort = try RobustCohort(clients: 12, rank: 6)
        let counted = cohort.counted
        let points = counted.map { Array(cohort.parts($0, with: nil, .both).joined()) }
        let own = counted.map { client in
            switch weighting {
            case "samples": Double(cohort.contributions[client].samples)
            case "norm":
                (cohort.parts(client, with: nil, .both).prefix(3).joined().reduce(0) { $0 + $1 * $1 }).squareRoot()
            default: 1.0
            }
        }
        var shares = own.map { $0 / own.reduce(0, +) }
        for _ in 0..<4 {
            let centre = points[0].indices.map { place in zip(shares, points).reduce(0) { $0 + $1.0 * $1.1[place] } }
            let distances = points.map { zip($0, centre).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot() }
            let median = distances.median
            let next = zip(own, distances).map { $0 / max(1e-6 * median, $1) }
            shares = next.map { $0 / next.reduce(0, +) }
        }
        let (result, _) = try cohort.round(
            "zeropad", .geometricMedian(iterations: 4, floor: 1e-6), weighting: weighting)
        let held = zip(counted, shares).compactMap { client, share in cohort.dense[client]["head"].map { ($0, share) } }
        let total = held.reduce(0) { $0 + $1.1 }
        for place in 0..<15 {
            let wanted = held.reduce(0) { $0 + $1.0[place] * $1.1 / total }
            #expect(abs(Double(result.adapter.dense["head"]?[place] ?? 0) - wanted) < 1e-6)
        }
    }

    @Test func `clipping shortens long steps to the norm, and weighs afterwards`() throws {
        let cohort = try RobustCohort(clients: 12, rank: 6)
        let counted = cohort.counted
        // One long list of numbers for each update: its step, with zeros for what it does not hold.
        func last(_ module: ModuleShape) throws -> RobustCohort.Factors {
            let factors = try #require(cohort.previous.modules[module.name])
            return .init(
                a: (0..<6).map { row in (0..<module.inputs).map { Double(factors.a[row * module.inputs + $0]) } },
                b: (0..<module.outputs).map { row in (0..<6).map { Double(factors.b[$0 * module.outputs + row]) } })
        }
        func step(_ client: Int) throws -> [String: RobustCohort.Factors] {
            try Dictionary(
                uniqueKeysWithValues: cohort.shape.modules.compactMap { module in
                    guard let own = cohort.modules[client][module.name] else { return nil }
                    let last = try last(module)
                    let ratio = cohort.scale(own.rank) / cohort.scale(6)
                    return (
                        module.name,
                        RobustCohort.Factors(
                            a: zip(own.a, last.a).map { zip($0, $1).map { $0 - $1 } },
                            b: zip(own.b, last.b).map { zip($0, $1).map { ratio * $0 - $1 } })
                    )
                })
        }
        let head = try #require(cohort.previous.dense["head"]).map { Double($0) }
        let steps = try counted.map { try step($0) }
        let norms = zip(counted, steps).map { client, step in
            let factors = step.values.flatMap { ($0.a + $0.b).joined() }
            let dense = cohort.dense[client]["head"].map { zip($0, head).map { $0 - $1 } } ?? []
            return (factors + dense).reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
        let (result, report) = try cohort.round("zeropad", .clip(norm: nil), weighting: "norm")
        let shares = norms.map { min(1, norms.median / $0) }
        #expect(report.notes.last?.hasPrefix("clip: \(shares.count { $0 < 1 }) of 11 updates") == true)
        var clipped: [[String: RobustCohort.Factors]] = []
        for (step, share) in zip(steps, shares) {
            var own = step
            for module in cohort.shape.modules where step[module.name] != nil {
                let last = try last(module)
                own[module.name]?.a = zip(last.a, step[module.name]?.a ?? []).map {
                    zip($0, $1).map { $0 + share * $1 }
                }
                own[module.name]?.b = zip(last.b, step[module.name]?.b ?? []).map {
                    zip($0, $1).map { $0 + share * $1 }
                }
            }
            clipped.append(own)
        }
        let weights = clipped.map { update in
            update.values.flatMap { $0.product(scale: cohort.scale(6), cut: 6) }.reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
        for module in cohort.shape.modules {
            let factors = try #require(result.adapter.modules[module.name])
            let held = zip(clipped, weights).compactMap { own, weight in own[module.name].map { ($0, weight) } }
            let total = held.reduce(0) { $0 + $1.1 }
            for component in 0..<6 {
                for column in 0..<module.inputs {
                    let wanted = held.filter { $0.0.rank > component }
                        .reduce(0) { $0 + $1.0.a[component][column] * $1.1 / total }
                    #expect(abs(Double(factors.a[component * module.inputs + column]) - wanted) < 2e-6)
                }
                for row in 0..<module.outputs {
                    let wanted = held.filter { $0.0.rank > component }
                        .reduce(0) { $0 + $1.0.b[row][component] * $1.1 / total }
                    #expect(abs(Double(factors.b[component * module.outputs + row]) - wanted) < 2e-6)
                }
            }
        }
        // Nobody has an earlier value of this tensor, so it stays as it came.
        let new = zip(counted, weights).compactMap { client, weight in cohort.dense[client]["new"].map { ($0, weight) }
        }
        for place in 0..<4 {
            let wanted = new.reduce(0) { $0 + $1.0[place] * $1.1 } / new.reduce(0) { $0 + $1.1 }
            #expect(abs(Double(result.adapter.dense["new"]?[place] ?? 0) - wanted) < 1e-6)
        }
    }

    @Test(arguments: rules, ["rbla", "ffa", "rolora"])
    func `a rule gives the same bytes on any number of threads and in any order`(rule: RobustRule, strategy: String)
        throws
    {
        let cohort = try RobustCohort(clients: 13, rank: 6)
        for round in 1...2 {
            let reference = try cohort.round(strategy, rule, round: round, threads: 1)
            for threads in [2, 3] {
                let again = try cohort.round(strategy, rule, round: round, threads: threads)
                #expect(again == reference)
            }
            let frozen =
                strategy == "rbla" ? [] : strategy == "ffa" || round == 1 ? [\ModuleFactors.a] : [\ModuleFactors.b]
            for module in cohort.shape.modules {
                for factor in frozen {
                    #expect(
                        reference.0.adapter.modules[module.name]?[keyPath: factor]
                            == cohort.previous.modules[module.name]?[keyPath: factor])
                }
            }
        }
    }

    @Test func `the round says which rows stay, and where nothing is dropped`() throws {
        let cohort = try RobustCohort(clients: 5, rank: 4)
        let (result, report) = try cohort.round("rbla", .trimmed(fraction: 0.2, holders: 4))
        #expect(report.notes.count == 2)
        #expect(report.notes.first?.contains("fewer than 4 updates hold these, which stay as they were: m0") == true)
        #expect(report.notes.last?.contains("none is dropped (t = 0)") == true)
        // Four of five hold `new`; three hold `head`, which keeps its earlier value.
        #expect(result.adapter.dense["head"] == cohort.previous.dense["head"])
        let (without, _) = try cohort.round("rbla", .median(holders: 5))
        #expect(without.adapter.dense["new"] == nil, "nobody has an earlier value")
    }

    @Test func `rules are refused by name where they or their parameters do not go`() throws {
        #expect(throws: StrategyError.unknownRule("mean")) { try RobustRule(named: "mean") }
        #expect(throws: StrategyError.unknownParameter(strategy: "median", name: "fraction", known: ["holders"])) {
            try RobustRule(named: "median", parameters: ["fraction": .number(0.2)])
        }
        for (name, parameters) in [
            ("trimmed", ["fraction": ParameterValue.number(0.5)]), ("trimmed", ["holders": .number(0)]), ("krum", [:]),
            ("krum", ["byzantine": .number(1.5)]), ("krum", ["byzantine": .number(1), "keep": .number(0)]),
            ("clip", ["norm": .number(0)]), ("geometric-median", ["floor": .number(0)]),
            ("geometric-median", ["iterations": .number(-1)]),
        ] {
            #expect(throws: StrategyError.self) { try RobustRule(named: name, parameters: parameters) }
        }
        for name in Strategy.names where !Strategy.namesWithRules.contains(name) {
            #expect(throws: StrategyError.robust(strategy: name, rule: "median")) {
                try Strategy(named: name, robust: .median(holders: 3))
            }
        }
        #expect(Strategy.namesWithRules == ["fedavg", "ffa", "hetlora", "rbla", "rolora", "zeropad"])
        #expect(throws: StrategyError.self) { try Strategy(named: "rbla", sum: .exact, robust: .median(holders: 3)) }
    }
}
