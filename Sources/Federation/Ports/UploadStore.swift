/// Identifies an upload that has not arrived completely.
package struct UploadKey: Hashable, Sendable {
    package enum Subject: Hashable, Sendable {
        /// A client's update; it has at most one upload in a round.
        case update(round: Int, ClientName)
        /// The adapter that gives a federation its shape.
        case template
    }

    package let federation: FederationID
    package let subject: Subject

    package init(federation: FederationID, subject: Subject) {
        self.federation = federation
        self.subject = subject
    }

    package init(federation: FederationID, round: Int, client: ClientName) {
        self.init(federation: federation, subject: .update(round: round, client))
    }
}

/// An upload that has not arrived completely, as an earlier run of the server left it.
package struct PartialUpload: Sendable, Hashable {
    package let key: UploadKey
    package let file: SpoolFile
    /// The length of the whole upload, once the client has stated it.
    package let length: Int?
    /// The number of first bytes that are durable and verified.
    package let offset: Int
    /// The verified length in the file's name; set while unverified bytes arrive.
    package let sureLength: Int?
    /// When its last byte arrived.
    package let changedAt: Timestamp

    package init(
        key: UploadKey, file: SpoolFile, length: Int?, offset: Int, sureLength: Int?, changedAt: Timestamp
    ) {
        self.key = key
        self.file = file
        self.length = length
        self.offset = offset
        self.sureLength = sureLength
        self.changedAt = changedAt
    }
}

/// Keeps uploads that have not arrived completely over restarts. A write is durable on return; a call that throws
/// changed nothing.
package protocol UploadStore: Sendable {
    /// All unfinished uploads; their bytes are durable on return.
    func partialUploads() async throws(StoreError) -> [PartialUpload]
    /// Creates a new upload's file, empty and ready for appending.
    ///
    /// - Parameter sureLength: the verified length while unverified bytes arrive; nil where all bytes will be verified.
    func beginUpload(_ key: UploadKey, length: Int?, sureLength: Int?) async throws(StoreError) -> SpoolFile
    /// Notes the upload's length and verified length; the file then has another path.
    func note(
        length: Int?, sureLength: Int?, of key: UploadKey, in file: SpoolFile
    ) async throws(StoreError) -> SpoolFile
    /// Removes the bytes beyond `offset`.
    func truncate(_ file: SpoolFile, to offset: Int) async throws(StoreError)
    /// Makes the file's bytes in `range`, which are durable on this server's disk and end the file, durable for every
    /// server. Throws `.fenced` where another server has continued the upload.
    func keep(_ range: Range<Int>, of key: UploadKey, in file: SpoolFile) async throws(StoreError)
    /// The upload as it is stored now; nil for none. Another server may have continued or ended it.
    ///
    /// - Parameter known: what this server knows of it.
    func refreshed(_ known: PartialUpload?, of key: UploadKey) async throws(StoreError) -> PartialUpload?
    /// Makes the file whole: writes the kept bytes into it that other servers have taken.
    func gather(_ key: UploadKey, into file: SpoolFile) async throws(StoreError)
    /// Deletes the uploads to which no server has added anything for so long. Where one server has the store, it knows
    /// them all and ends them itself.
    func endUploads(idleFor seconds: Double) async throws(StoreError)
    /// Deletes what is recorded of an upload that is complete or given up. Its file is discarded by `BlobStore`.
    func endUpload(_ key: UploadKey) async throws(StoreError)
}
