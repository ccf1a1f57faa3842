/// A federation as it is stored.
package struct StoredFederation: Sendable {
    package let machine: FederationMachine
    package let createdAt: Timestamp

    package init(machine: FederationMachine, createdAt: Timestamp) {
        self.machine = machine
        self.createdAt = createdAt
    }
}

/// The federations of a store, as far as they can be read.
package struct StoredFederations: Sendable {
    package var sound: [StoredFederation] = []
    package var unreadable: [UnreadableFederation] = []

    package init() {}
}

/// A stored federation that this version cannot read.
package struct UnreadableFederation: Sendable {
    package let id: FederationID
    package let reason: String
    /// The issued tokens, as far as they can be read.
    package let tokens: [IssuedToken]
    package let clients: [Client]

    package init(id: FederationID, reason: String, tokens: [IssuedToken], clients: [Client]) {
        self.id = id
        self.reason = reason
        self.tokens = tokens
        self.clients = clients
    }
}

/// One row of the audit log with its number and the hash that chains it to all earlier rows.
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

/// The record that stays of a deleted federation.
package struct DepartedFederation: Sendable, Hashable {
    package let id: FederationID
    /// The hash of the last row of its audit log.
    package let head: ContentDigest
    /// The number of rows of the log.
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
