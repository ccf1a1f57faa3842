/// A federation as it is stored.
package struct StoredFederation: Sendable {
    package let machine: FederationMachine
    package let createdAt: Timestamp

    package init(machine: FederationMachine, createdAt: Timestamp) {
        self.machine = machine
        self.createdAt = createdAt
    }
}

/// What a store has of federations.
package struct StoredFederations: Sendable {
    package var sound: [StoredFederation] = []
    package var unreadable: [UnreadableFederation] = []

    package init() {}
}

/// A federation that is stored in a way that this version does not understand.
package struct UnreadableFederation: Sendable {
    package let id: FederationID
    package let reason: String
    /// Who holds tokens of it, as far as that can be read.
    package let tokens: [IssuedToken]
    package let clients: [Client]

    package init(id: FederationID, reason: String, tokens: [IssuedToken], clients: [Client]) {
        self.id = id
        self.reason = reason
        self.tokens = tokens
        self.clients = clients
    }
}

/// One row of the audit log with its number and the hash that binds it to all rows before it.
package struct StoredEvent: Sendable, Hashable {
    package let id: Int64
    package let event: AuditEvent
    package let hash: ContentDigest

    package init(id: Int64, event: AuditEvent, hash: ContentDigest) {
        self.id = id
        self.event = event
        self.hash = hash
    }
}

/// What is left of a federation that was deleted.
package struct DepartedFederation: Sendable, Hashable {
    package let id: FederationID
    /// The hash of the last row of its audit log.
    package let head: ContentDigest
    /// How many rows the log had.
    package let events: Int
    /// Whether another federation may take its name.
    package let isReleased: Bool

    package init(id: FederationID, head: ContentDigest, events: Int, isReleased: Bool) {
        self.id = id
        self.head = head
        self.events = events
        self.isReleased = isReleased
    }
}
