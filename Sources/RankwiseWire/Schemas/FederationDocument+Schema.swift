extension FederationDocument: Described {
    package static var schema: Schema { object("Settings", adapter: Adapter.schema, isModelRequired: false) }

    /// The settings as a server answers them: all keys are there.
    static var answered: Schema {
        .object(
            "AnsweredSettings", "A federation's settings with all defaults.",
            CodingKeys.allCases.map { key in
                switch key {
                case .id: .required(key, .name)
                case .seed: .required(key, .integer())
                case .robust: .optional(key, .freeObject, "As in Settings, where there is a rule.")
                case .evaluation: .optional(key, .freeObject, "As in Settings.")
                default: .required(key, .freeObject, "As in Settings.")
                }
            })
    }

    private static func object(_ name: String, adapter: Schema, isModelRequired: Bool) -> Schema {
        .object(
            name, "The settings of a federation; docs/operating.md explains them.", isClosed: true,
            example: [
                "id": "digits", "base_model": ["name": "mlp-64-200-200-10", "seed": 7],
                "adapter": ["max_rank": 8, "modules": ["fc1": ["in": 64, "out": 200]]],
                "strategy": ["name": "rbla"], "round": ["total": 20, "min_updates": 3],
            ],
            [
                .required(CodingKeys.id, .name), .required(CodingKeys.adapter, adapter),
                .optional(CodingKeys.baseModel, BaseModel.schema.orNull, "Required unless a template gives it."),
                .optional(CodingKeys.strategy, Strategy.schema.orNull),
                .optional(CodingKeys.server, Server.schema.orNull),
                .optional(CodingKeys.robust, Robust.schema.orNull, "What withstands wrong or hostile updates."),
                .optional(CodingKeys.round, Round.schema.orNull), .optional(CodingKeys.limits, Limits.schema.orNull),
                .optional(CodingKeys.retention, Retention.schema.orNull),
                .optional(CodingKeys.training, .freeObject.orNull, "Passed to the clients unread."),
                .optional(CodingKeys.seed, .integer().orNull),
                .optional(CodingKeys.evaluation, Evaluation.schema.orNull),
            ])
    }
}

extension FederationDocument.BaseModel: Described {
    package static var schema: Schema {
        .object(
            "BaseModel", "The frozen model that every client adapts.", isClosed: true,
            [
                .required(CodingKeys.name, .text), .optional(CodingKeys.seed, .integer().orNull),
                .optional(CodingKeys.sha256, .string(pattern: "^[0-9a-f]{64}$").orNull),
            ])
    }
}

extension FederationDocument.Adapter: Described {
    package static var schema: Schema {
        .object(
            "AdapterSettings", "The adapter's shape, or a template in its place.", isClosed: true,
            [
                .optional(CodingKeys.maxRank, .integer(from: 1).orNull, "Required unless a template gives it."),
                .optional(CodingKeys.scaling, FederationDocument.Scaling.schema.orNull),
                .optional(CodingKeys.dtype, .choice(["F32", "F16", "BF16"]).orNull),
                .optional(
                    CodingKeys.modules, .map(of: FederationDocument.Module.schema).orNull,
                    "By PEFT's module path; required unless a template gives them."),
                .optional(
                    CodingKeys.dense, .map(of: FederationDocument.Dense.schema).orNull, "Tensors beside the factors."),
                .optional(CodingKeys.messageBits, .integer(from: 4, to: 8).orNull, "8 or 4."),
                .optional(CodingKeys.config, .freeObject.orNull, "Keys of PEFT's adapter_config.json."),
                .optional(CodingKeys.template, .boolean.orNull),
            ])
    }
}

extension FederationDocument.Scaling: Described {
    package static var schema: Schema {
        .object(
            "Scaling", "How a factor's product is scaled: constant by value, lora and rslora by alpha.", isClosed: true,
            [
                .required(CodingKeys.mode, .choice(["constant", "lora", "rslora"])),
                .optional(CodingKeys.value, .number.orNull), .optional(CodingKeys.alpha, .number.orNull),
            ])
    }
}

extension FederationDocument.Module: Described {
    package static var schema: Schema {
        .object(
            "Module", "One adapted layer: linear, convolution, embedding, or a parameter of experts.", isClosed: true,
            [
                .required(CodingKeys.inputs, .integer(from: 1)), .required(CodingKeys.outputs, .integer(from: 1)),
                .optional(CodingKeys.maxRank, .integer(from: 1).orNull),
                .optional(CodingKeys.kernel, .list(of: .integer(from: 1)).orNull, "Height and width."),
                .optional(CodingKeys.embedding, .boolean.orNull), .optional(CodingKeys.bias, .boolean.orNull),
                .optional(CodingKeys.alpha, .number.orNull), .optional(CodingKeys.experts, .integer(from: 1).orNull),
            ])
    }
}

extension FederationDocument.Dense: Described {
    package static var schema: Schema {
        .either(
            .list(of: .integer(from: 1), atLeast: 1),
            .object(
                "Dense", "A tensor beside the factors.", isClosed: true,
                [
                    .required(CodingKeys.shape, .list(of: .integer(from: 1), atLeast: 1)),
                    .optional(CodingKeys.initial, FederationDocument.InitialValues.schema.orNull),
                ]))
    }
}

extension FederationDocument.InitialValues: Described {
    private enum Key: String, CodingKey { case normal }

    package static var schema: Schema {
        .either(
            .choice(["base", "zeros", "ones"]),
            .object(
                "NormalValues", "Values drawn around 0.", isClosed: true,
                [.required(Key.normal, .number(from: 0, isOpen: true), "The standard deviation.")]))
    }
}

extension FederationDocument.Strategy: Described {
    private enum Key: String, CodingKey { case name, weighting, sum }

    package static var schema: Schema {
        .object(
            "Strategy", "How updates become an adapter; a strategy's own parameters stand beside these keys.",
            [
                .optional(Key.name, .text, "rbla where it is missing; GET /v1/server lists all."),
                .optional(Key.weighting, .text.orNull), .optional(Key.sum, .choice(["float", "exact"]).orNull),
            ])
    }
}

extension FederationDocument.Robust: Described {
    private enum Key: String, CodingKey { case rule }

    package static var schema: Schema {
        .object(
            "Robust", "A rule that withstands wrong or hostile updates; its own parameters stand beside its name.",
            [.required(Key.rule, .choice(["trimmed", "median", "krum", "geometric-median", "clip"]))])
    }
}

extension FederationDocument.Server: Described {
    package static var schema: Schema {
        .object(
            "ServerOptimizer", "What the server does with a round's mean before it publishes it.", isClosed: true,
            [
                .optional(CodingKeys.optimizer, .choice(["none", "momentum", "adam", "yogi", "adagrad"]).orNull),
                .optional(CodingKeys.learningRate, .number(from: 0, isOpen: true).orNull),
            ])
    }
}

extension FederationDocument.Round: Described {
    package static var schema: Schema {
        .object(
            "RoundPolicy", "When a round opens, whom it selects, and when it closes.", isClosed: true,
            [
                .optional(CodingKeys.total, .integer(from: 1).orNull),
                .optional(CodingKeys.minClients, .integer(from: 1).orNull),
                .optional(CodingKeys.minUpdates, .integer(from: 1).orNull),
                .optional(CodingKeys.targetUpdates, .integer(from: 1).orNull),
                .optional(CodingKeys.deadlineSeconds, .number(from: 0, isOpen: true).orNull),
                .optional(CodingKeys.onMissedQuorum, .choice(["extend", "abandon"]).orNull),
                .optional(CodingKeys.selection, FederationDocument.Selection.schema.orNull),
                .optional(CodingKeys.seenSeconds, .number(from: 0, isOpen: true).orNull),
                .optional(CodingKeys.minCoverage, .integer(from: 1).orNull),
                .optional(CodingKeys.buffer, .integer(from: 1).orNull, "Makes the federation asynchronous."),
                .optional(CodingKeys.stalenessExponent, .number(from: 0).orNull),
                .optional(CodingKeys.maxStaleness, .integer().orNull),
            ])
    }
}

extension FederationDocument.Selection: Described {
    package static var schema: Schema {
        .object(
            "Selection", "By count, or else by fraction, of the clients seen lately.", isClosed: true,
            [
                .optional(CodingKeys.fraction, .number(from: 0, to: 1).orNull),
                .optional(CodingKeys.over, .number(from: 0).orNull),
                .optional(CodingKeys.count, .integer(from: 1).orNull),
                .optional(CodingKeys.policy, .choice(["uniform", "samples", "least_recent"]).orNull),
            ])
    }
}

extension FederationDocument.Limits: Described {
    package static var schema: Schema {
        .object(
            "Limits", "Bounds on what clients may send.", isClosed: true,
            [
                .optional(CodingKeys.maxClients, .integer(from: 1).orNull),
                .optional(CodingKeys.maxSamples, .integer(from: 1).orNull),
                .optional(CodingKeys.maxNorm, .number(from: 0, isOpen: true).orNull),
                .optional(CodingKeys.maxNormOverMedian, .number(from: 0, isOpen: true).orNull),
                .optional(CodingKeys.maxFactorOverMedian, .number(from: 0, isOpen: true).orNull),
            ])
    }
}

extension FederationDocument.Retention: Described {
    package static var schema: Schema {
        .object(
            "Retention", "Which rounds' adapters are kept.", isClosed: true,
            [.optional(CodingKeys.adapters, .either(.choice(["all"]), Some.schema).orNull)])
    }
}

extension FederationDocument.Retention.Some: Described {
    package static var schema: Schema {
        .object(
            "KeptAdapters", "The last ones, the best one, and every so many.", isClosed: true,
            [
                .optional(CodingKeys.last, .integer().orNull), .optional(CodingKeys.best, .boolean.orNull),
                .optional(CodingKeys.every, .integer(from: 1).orNull),
            ])
    }
}
