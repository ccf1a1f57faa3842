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

    private struct State {
        var shares: [FederationID: [Int: Share]] = [:]
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
            var taken = round?.heldByteCount ?? 0
            // A reservation whose update is stored counts as that update.
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

    /// Returns a reservation; a second call has no effect.
    func release(_ reservation: Reservation?) {
        guard let reservation else { return }
        state.withLock { state in
            state.shares[reservation.federation]?[reservation.number] = nil
            if state.shares[reservation.federation]?.isEmpty == true { state.shares[reservation.federation] = nil }
        }
    }
}
