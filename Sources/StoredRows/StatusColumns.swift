package import Federation

/// The columns of an update's row that hold its status.
package struct StatusColumns {
    package private(set) var leftOutFor: String?
    package private(set) var isLost = false
    package private(set) var isTakenBack = false

    package init(_ status: Update.Status) {
        switch status {
        case .accepted: break
        case .leftOut(let reason): leftOutFor = reason
        case .lost(let reason):
            leftOutFor = reason
            isLost = true
        case .takenBack(let reason):
            leftOutFor = reason
            isTakenBack = true
        }
    }

    package static func status(of row: some StoredRow) throws(StoreError) -> Update.Status {
        let reason: String? = try row.optional("left_out_for")
        guard let reason else { return .accepted }
        if try row.value("is_taken_back") { return .takenBack(reason: reason) }
        return try row.value("is_lost") ? .lost(reason: reason) : .leftOut(reason: reason)
    }
}
