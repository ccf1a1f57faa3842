import Federation
import Synchronization

/// The room that bodies on their way may take up among the updates that federations hold.
///
/// What is held is only known once a body is stored, so whoever begins to read one sets its room aside before.
final class UpdateByteReservations: Sendable {
    /// Room set aside for one body. It is given back by `release`, however the body ends.
    struct Reservation: Sendable {
        fileprivate let federation: FederationID
        fileprivate let number: Int
    }

    private struct Share {
        let client: ClientName
        let byteCount: Int
    }

    private struct State {
        var shares: [FederationID: [Int: Share]] = [:]
        var nextNumber = 0
    }

    private let state = Mutex(State())

    /// Sets room aside for `byteCount` bytes of a client; nil where the limit leaves none. A lone body always fits.
    func reserve(
        _ byteCount: Int, for client: ClientName, in session: FederationSession, upTo limit: Int
    ) -> Reservation? {
        state.withLock { state in
            // Read under the lock: whoever has given back room has stored its update before.
            let round = session.snapshot.machine.round
            var taken = round?.heldByteCount ?? 0
            // A share whose update is stored counts as that.
            for share in state.shares[session.id, default: [:]].values where round?.held(of: share.client) == nil {
                let (sum, overflow) = taken.addingReportingOverflow(share.byteCount)
                taken = overflow ? .max : sum
            }
            guard taken == 0 || taken <= limit - byteCount else { return nil }
            let reservation = Reservation(federation: session.id, number: state.nextNumber)
            state.nextNumber += 1
            state.shares[session.id, default: [:]][reservation.number] = Share(client: client, byteCount: byteCount)
            return reservation
        }
    }

    /// Gives room back; again has no effect.
    func release(_ reservation: Reservation?) {
        guard let reservation else { return }
        state.withLock { state in
            state.shares[reservation.federation]?[reservation.number] = nil
            if state.shares[reservation.federation]?.isEmpty == true { state.shares[reservation.federation] = nil }
        }
    }
}
