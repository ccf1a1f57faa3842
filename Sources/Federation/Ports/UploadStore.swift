/// Names an upload that has not arrived whole.
package struct UploadKey: Hashable, Sendable {
    package enum Subject: Hashable, Sendable {
        /// A client has at most one in a round.
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

/// An upload that has not arrived whole, as a former run of the server left it.
package struct PartialUpload: Sendable, Hashable {
    package let key: UploadKey
    package let file: SpoolFile
    /// Of the whole upload, where the client has said it.
    package let length: Int?
    /// So many of its first bytes are there and sure.
    package let offset: Int
    /// What the file's name says to be sure: set while bytes come that are still to be checked.
    package let sureLength: Int?
    /// When the last of them came.
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

/// Keeps uploads that have not arrived whole, over restarts. What returned is durable; what threw changed nothing.
package protocol UploadStore: Sendable {
    /// All there are; their bytes are durable on return.
    func partialUploads() async throws(StoreError) -> [PartialUpload]
    /// A new upload's file, empty and open to appending.
    ///
    /// - Parameter sureLength: how many bytes are sure while others come that are to be checked; nil where all will be.
    func beginUpload(_ key: UploadKey, length: Int?, sureLength: Int?) async throws(StoreError) -> SpoolFile
    /// Notes how long an upload will be and how much of it is sure; its file has another path then.
    func note(
        length: Int?, sureLength: Int?, of key: UploadKey, in file: SpoolFile
    ) async throws(StoreError) -> SpoolFile
    /// Takes away what was appended beyond `offset`.
    func truncate(_ file: SpoolFile, to offset: Int) async throws(StoreError)
}
