extension RoundBody: Described {
    package static let phases = ["waiting", "collecting", "aggregating", "published", "failed"]

    package static var schema: Schema {
        .object(
            "Round", "One round; in a list of rounds, without updates and refusals.",
            [
                .required(CodingKeys.federation, .name),
                .required(CodingKeys.round, .integer(), "0 before round 1 opens."),
                .required(CodingKeys.phase, .choice(phases)),
                .optional(CodingKeys.reason, .text, "Why the round failed."),
                .required(CodingKeys.revision, .integer()), .required(CodingKeys.strategy, .text),
                .required(CodingKeys.openedAt, .time.orNull), .required(CodingKeys.deadlineAt, .time.orNull),
                .required(CodingKeys.closedAt, .time.orNull), .required(CodingKeys.selected, .integer()),
                .required(CodingKeys.received, .integer()), .required(CodingKeys.refused, .integer()),
                .required(CodingKeys.minUpdates, .integer()), .optional(CodingKeys.minCoverage, .integer()),
                .optional(CodingKeys.coverage, .integer()), .optional(CodingKeys.buffer, .integer()),
                .required(CodingKeys.awaited, .list(of: .name), "Clients that have not answered."),
                .optional(CodingKeys.updates, .list(of: Update.schema), "The first 1000."),
                .optional(CodingKeys.updatesNext, .name, "Pass it as after to …/updates for the next ones."),
                .optional(CodingKeys.refusals, .list(of: Refusal.schema)),
                .required(CodingKeys.decisions, .list(of: Decision.schema)),
                .required(CodingKeys.metrics, Metrics.schema), .required(CodingKeys.adapter, Adapter.schema.orNull),
                .optional(CodingKeys.evaluation, Evaluation.schema, "How clients find the adapter."),
            ])
    }
}

extension RoundBody.Update: Described {
    package static var schema: Schema {
        .object(
            "Update", "A client's update in a round.",
            [
                .required(CodingKeys.client, .name),
                .required(CodingKeys.status, .choice(["accepted", "left_out", "lost", "taken_back"])),
                .optional(CodingKeys.reason, .text), .required(CodingKeys.rank, .integer()),
                .required(CodingKeys.samples, .integer()), .required(CodingKeys.digest, .digest),
                .required(CodingKeys.bytes, .integer()), .required(CodingKeys.receivedAt, .time),
                .required(CodingKeys.metrics, RoundBody.Metrics.schema),
                .optional(CodingKeys.norm, .number(from: 0)),
                .optional(CodingKeys.staleness, .integer()),
            ])
    }
}

extension RoundBody.Refusal: Described {
    private enum Key: String, CodingKey { case client, at, code, detail, count }

    package static var schema: Schema {
        .object(
            "Refusal", "Why a client's update was refused, and how often.",
            [
                .required(Key.client, .name), .required(Key.at, .time), .required(Key.code, .text),
                .required(Key.detail, .text), .required(Key.count, .integer(from: 1)),
            ])
    }
}

extension RoundBody.Decision: Described {
    private enum Key: String, CodingKey { case at, kind, client, reason }

    package static var schema: Schema {
        .object(
            "Decision", "A decision about a round, as in the audit log.",
            [
                .required(Key.at, .time), .required(Key.kind, .text), .optional(Key.client, .name),
                .optional(Key.reason, .text),
            ])
    }
}

extension RoundBody.Metrics: Described {
    private enum Key: String, CodingKey { case loss, accuracy }

    package static var schema: Schema {
        .object(
            "Metrics", "A client's measurements; of a round, their means weighted by samples.",
            [.optional(Key.loss, .number), .optional(Key.accuracy, .number)])
    }
}

extension RoundBody.Adapter: Described {
    private enum Key: String, CodingKey { case digest, bytes, ranks, merge }

    package static var schema: Schema {
        .object(
            "PublishedAdapter", "What a round published.",
            [
                .required(Key.digest, .digest), .required(Key.bytes, .integer()),
                .required(Key.ranks, .map(of: .integer())),
                .required(Key.merge, .boolean, "Whether the round also adds to the base."),
            ])
    }
}

extension UpdatesBody: Described {
    private enum Key: String, CodingKey { case updates, next }

    package static var schema: Schema {
        .object(
            "Updates", "Some of a round's updates.",
            [
                .required(Key.updates, .list(of: RoundBody.Update.schema)),
                .optional(Key.next, .name, "Pass it as after for the next ones."),
            ])
    }
}

extension Problem: Described {
    private enum Key: String, CodingKey { case type, title, status, code, detail, tensor, current }

    package static var schema: Schema {
        .object(
            "Problem", "An error (RFC 9457).",
            [
                .required(Key.type, .text), .required(Key.title, .text),
                .required(Key.status, .integer(from: 400, to: 599)),
                .required(Key.code, .text, "Stable, for programs."),
                .required(Key.detail, .text, "For people: what was expected and what came."),
                .optional(Key.tensor, .text), .optional(Key.current, .integer(), "The round that collects now."),
            ])
    }
}
