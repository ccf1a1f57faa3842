import Crypto
import Federation
import Foundation

extension Parts {
    /// The digest of a file in the store's care.
    func digest(of file: SpoolFile) async throws(ServiceError) -> ContentDigest {
        try await validation.run { () throws(ServiceError) in
            guard let handle = FileHandle(forReadingAtPath: file.path) else {
                throw .internalFailure("an upload's file is gone")
            }
            var hasher = SHA256()
            do {
                while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { hasher.update(data: piece) }
            } catch {
                throw .internalFailure("an upload's file cannot be read: \(error)")
            }
            guard let digest = ContentDigest(bytes: Array(hasher.finalize())) else {
                throw .internalFailure("SHA-256 has 32 bytes")
            }
            return digest
        }
    }
}
