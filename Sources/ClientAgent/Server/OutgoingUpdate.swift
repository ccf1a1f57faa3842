import Crypto
import DurableFiles
import FoundationEssentials
package import RankwiseWire

/// A trained update to be sent: its file and what the client reports about it.
package struct OutgoingUpdate: Sendable, Hashable {
    package let path: String
    package let round: Int
    package let samples: Int
    package let metrics: RoundBody.Metrics
    package let length: Int64
    /// SHA-256 of the file; 32 bytes.
    package let digest: [UInt8]

    /// Reads the whole file, which takes time.
    package init(path: String, round: Int, samples: Int, metrics: RoundBody.Metrics) throws(StateError) {
        var hasher = SHA256()
        var length: Int64 = 0
        do {
            try OwnedFile(path, for: .reading).readAll { piece in
                hasher.update(bufferPointer: piece)
                length += Int64(piece.count)
            }
        } catch {
            throw .failed(path: path, reason: "cannot be read")
        }
        self.path = path
        self.round = round
        self.samples = samples
        self.metrics = metrics
        self.length = length
        digest = Array(hasher.finalize())
    }

    /// The server refuses updates with larger metrics.
    private static let largestMetric = 1e12

    /// The query of the last request; a metric that the server would refuse is left out.
    var query: String {
        var query = "samples=\(samples)"
        if let loss = metrics.loss, abs(loss) <= Self.largestMetric { query += "&loss=\(loss)" }
        if let accuracy = metrics.accuracy, abs(accuracy) <= Self.largestMetric { query += "&accuracy=\(accuracy)" }
        return query
    }

    /// In the form of `Content-Digest` and `Repr-Digest` (RFC 9530).
    var digestField: String { "sha-256=:\(Data(digest).base64EncodedString()):" }

    /// Whether the receipt is for these bytes.
    func isAcknowledged(by receipt: ReceiptBody) -> Bool {
        let digits = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return receipt.digest == "sha256:" + digits
    }
}
