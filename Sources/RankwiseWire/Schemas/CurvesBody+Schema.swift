extension CurvesBody: Described {
    private enum Key: String, CodingKey { case rounds }

    package static var schema: Schema {
        .object(
            "Curves", "The figures of many rounds, the newest first.",
            [.required(Key.rounds, .list(of: Round.schema))])
    }
}

extension CurvesBody.Round: Described {
    package static var schema: Schema {
        .object(
            "CurvesRound", "The figures of one round.",
            [
                .required(CodingKeys.round, .integer()), .required(CodingKeys.phase, .choice(RoundBody.phases)),
                .required(CodingKeys.openedAt, .time), .optional(CodingKeys.closedAt, .time),
                .optional(CodingKeys.seconds, .number, "From its opening to its close."),
                .required(CodingKeys.selected, .integer()), .required(CodingKeys.received, .integer()),
                .required(CodingKeys.refused, .integer()),
                .optional(CodingKeys.loss, .number, "The mean of what clients measured, weighted by samples."),
                .optional(CodingKeys.accuracy, .number),
                .optional(CodingKeys.updateBytes, .integer(), "The total length of the updates."),
                .optional(CodingKeys.adapterBytes, .integer(), "The length of the published adapter."),
                .optional(CodingKeys.ranks, .map(of: .integer()), "How many updates that count have each rank."),
                .optional(CodingKeys.norms, CurvesBody.Range.schema),
                .optional(CodingKeys.evaluated, .map(of: .number), "What clients found, by metric."),
            ])
    }
}

extension CurvesBody.Range: Described {
    private enum Key: String, CodingKey { case low, median, high }

    package static var schema: Schema {
        .object(
            "NormRange", "The norms of the updates that count.",
            [.required(Key.low, .number), .required(Key.median, .number), .required(Key.high, .number)])
    }
}

extension CoverageBody: Described {
    private enum Key: String, CodingKey { case round, updates, modules }

    package static var schema: Schema {
        .object(
            "Coverage", "How many updates reach each rank component of every module.",
            [
                .required(Key.round, .integer()), .required(Key.updates, .integer(), "How many updates count."),
                .required(Key.modules, .map(of: Module.schema)),
            ])
    }
}

extension CoverageBody.Module: Described {
    package static var schema: Schema {
        .object(
            "ModuleCoverage", "The components of a module, from the first to the last.",
            [
                .required(CodingKeys.maxRank, .integer(from: 1)),
                .required(CodingKeys.steps, .list(of: CoverageBody.Step.schema)),
            ])
    }
}

extension CoverageBody.Step: Described {
    private enum Key: String, CodingKey { case through, updates }

    package static var schema: Schema {
        .object(
            "CoverageStep", "Components in a row that the same number of updates reach.",
            [
                .required(Key.through, .integer(from: 1), "The last component, from 1."),
                .required(Key.updates, .integer()),
            ])
    }
}
