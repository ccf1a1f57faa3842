extension PlanBody: Described {
    package static var schema: Schema {
        .object(
            "Plan", "The instructions for one client in a round.",
            [
                .required(CodingKeys.federation, .name), .required(CodingKeys.round, .integer()),
                .required(CodingKeys.phase, .choice(RoundBody.phases)),
                .required(CodingKeys.state, .choice(FederationBody.states)),
                .required(CodingKeys.revision, .integer()), .required(CodingKeys.client, .name),
                .required(CodingKeys.selected, .boolean), .required(CodingKeys.answered, .boolean),
                .required(CodingKeys.lost, .boolean.orNull), .required(CodingKeys.deadlineAt, .time.orNull),
                .required(CodingKeys.rank, .integer()), .required(CodingKeys.ranks, .map(of: .integer())),
                .required(CodingKeys.scales, .map(of: .number)), .required(CodingKeys.adapter, Source.schema.orNull),
                .required(CodingKeys.merge, Merge.schema.orNull), .required(CodingKeys.reinitialise, .boolean),
                .required(CodingKeys.drawn, Drawn.schema.orNull), .required(CodingKeys.seed, .integer()),
                .required(CodingKeys.federationSeed, .integer().orNull),
                .required(CodingKeys.dense, .map(of: .list(of: .integer())).orNull),
                .required(CodingKeys.train, .list(of: .choice(["A", "B"]))),
                .required(CodingKeys.send, .list(of: .choice(["A", "B"]))),
                .required(CodingKeys.penalty, .number(from: 0)),
                .required(CodingKeys.pruning, Pruning.schema.orNull),
                .required(CodingKeys.messageBits, .integer(from: 4, to: 8).orNull),
                .required(CodingKeys.stage, Stage.schema.orNull), .required(CodingKeys.training, .freeObject),
                .required(CodingKeys.update, .text, "The path to PUT the update to."),
                .required(
                    CodingKeys.comeBackSeconds, .number(from: 0).orNull,
                    "Stay away for so long, and then ask without waiting."),
                .required(
                    CodingKeys.holdout, .number(from: 0, to: 1).orNull,
                    "The share of its examples that the client never trains on."),
                .required(CodingKeys.evaluate, Evaluate.schema.orNull),
            ])
    }
}

extension PlanBody.Source: Described {
    private enum Key: String, CodingKey { case round, href }

    package static var schema: Schema {
        .object(
            "AdapterSource", "The adapter to download.",
            [.required(Key.round, .integer()), .required(Key.href, .text)])
    }
}

extension PlanBody.Merge: Described {
    package static var schema: Schema {
        .object(
            "MergeSource", "The sum of all merges of the rounds after since.",
            [
                .required(CodingKeys.round, .integer()), .required(CodingKeys.since, .integer()),
                .required(CodingKeys.href, .text),
            ])
    }
}

extension PlanBody.Drawn: Described {
    private enum Key: String, CodingKey { case factor, round, seed }

    package static var schema: Schema {
        .object(
            "DrawnFactor", "A factor that nobody trains.",
            [
                .required(Key.factor, .choice(["A", "B"])), .required(Key.round, .integer()),
                .required(Key.seed, .integer()),
            ])
    }
}

extension PlanBody.Pruning: Described {
    package static var schema: Schema {
        .object(
            "Pruning", "How a client may lower its rank.",
            [
                .required(CodingKeys.gamma, .number), .required(CodingKeys.penalty, .number),
                .required(CodingKeys.minRank, .integer()),
            ])
    }
}

extension PlanBody.Stage: Described {
    private enum Key: String, CodingKey { case name, density, seed }

    package static var schema: Schema {
        .object(
            "Stage", "What to train in place of an adapter.",
            [.required(Key.name, .text), .optional(Key.density, .number), .optional(Key.seed, .integer())])
    }
}
