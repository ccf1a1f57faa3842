import Federation
import Synchronization

/// Reserves bytes for arriving bodies within a federation's limit on update bytes.
///
/// A body counts as held only once it is stored, so its reader reserves bytes before it begins.
final class UpdateByteReservations: Sendable {
    /// Bytes reserved for one body. `release` returns them, however the body ends.
    struct Reservation: Sendable {
        fileprivate let federation: FederationID
        fileprivate let number: Int
    }

    private struct Share {
        let client: ClientName
        let byteCount: Int
    }

    /// The reservations of one federation.
    private struct Shares {
        private(set) var byNumber: [Int: Share] = [:]
        /// The sum of all reservations; saturates.
        private(set) var byteCount = 0

        var isEmpty: Bool { byNumber.isEmpty }

        mutating func set(_ share: Share?, at number: Int) {
            let former = byNumber[number]
            byNumber[number] = share
            guard byteCount < .max else {
                byteCount = byNumber.values.reduce(0) { $0.addingSaturated($1.byteCount) }
                return
            }
            byteCount = (byteCount - (former?.byteCount ?? 0)).addingSaturated(share?.byteCount ?? 0)
        }

        /// The reservations whose updates the round does not hold.
        func byteCount(beside round: RoundMachine?) -> Int {
            byNumber.values.reduce(0) { sum, share in
                round?.held(of: share.client) == nil ? sum.addingSaturated(share.byteCount) : sum
            }
        }
    }

    private struct State {
        var shares: [FederationID: Shares] = [:]
        var nextNumber = 0
    }

    private let state = Mutex(State())

    /// Reserves `byteCount` bytes for a client; nil where the limit leaves too few. A single body always fits.
    func reserve(
        _ byteCount: Int, for client: ClientName, in session: FederationSession, upTo limit: Int
    ) -> Reservation? {
        state.withLock { state in
            // Read under the lock: whoever has released a reservation has stored its update before.
            let round = session.snapshot.machine.round
            let held = round?.heldByteCount ?? 0
            let shares = state.shares[session.id] ?? Shares()
            if held.addingSaturated(shares.byteCount) > limit - byteCount {
                // A reservation whose update is stored counts as that update. That is looked up only near the limit.
                let taken = held.addingSaturated(shares.byteCount(beside: round))
                guard taken == 0 || taken <= limit - byteCount else { return nil }
            }
            let reservation = Reservation(federation: session.id, number: state.nextNumber)
            state.nextNumber += 1
            state.shares[session.id, default: Shares()].set(
                Share(client: client, byteCount: byteCount), at: reservation.number)
            return reservation
        }
    }

    /// Returns a reservation; a second call has no effect.
    func release(_ reservation: Reservation?) {
        guard let reservation else { return }
        state.withLock { state in
            state.shares[reservation.federation]?.set(nil, at: reservation.number)
            if state.shares[reservation.federation]?.isEmpty == true { state.shares[reservation.federation] = nil }
        }
    }
}

extension Int {
    /// The sum of two numbers of at least 0; the largest number where it would be beyond.
    fileprivate func addingSaturated(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
