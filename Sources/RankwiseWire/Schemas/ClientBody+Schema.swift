extension RegistrationBody: Described {
    package static var schema: Schema {
        .object(
            "Registration", "The registration of a client, which has made its token itself.", isClosed: true,
            example: [
                "rank": 8, "token": .string(String(repeating: "5", count: 64)), "capabilities": ["memory_gib": 4],
            ],
            [
                .required(CodingKeys.rank, .integer(from: 1), "The highest rank that the client can train."),
                .required(
                    CodingKeys.token, .string(pattern: "^([0-9a-fA-F]{64}|[A-Za-z0-9_-]{43})$"),
                    "32 random bytes in hexadecimal or base64url, which nobody else uses."),
                .optional(CodingKeys.capabilities, .freeObject.orNull, "Kept for the operator; at most 2048 bytes."),
            ])
    }
}

extension ClientBody: Described {
    package static var schema: Schema {
        .object(
            "Client", "A registered client.",
            [
                .required(CodingKeys.name, .name),
                .required(CodingKeys.rank, .integer(from: 1), "The granted rank."),
                .required(CodingKeys.ranks, .map(of: .integer(from: 0)), "The granted rank of each module."),
                .required(CodingKeys.registeredAt, .time), .required(CodingKeys.lastSeenAt, .time),
                .required(CodingKeys.revoked, .boolean), .required(CodingKeys.capabilities, .freeObject),
            ])
    }
}

extension ClientOutlineBody: Described {
    package static var schema: Schema {
        .object(
            "ClientOutline", "A client in a list with outline.",
            [
                .required(CodingKeys.name, .name), .required(CodingKeys.rank, .integer(from: 1), "The granted rank."),
                .required(CodingKeys.registeredAt, .time), .required(CodingKeys.lastSeenAt, .time),
                .required(CodingKeys.revoked, .boolean), .optional(CodingKeys.answer, ClientRoundsBody.answer),
            ])
    }
}

extension ClientRoundsBody: Described {
    private enum Key: String, CodingKey { case rounds }

    /// What a client has done in a round.
    static let answer = Schema.choice(["awaited", "answered", "declined", "left", "cut"])

    package static var schema: Schema {
        .object(
            "ClientRounds", "What a client did, round by round, the newest first.",
            [.required(Key.rounds, .list(of: Round.schema))])
    }
}

extension ClientRoundsBody.Round: Described {
    private enum Key: String, CodingKey { case round, answer, update, refusals }

    package static var schema: Schema {
        .object(
            "ClientRound", "What one round knows of a client.",
            [
                .required(Key.round, .integer()), .optional(Key.answer, ClientRoundsBody.answer),
                .optional(Key.update, RoundBody.Update.schema),
                .required(Key.refusals, .list(of: RoundBody.Refusal.schema)),
            ])
    }
}

extension CallerBody: Described {
    private enum Key: String, CodingKey { case role, federation, client }

    package static var schema: Schema {
        .object(
            "Caller", "Whom a token stands for.",
            [
                .required(Key.role, .choice(["admin", "metrics", "reader", "enrolment", "client"])),
                .optional(Key.federation, .name, "The federation that the token is of."),
                .optional(Key.client, .name, "The client's name, where the caller is one."),
            ])
    }
}

extension ReceiptBody: Described {
    private enum Key: String, CodingKey { case digest, rank, samples, received }

    package static var schema: Schema {
        .object(
            "Receipt", "What the server holds of a client's update.",
            [
                .required(Key.digest, .digest), .required(Key.rank, .integer(from: 0)),
                .required(Key.samples, .integer(from: 0)),
                .required(Key.received, .integer(from: 0), "The number of updates in the round now."),
            ])
    }
}

extension DeclineBody: Described {
    package static var schema: Schema {
        .object(
            "Reason", "Why a client sends nothing.", isClosed: true, example: ["reason": "the battery is low"],
            [.required(CodingKeys.reason, .string(atMost: 500), "For the people who look at the round.")])
    }
}
