import Federation

/// The files of uploads. After any failure or restart, the reported offset covers only bytes that are durable and
/// verified.
extension UploadService {
    /// The file to append to; created or renamed where necessary.
    func file(for part: Part, length: Int?, limit: Int) async throws(ServiceError) -> SpoolFile {
        let key = part.key
        let bound = limits.bytesInFlight
        guard table.reserve(length ?? limit, for: key, upTo: bound, unknownAs: limit) else {
            throw .upload(.tooManyBytes(limit: bound))
        }
        defer { table.release(key) }
        // Bytes with a digest are verified only when all have arrived. Until then the file's name states the verified
        // length.
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

    /// Counts the durable bytes of a part as verified.
    ///
    /// - Returns: the file, possibly under a new name.
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
        // The last part is stored as the whole.
        if ticket.part.completion == nil || fileLength != ticket.length, fileLength > entry.offset {
            do throws(StoreError) {
                try await partials.keep(entry.offset..<fileLength, of: ticket.part.key, in: entry.file)
            } catch {
                throw .store(error)
            }
        }
        entry.offset = fileLength
        entry.changedAt = clock.now()
        table[ticket.part.key] = entry
        return entry.file
    }

    /// Removes bytes of a failed part from the file, since the disk may not have stored them. If that fails, the upload
    /// begins anew.
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
