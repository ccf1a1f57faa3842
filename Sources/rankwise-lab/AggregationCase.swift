import AdapterFormat
import Aggregation
import Foundation
import RankwiseWire
import Simulation

/// One round's aggregation as described by a file, `case.json`.
struct AggregationCase: Decodable, Sendable {
    struct Update: Decodable, Sendable {
        let file: String
        let samples: Int
        let scale: Double?
        let accuracy: Double?
        let loss: Double?
        /// The number of versions since the update began.
        let staleness: Int?
        /// The highest rank in the file; the file must match it.
        let rank: Int?
        /// The client's name; its place in the case where it has none.
        let client: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case file, samples, scale, accuracy, staleness, rank, client, loss
        }

        init(
            file: String, samples: Int, scale: Double?, accuracy: Double?, loss: Double?, staleness: Int?,
            rank: Int? = nil, client: String? = nil
        ) {
            self.file = file
            self.samples = samples
            self.scale = scale
            self.accuracy = accuracy
            self.loss = loss
            self.staleness = staleness
            self.rank = rank
            self.client = client
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            self.init(
                file: try values.decode(String.self, forKey: .file),
                samples: try values.decode(Int.self, forKey: .samples),
                scale: try values.decodeIfPresent(Double.self, forKey: .scale),
                accuracy: try values.decodeIfPresent(Double.self, forKey: .accuracy),
                loss: try values.decodeIfPresent(Double.self, forKey: .loss),
                staleness: try values.decodeIfPresent(Int.self, forKey: .staleness),
                rank: try values.decodeIfPresent(Int.self, forKey: .rank),
                client: try values.decodeIfPresent(String.self, forKey: .client))
        }
    }

    struct Scale: Decodable, Sendable {
        let mode: String
        let value: Double?
        let alpha: Double?

        enum CodingKeys: String, CodingKey, CaseIterable { case mode, value, alpha }

        init(mode: String, value: Double?, alpha: Double?) {
            self.mode = mode
            self.value = value
            self.alpha = alpha
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            self.init(
                mode: try values.decode(String.self, forKey: .mode),
                value: try values.decodeIfPresent(Double.self, forKey: .value),
                alpha: try values.decodeIfPresent(Double.self, forKey: .alpha))
        }
    }

    struct Server: Decodable, Sendable {
        let optimizer: String
        let learningRate: Double?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case optimizer
            case learningRate = "learning_rate"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            optimizer = try values.decode(String.self, forKey: .optimizer)
            learningRate = try values.decodeIfPresent(Double.self, forKey: .learningRate)
        }
    }

    /// A robust rule with its parameters, which stand beside its name.
    struct Robust: Decodable, Sendable {
        let rule: String
        let parameters: [String: ParameterValue]

        init(rule: String, parameters: [String: ParameterValue]) {
            self.rule = rule
            self.parameters = parameters
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: ParameterKey.self)
            rule = try values.decode(String.self, forKey: ParameterKey(stringValue: "rule"))
            // The rule refuses what it does not know.
            parameters = try values.parameters(
                of: values.allKeys.filter { $0.stringValue != "rule" })
        }
    }

    let strategy: String
    /// R, the same for every module.
    let rank: Int
    let scaling: Scale
    /// s_R; it must match the scaling at R.
    let scale: Double?
    let weighting: String?
    /// In ascending order of client name, where they have none.
    let updates: [Update]
    let previous: String?
    let round: Int
    let seed: UInt64
    let server: Server?
    let robust: Robust?
    /// `float` (if left out) or `exact`.
    let sum: String?
    /// The federation's name, which all parts of a round share.
    let federation: String?
    /// The parameters of the strategy.
    let parameters: [String: ParameterValue]
    /// The folder to which the paths are relative.
    var folder = FileManager.default.currentDirectoryPath

    enum CodingKeys: String, CodingKey, CaseIterable {
        case strategy, rank, scaling, scale, weighting, updates, previous, round, seed, server, robust, sum, federation
        /// The expected result and how to compare with it. The aggregation ignores these keys.
        case adapter, merge, compare
    }

    /// Keys of a case that are parameters of a strategy.
    static let parameterNames = [
        "allow_inexact", "cooling", "density", "gamma", "min_rank", "norm_share", "penalty", "residual_rank", "ridge",
        "sparse_rounds", "warmup_rounds",
    ]

    init(path: String) throws {
        let url = URL(filePath: path)
        let text = try Data(contentsOf: url)
        do throws(WireError) {
            self = try WireJSON.decodeStrictly(AggregationCase.self, from: text)
        } catch {
            throw CaseError("\(path): \(error)")
        }
        folder = url.deletingLastPathComponent().path
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let further = try decoder.container(keyedBy: ParameterKey.self)
        let known = CodingKeys.allCases.map(\.stringValue) + Self.parameterNames
        for key in further.allKeys.map(\.stringValue).sorted() where !known.contains(key) {
            throw WireError(
                path: key, reason: "is not a known key; expected one of \(known.sorted().joined(separator: ", "))")
        }
        strategy = try values.decode(String.self, forKey: .strategy)
        rank = try values.decode(Int.self, forKey: .rank)
        scaling = try values.decode(Scale.self, forKey: .scaling)
        scale = try values.decodeIfPresent(Double.self, forKey: .scale)
        for key in [CodingKeys.adapter, .merge, .compare] { _ = try values.decodeIfPresent(String.self, forKey: key) }
        weighting = try values.decodeIfPresent(String.self, forKey: .weighting)
        updates = try values.decode([Update].self, forKey: .updates)
        previous = try values.decodeIfPresent(String.self, forKey: .previous)
        round = try values.decodeIfPresent(Int.self, forKey: .round) ?? 1
        seed = try values.decodeIfPresent(UInt64.self, forKey: .seed) ?? 0
        server = try values.decodeIfPresent(Server.self, forKey: .server)
        robust = try values.decodeIfPresent(Robust.self, forKey: .robust)
        sum = try values.decodeIfPresent(String.self, forKey: .sum)
        federation = try values.decodeIfPresent(String.self, forKey: .federation)
        parameters = try further.parameters(
            of: further.allKeys.filter { Self.parameterNames.contains($0.stringValue) })
    }

    init(
        strategy: String, rank: Int, scaling: Scale, weighting: String?, updates: [Update], previous: String?,
        round: Int, seed: UInt64, server: Server?, robust: Robust? = nil, sum: String?,
        parameters: [String: ParameterValue]
    ) {
        self.strategy = strategy
        self.rank = rank
        self.scaling = scaling
        scale = nil
        self.weighting = weighting
        self.updates = updates
        self.previous = previous
        self.round = round
        self.seed = seed
        self.server = server
        self.robust = robust
        self.sum = sum
        federation = nil
        self.parameters = parameters
    }

    fileprivate struct ParameterKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension KeyedDecodingContainer<AggregationCase.ParameterKey> {
    /// Numbers, booleans and nulls by name.
    fileprivate func parameters(of keys: [Key]) throws -> [String: ParameterValue] {
        var parameters: [String: ParameterValue] = [:]
        for key in keys {
            if let flag = try? decode(Bool.self, forKey: key) {
                parameters[key.stringValue] = .flag(flag)
            } else if try decodeNil(forKey: key) {
                parameters[key.stringValue] = .null
            } else {
                parameters[key.stringValue] = .number(try decode(Double.self, forKey: key))
            }
        }
        return parameters
    }
}

/// Why a case is invalid, in words.
struct CaseError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
