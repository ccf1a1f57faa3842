import DurableFiles
import Federation
import Foundation
import Glibc

/// The files of uploads that have not arrived completely. Their names are their records.
///
/// A name is `FEDERATION~ROUND~CLIENT~LENGTH` or `FEDERATION~template~~LENGTH`. The last part is empty while the length
/// is unknown. `~SURE`, the verified length, follows while bytes arrive that can only be verified at the end. No part
/// can contain a `~`.
extension DataDirectory {
    private var uploadsPath: String { path + "/uploads" }

    func uploadPath(of key: UploadKey, length: Int?, sureLength: Int?) -> String {
        let subject =
            switch key.subject {
            case .update(let round, let client): "\(round)~\(client)"
            case .template: "template~"
            }
        let name = "\(key.federation)~\(subject)~\(length.map(String.init) ?? "")"
        return "\(uploadsPath)/\(name)\(sureLength.map { "~\($0)" } ?? "")"
    }

    /// Makes the names of the uploads durable.
    func syncUploads() throws(FileError) {
        try DurableFile.syncFolder(uploadsPath)
    }

    /// All uploads, with their bytes synced. Files with other names do not belong to the store and stay.
    func partialUploads() throws -> [PartialUpload] {
        try FileManager.default.contentsOfDirectory(atPath: uploadsPath).compactMap { name in
            guard let (key, length, sureLength) = Self.upload(named: name) else { return nil }
            let path = uploadsPath + "/" + name
            let file = try OwnedFile(path, for: .reading)
            try file.sync()
            let status = try file.status()
            let milliseconds = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
            let offset = min(Int(status.st_size), sureLength ?? .max)
            return PartialUpload(
                key: key, file: SpoolFile(path: path), length: length, offset: offset, sureLength: sureLength,
                changedAt: Timestamp(milliseconds: milliseconds))
        }
    }

    private static func upload(named name: String) -> (UploadKey, length: Int?, sureLength: Int?)? {
        let parts = name.split(separator: "~", omittingEmptySubsequences: false)
        guard (4...5).contains(parts.count), let federation = FederationID(rawValue: String(parts[0])),
            let subject = subject(parts[1], parts[2]), parts[3].isEmpty || Int(parts[3]) != nil
        else { return nil }
        var sureLength: Int?
        if parts.count == 5 {
            guard let count = Int(parts[4]), count >= 0 else { return nil }
            sureLength = count
        }
        return (UploadKey(federation: federation, subject: subject), Int(parts[3]), sureLength)
    }

    private static func subject(_ round: Substring, _ client: Substring) -> UploadKey.Subject? {
        if round == "template", client.isEmpty { return .template }
        guard let round = Int(round), let client = ClientName(rawValue: String(client)) else { return nil }
        return .update(round: round, client)
    }
}
