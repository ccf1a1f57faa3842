extension FederationDocument.Evaluation: Described {
    package static var schema: Schema {
        .object(
            "EvaluationSettings", "How clients score published adapters on examples that they do not train on.",
            isClosed: true,
            [
                .optional(CodingKeys.every, .integer(from: 1).orNull),
                .optional(CodingKeys.fraction, .number(from: 0, to: 1).orNull),
                .optional(CodingKeys.holdout, .number(from: 0, to: 0.9, isOpen: true).orNull),
                .optional(CodingKeys.deadlineSeconds, .number(from: 0, isOpen: true).orNull),
                .optional(CodingKeys.best, Best.schema.orNull),
                .optional(CodingKeys.patience, .integer(from: 1).orNull, "Ends the federation early."),
                .optional(CodingKeys.plateau, Plateau.schema.orNull),
            ])
    }
}

extension FederationDocument.Evaluation.Best: Described {
    package static var schema: Schema {
        .object(
            "BestMetric", "The metric by which rounds are compared.", isClosed: true,
            [
                .required(CodingKeys.metric, .string(pattern: "^[a-z][a-z0-9_]{0,31}$")),
                .optional(CodingKeys.mode, .choice(["max", "min"]).orNull),
            ])
    }
}

extension FederationDocument.Evaluation.Plateau: Described {
    package static var schema: Schema {
        .object(
            "Plateau", "Lowers the server's learning rate where rounds no longer get better.", isClosed: true,
            [
                .required(CodingKeys.patience, .integer(from: 1)),
                .optional(CodingKeys.factor, .number(from: 0, to: 1, isOpen: true).orNull),
            ])
    }
}

extension EvaluationBody: Described {
    package static var schema: Schema {
        .object(
            "Evaluation", "What a client found when it scored a round's adapter.", isClosed: true,
            example: ["samples": 120, "metrics": ["accuracy": 1]],
            [
                .required(CodingKeys.samples, .integer(), "0 where the client has no held-out examples."),
                .optional(CodingKeys.metrics, .map(of: .number).orNull, "At most 16, by name."),
            ])
    }
}

extension EvaluationReceiptBody: Described {
    private enum Key: String, CodingKey { case round, received }

    package static var schema: Schema {
        .object(
            "EvaluationReceipt", "The server holds the answer.",
            [.required(Key.round, .integer()), .required(Key.received, .integer())])
    }
}

extension EvaluationsBody: Described {
    private enum Key: String, CodingKey { case evaluations, next }

    package static var schema: Schema {
        .object(
            "Evaluations", "Some of the clients of an evaluation.",
            [
                .required(Key.evaluations, .list(of: Client.schema)),
                .optional(Key.next, .name, "Pass it as after for the next ones."),
            ])
    }
}

extension EvaluationsBody.Client: Described {
    package static var schema: Schema {
        .object(
            "ClientEvaluation", "What one client found.",
            [
                .required(CodingKeys.client, .name),
                .required(
                    CodingKeys.state, .choice(["awaited", "answered", "without_data", "left", "missed"])),
                .required(CodingKeys.rank, .integer(from: 1)), .optional(CodingKeys.samples, .integer()),
                .optional(CodingKeys.metrics, .map(of: .number)), .optional(CodingKeys.receivedAt, .time),
                .optional(CodingKeys.refusal, .text),
            ])
    }
}

extension RoundBody.Evaluation: Described {
    package static var schema: Schema {
        .object(
            "RoundEvaluation", "The evaluation of the round's adapter by clients.",
            [
                .required(CodingKeys.state, .choice(["open", "closed"])), .required(CodingKeys.openedAt, .time),
                .required(CodingKeys.deadlineAt, .time), .optional(CodingKeys.closedAt, .time),
                .required(CodingKeys.selected, .integer()), .required(CodingKeys.received, .integer()),
                .required(CodingKeys.withoutData, .integer()), .required(CodingKeys.refused, .integer()),
                .required(CodingKeys.samples, .integer()),
                .required(CodingKeys.metrics, .map(of: Metric.schema), "Empty while it is open."),
            ])
    }
}

extension RoundBody.Evaluation.Metric: Described {
    package static var schema: Schema {
        .object(
            "MetricFigures", "One metric over clients.",
            [
                .required(CodingKeys.clients, .integer()),
                .required(CodingKeys.mean, .number, "Weighted by samples."), .required(CodingKeys.median, .number),
                .required(CodingKeys.worstDecile, .number, "The mean of the worst tenth of the clients."),
                .required(CodingKeys.byRank, .map(of: RoundBody.Evaluation.Class.schema)),
            ])
    }
}

extension RoundBody.Evaluation.Class: Described {
    private enum Key: String, CodingKey { case clients, samples, mean, worst }

    package static var schema: Schema {
        .object(
            "RankFigures", "One metric over the clients of a rank.",
            [
                .required(Key.clients, .integer()), .required(Key.samples, .integer()), .required(Key.mean, .number),
                .required(Key.worst, .number),
            ])
    }
}

extension FederationBody.Standing: Described {
    package static var schema: Schema {
        .object(
            "EvaluationStanding", "What the evaluations so far have led to.",
            [
                .optional(CodingKeys.best, Best.schema), .required(CodingKeys.roundsWithoutImprovement, .integer()),
                .required(CodingKeys.learningRate, .number), .optional(CodingKeys.stoppedFor, .text),
            ])
    }
}

extension FederationBody.Standing.Best: Described {
    private enum Key: String, CodingKey { case round, metric, value }

    package static var schema: Schema {
        .object(
            "BestRound", "The best evaluated round.",
            [
                .required(Key.round, .integer()), .required(Key.metric, .text), .required(Key.value, .number),
            ])
    }
}

extension PlanBody.Evaluate: Described {
    package static var schema: Schema {
        .object(
            "EvaluationTask", "Asks the client to score the plan's adapter on held-out examples.",
            [
                .required(CodingKeys.round, .integer()), .required(CodingKeys.deadlineAt, .time),
                .required(CodingKeys.href, .text, "The path to PUT the answer to."),
            ])
    }
}
