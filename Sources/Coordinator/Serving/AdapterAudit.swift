package import Federation

/// The comparison of published adapters with what their rounds recorded: each is rendered again and compared by digest.
package struct AdapterAudit: Sendable {
    /// The number of compared adapters, by federation.
    package private(set) var rounds: [FederationID: Int] = [:]
    /// One sentence for each adapter that differs from its record.
    package private(set) var findings: [String] = []
    private let metadata: any MetadataStore
    private let adapters: any AdapterStore
    private let service: AdapterService

    init(
        of metadata: any MetadataStore, _ adapters: any AdapterStore, renderedBy service: AdapterService
    ) async throws(ServiceError) {
        self.metadata = metadata
        self.adapters = adapters
        self.service = service
        do throws(StoreError) {
            let found = try await metadata.federations()
            for one in found.unreadable { findings.append("\(one.id) cannot be read: \(one.reason)") }
            for stored in found.sound { try await check(stored.machine.settings) }
        } catch {
            throw .store(error)
        }
    }
}

extension AdapterAudit {
    private mutating func check(_ settings: FederationSettings) async throws(StoreError) {
        let federation = settings.id
        rounds[federation] = 0
        guard !settings.adapter.isDraft else { return }
        let plan: AdapterPlan
        do throws(SettingsError) {
            plan = try AdapterPlan(settings)
        } catch {
            findings.append("\(federation) has settings that this version does not know: \(error)")
            return
        }
        // Adapters that retention has deleted cannot be compared.
        let kept =
            settings.retention == nil ? nil : Set(try adapters.rounds(of: .adapter, in: federation))
        var before = Int.max
        while true {
            let page = try await metadata.rounds(before: before, limit: 100, of: federation)
            guard let oldest = page.last else { return }
            for round in page.map(\.round) {
                guard case .published(let adapter) = round.phase, kept?.contains(round.number) ?? true else { continue }
                await check(adapter, ofRound: round.number, in: federation, as: plan)
            }
            before = oldest.round.number
        }
    }

    private mutating func check(
        _ adapter: PublishedAdapter, ofRound round: Int, in federation: FederationID, as plan: AdapterPlan
    ) async {
        rounds[federation, default: 0] += 1
        do throws(ServiceError) {
            let file = try await service.file(ofRound: round, in: federation, as: plan)
            if file.digest != adapter.digest {
                findings.append(
                    "the adapter of round \(round) (\(federation)) was recorded as \(adapter.digest); what is stored "
                        + "renders as \(file.digest)")
            }
        } catch {
            findings.append("the adapter of round \(round) (\(federation)) cannot be rendered: \(error)")
        }
    }
}
