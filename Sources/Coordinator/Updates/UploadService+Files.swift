import Federation

/// The files of uploads: whatever fails, and whenever the server starts again, no offset is told beyond what is durable
/// and right.
extension UploadService {
    /// The file to append to, made or renamed as need be.
    func file(for part: Part, length: Int?, limit: Int) async throws(ServiceError) -> SpoolFile {
        let key = part.key
        let bound = limits.bytesInFlight
        guard table.reserve(length ?? limit, for: key, upTo: bound, unknownAs: limit) else {
            throw .upload(.tooManyBytes(limit: bound))
        }
        defer { table.release(key) }
        // Bytes with a digest are right only once they are all here: until then the name says how much is sure.
        let sureLength = part.contentDigest == nil ? nil : part.offset
        do throws(StoreError) {
            if var entry = table[key] {
                if entry.sureLength != nil { try await partials.truncate(entry.file, to: entry.offset) }
                if entry.length != length || entry.sureLength != sureLength {
                    entry.file = try await partials.note(
                        length: length, sureLength: sureLength, of: key, in: entry.file)
                    (entry.length, entry.sureLength) = (length, sureLength)
                }
                entry.changedAt = clock.now()
                table[key] = entry
                return entry.file
            }
            let file = try await partials.beginUpload(key, length: length, sureLength: sureLength)
            table[key] = UploadTable.Entry(
                file: file, length: length, offset: 0, sureLength: sureLength, changedAt: clock.now())
            return file
        } catch {
            throw .store(error)
        }
    }

    /// Counts what came of a part, all of it durable, as sure.
    ///
    /// - Returns: the file, which may have another name now.
    func vouch(for ticket: Ticket, upTo fileLength: Int) async throws(ServiceError) -> SpoolFile {
        guard var entry = table[ticket.part.key] else { return ticket.file }
        if entry.sureLength != nil {
            do throws(StoreError) {
                entry.file = try await partials.note(
                    length: entry.length, sureLength: nil, of: ticket.part.key, in: entry.file)
            } catch {
                throw .store(error)
            }
            entry.sureLength = nil
        }
        entry.offset = fileLength
        entry.changedAt = clock.now()
        table[ticket.part.key] = entry
        return entry.file
    }

    /// Takes away what the file may hold of a part of which nothing counts: the disk may have failed to take it. Where
    /// that cannot be done, the upload begins anew.
    func takeBack(_ ticket: Ticket) async throws(ServiceError) {
        guard var entry = table[ticket.part.key], entry.sureLength == nil else { return }
        do throws(StoreError) {
            try await partials.truncate(entry.file, to: ticket.part.offset)
            entry.changedAt = clock.now()
            table[ticket.part.key] = entry
        } catch {
            await forget(ticket.part.key)
        }
    }
}
