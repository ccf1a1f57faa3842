extension FederationBody: Described {
    package static let states = ["draft", "waiting", "running", "paused", "finished"]

    package static var schema: Schema {
        .object(
            "Federation", "How a federation stands, with its settings.",
            [
                .required(CodingKeys.id, .name), .required(CodingKeys.state, .choice(states)),
                .required(CodingKeys.round, .integer(), "The current round; 0 before round 1 opens."),
                .required(CodingKeys.revision, .integer(), "Grows with every change."),
                .required(CodingKeys.clients, .integer(), "Registered and not revoked."),
                .required(CodingKeys.createdAt, .time), .required(CodingKeys.settings, FederationDocument.answered),
                .optional(CodingKeys.evaluation, Standing.schema),
            ])
    }
}

extension FederationOutlineBody: Described {
    package static var schema: Schema {
        .object(
            "FederationOutline", "A federation in a list with outline: without its settings.",
            [
                .required(CodingKeys.id, .name), .required(CodingKeys.state, .choice(FederationBody.states)),
                .required(CodingKeys.round, .integer(), "The current round; 0 before round 1 opens."),
                .required(CodingKeys.rounds, .integer(), "How many rounds it runs."),
                .required(CodingKeys.revision, .integer(), "Grows with every change."),
                .required(CodingKeys.clients, .integer(), "Registered and not revoked."),
                .required(CodingKeys.createdAt, .time), .required(CodingKeys.strategy, .text),
                .required(CodingKeys.baseModel, .text),
                .optional(CodingKeys.maxRank, .integer(from: 1), "Absent while its template is missing."),
                .optional(CodingKeys.open, Open.schema),
            ])
    }
}

extension FederationOutlineBody.Open: Described {
    package static var schema: Schema {
        .object(
            "OpenRound", "The numbers of the open round.",
            [
                .required(CodingKeys.phase, .choice(["collecting", "aggregating"])),
                .required(CodingKeys.deadlineAt, .time), .required(CodingKeys.selected, .integer()),
                .required(CodingKeys.received, .integer()), .required(CodingKeys.refused, .integer()),
                .required(CodingKeys.awaited, .integer(), "How many selected clients have not answered."),
                .required(CodingKeys.minUpdates, .integer()),
            ])
    }
}

extension CreatedFederationBody: Described {
    package static var schema: Schema {
        .object(
            "CreatedFederation", "A new federation's tokens, which are shown this once.",
            [
                .required(CodingKeys.id, .name), .required(CodingKeys.enrolmentToken, .text),
                .required(CodingKeys.readerToken, .text),
            ])
    }
}

extension DepartedFederationBody: Described {
    private enum Key: String, CodingKey { case id, head, events, released }

    package static var schema: Schema {
        .object(
            "DepartedFederation", "What remains of a deleted federation.",
            [
                .required(Key.id, .name), .required(Key.head, .digest, "The hash of its last event."),
                .required(Key.events, .integer()),
                .required(Key.released, .boolean, "Whether another federation may take its name."),
            ])
    }
}

extension ServerBody: Described {
    private enum Key: String, CodingKey { case version, strategies, limits }

    package static var schema: Schema {
        .object(
            "Server", "The server's version and what it can do.",
            [
                .required(Key.version, .text), .required(Key.strategies, .list(of: .text)),
                .required(Key.limits, .map(of: .integer())),
            ])
    }
}

extension EventBody: Described {
    private enum Key: String, CodingKey { case id, at, kind, round, client, detail, hash }

    package static var schema: Schema {
        .object(
            "Event", "One row of the audit log.",
            [
                .required(Key.id, .integer(from: 1)), .required(Key.at, .time),
                .required(Key.kind, .text, "Such as client.registered, round.opened or update.accepted."),
                .optional(Key.round, .integer()), .optional(Key.client, .name), .optional(Key.detail, .text),
                .required(Key.hash, .digest, "Over this row and all rows before it."),
            ])
    }
}

extension FederationPatch: Described {
    package static var schema: Schema {
        .object(
            "FederationPatch",
            "Changes of a federation: its state, some keys of its round policy, which adapters are kept.",
            isClosed: true, example: ["state": "paused"],
            [
                .optional(CodingKeys.state, .choice(["running", "paused", "finished"]).orNull),
                .optional(CodingKeys.round, FederationDocument.Round.schema.orNull, "The keys that change."),
                .optional(CodingKeys.retention, FederationDocument.Retention.schema.orNull),
            ])
    }
}

extension ForkBody: Described {
    package static var schema: Schema {
        .object(
            "Fork", "A federation that begins with a round's adapter of another.", isClosed: true,
            example: ["id": "digits-2", "round": 3],
            [
                .required(CodingKeys.id, .name),
                .optional(CodingKeys.round, .integer().orNull, "The newest where it is missing."),
                .optional(
                    CodingKeys.settings, .freeObject.orNull,
                    "Settings that replace the other's, but for id and adapter."),
            ])
    }
}

extension TemplateBody: Described {
    private enum Key: String, CodingKey { case state, digest, bytes, awaited }

    package static var schema: Schema {
        .object(
            "Template", "How far a federation's template has come.",
            [
                .required(Key.state, .choice(FederationBody.states)), .optional(Key.digest, .digest),
                .optional(Key.bytes, .integer()),
                .required(Key.awaited, .list(of: .text), "The parts that are missing, as paths."),
            ])
    }
}

extension TokenRequestBody: Described {
    fileprivate static let roles = ["enrolment", "reader", "region"]

    package static var schema: Schema {
        .object(
            "TokenRequest", "A wish for a token.", isClosed: true, example: ["role": "enrolment", "uses": 1],
            [
                .required(CodingKeys.role, .choice(TokenRequestBody.roles)),
                .optional(CodingKeys.expiresAt, .time.orNull, "Null for never."),
                .optional(
                    CodingKeys.uses, .integer(from: 1, to: 1_000_000).orNull,
                    "How many clients an enrolment token may register; null for any number."),
            ])
    }
}

extension TokenBody: Described {
    package static var schema: Schema {
        .object(
            "Token", "A token of a federation.",
            [
                .required(CodingKeys.id, .text), .required(CodingKeys.role, .choice(TokenRequestBody.roles)),
                .required(CodingKeys.createdAt, .time), .required(CodingKeys.expiresAt, .time.orNull),
                .required(CodingKeys.usesLeft, .integer().orNull, "Null where uses are not counted."),
                .optional(CodingKeys.token, .text, "Only in the answer that created it."),
            ])
    }
}
