extension Client: Tallied {
    /// Counts over a federation's clients.
    package struct Tally: ClientTally {
        /// Those that count towards the limit of clients.
        package private(set) var places = 0
        /// What regions among them take beyond their own place.
        package private(set) var furtherPlaces = 0
        /// Those that are not revoked.
        package private(set) var active = 0

        package init() {}
        package mutating func add(_ client: Client) { count(client, by: 1) }
        package mutating func remove(_ client: Client) { count(client, by: -1) }

        private mutating func count(_ client: Client, by step: Int) {
            if client.holdsPlace {
                places += step
                furtherPlaces += step * client.furtherPlaces
            }
            if client.revokedAt == nil { active += step }
        }
    }
}

extension RoundMachine.Participation: Tallied {
    /// Counts over a round's participations.
    package struct Tally: ClientTally {
        package private(set) var awaited = 0
        package private(set) var selected = 0

        package init() {}
        package mutating func add(_ place: RoundMachine.Participation) { count(place, by: 1) }
        package mutating func remove(_ place: RoundMachine.Participation) { count(place, by: -1) }

        private mutating func count(_ place: RoundMachine.Participation, by step: Int) {
            if place.state == .awaited { awaited += step }
            if place.isSelected { selected += step }
        }
    }
}

extension Update: Tallied {
    /// Counts over a round's updates.
    package struct Tally: ClientTally {
        package private(set) var accepted = 0
        package private(set) var held = 0
        /// The total length of those that are held.
        package private(set) var heldByteCount = 0

        package init() {}
        package mutating func add(_ update: Update) { count(update, by: 1) }
        package mutating func remove(_ update: Update) { count(update, by: -1) }

        private mutating func count(_ update: Update, by step: Int) {
            if update.status == .accepted { accepted += step }
            guard update.status.isHeld else { return }
            held += step
            heldByteCount += step * update.byteCount
        }
    }
}

extension Seen: Tallied {
    /// Nothing is counted.
    package struct Tally: ClientTally {
        package init() {}
        package mutating func add(_: Seen) {}
        package mutating func remove(_: Seen) {}
    }
}
