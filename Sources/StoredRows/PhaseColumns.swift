package import Federation

/// The columns of a round's row that hold its phase.
package struct PhaseColumns {
    package enum Name: String {
        case collecting
        case aggregating
        case published
        case failed
    }

    package let name: Name
    package private(set) var failedFor: String?
    package private(set) var adapter: PublishedAdapter?

    package init(_ phase: RoundMachine.Phase) {
        switch phase {
        case .collecting: name = .collecting
        case .aggregating: name = .aggregating
        case .published(let published):
            name = .published
            adapter = published
        case .failed(let reason):
            name = .failed
            failedFor = reason
        }
    }

    package static func phase(of row: some StoredRow) throws(StoreError) -> RoundMachine.Phase {
        switch try row.text("phase", as: Name.self) {
        case .collecting: .collecting
        case .aggregating: .aggregating
        case .published:
            .published(
                PublishedAdapter(
                    digest: try row.digest("adapter_digest"), byteCount: try row.value("adapter_bytes"),
                    ranks: try row.json("adapter_ranks"), hasMerge: try row.value("adapter_has_merge")))
        case .failed: .failed(reason: try row.value("failed_for"))
        }
    }
}
