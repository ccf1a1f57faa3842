import Crypto
package import Federation
import Foundation

/// Values for tests.
package enum Sample {
    package static let createdAt = Timestamp(milliseconds: 1_700_000_000_123)

    package static func settings(_ id: String = "digits") throws -> FederationSettings {
        FederationSettings(
            id: try FederationID(id),
            baseModel: .init(name: "mlp-64-200-10", seed: .max, sha256: digest("base")),
            adapter: .init(
                maximumRank: 60, scaling: .rslora(alpha: 0.1), elementType: .bfloat16,
                modules: [
                    "fc1": .init(kind: .linear, inputs: 64, outputs: 200, maximumRank: nil, bias: false),
                    "conv/ß": .init(
                        kind: .convolution(height: 3, width: 5), inputs: 8, outputs: 16, maximumRank: 7, bias: true),
                    "words": .init(kind: .embedding, inputs: 1000, outputs: 32, maximumRank: nil, bias: false),
                ],
                dense: ["norm.weight": .init(shape: [200, 3], initial: .normal(0.5))], messageBits: 4),
            strategy: .init(
                name: "fedex", parameters: ["residual_rank": .number(8), "allow_inexact": .flag(true), "x": .null]),
            server: .init(optimizer: "adam", learningRate: 0.25),
            policy: RoundPolicy(
                total: 20, minimumClients: 2, minimumUpdates: 2, targetUpdates: nil, deadlineSeconds: 600,
                onMissedQuorum: .abandon, selection: .fraction(1), overSelection: 0, seenSeconds: 120),
            limits: .init(clients: 100, samples: 1000), training: #"{"epochs":5,"rate":0.01}"#, seed: .max - 1)
    }

    package static func federation(_ id: String = "digits") throws -> StoredFederation { try federation(settings(id)) }

    package static func federation(_ settings: FederationSettings) throws -> StoredFederation {
        StoredFederation(
            machine: FederationMachine(
                settings: settings,
                tokens: [
                    IssuedToken(id: "e1", role: .enrolment, hash: digest("e1"), createdAt: createdAt, usesLeft: 1),
                    IssuedToken(
                        id: "r1", role: .reader, hash: digest("r1"), createdAt: createdAt,
                        expiresAt: createdAt.adding(seconds: 60)),
                ]), createdAt: createdAt)
    }

    package static let capabilities = Capabilities(text: #"{"gpu":false}"#) {
        try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8))
    }

    /// A stand-in for the digest of `text`. Distinct texts of up to 32 bytes have distinct ones.
    package static func digest(_ text: String) -> ContentDigest {
        let padded = Array(text.utf8.prefix(32)) + [UInt8](repeating: 0, count: max(0, 32 - text.utf8.count))
        guard let digest = ContentDigest(bytes: padded) else { preconditionFailure("a digest has 32 bytes") }
        return digest
    }

    /// The true digest of `text`.
    package static func contentDigest(_ text: String) -> ContentDigest {
        guard let digest = ContentDigest(bytes: Array(SHA256.hash(data: Data(text.utf8)))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return digest
    }

    package static func update(
        _ client: ClientName, _ bytes: String, loss: Double? = 0.25, accuracy: Double? = nil
    ) -> Update {
        Update(
            client: client, digest: contentDigest(bytes), byteCount: bytes.utf8.count, rank: 42, samples: 151,
            metrics: Metrics(loss: loss, accuracy: accuracy), receivedAt: createdAt.adding(seconds: 5))
    }
}

extension Sample {
    package static func refusal(_ client: String, _ code: String, _ detail: String = "fc1 is 8×65") throws -> Refusal {
        Refusal(client: try ClientName(client), at: createdAt, code: code, detail: detail)
    }

    package static func adapter(_ text: String, hasMerge: Bool = false) -> PublishedAdapter {
        PublishedAdapter(
            digest: digest(text), byteCount: 163_840, ranks: ["fc1": 60, "conv/ß": 7], hasMerge: hasMerge)
    }

    /// Rows whose values show their position: row + column / 8.
    package static func part(
        _ name: String, _ kind: AdapterTensor.Kind, rows: Range<Int>, width: Int = 3
    ) -> AdapterPart {
        AdapterPart(
            tensor: AdapterTensor(name: name, kind: kind), firstRow: rows.lowerBound, rowCount: rows.count,
            values: values(rows, width: width))
    }

    package static func values(_ rows: Range<Int>, width: Int = 3) -> [Float] {
        rows.flatMap { row in (0..<width).map { Float(row) + Float($0) / 8 } }
    }
}
