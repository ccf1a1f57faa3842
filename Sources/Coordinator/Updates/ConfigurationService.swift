import AdapterFormat
package import Federation

/// Takes a client's `adapter_config.json` before its update, so that its values travel with the adapter.
package struct ConfigurationService: Sendable {
    let runtime: FederationRuntime
    let configurations: any ConfigurationStore
    let clock: any WallClock

    /// Checks a configuration against the federation and keeps it for the client's update of the round.
    package func take(
        _ text: [UInt8], of client: ClientName, round: Int, in federation: FederationID
    ) async throws(ServiceError) {
        let session = try runtime.activeSession(of: federation, for: client)
        session.touch(client)
        if let objection = try await session.objection(to: client, round: round) { throw .round(objection) }
        let text = String(decoding: text, as: UTF8.self)
        let check = ConfigurationCheck(client: client, round: round, at: session.snapshot, as: try session.plan())
        do throws(UpdateRefusal) {
            _ = try check.adopted(from: text)
        } catch {
            try await session.refuse(error, of: client, round: round, at: clock.now())
        }
        do throws(StoreError) {
            try await configurations.keepConfiguration(text, of: client, round: round, in: federation)
        } catch {
            throw .store(error)
        }
    }
}

/// Checks a client's configuration against its federation.
struct ConfigurationCheck: Sendable {
    private let plan: AdapterPlan
    private let ranks: [String: Int]
    private let carried: [String: String]

    init(client: ClientName, round: Int, at snapshot: FederationSnapshot, as plan: AdapterPlan) {
        let machine = snapshot.machine
        self.plan = plan
        ranks = plan.ranks(
            for: machine.clients[client].map(machine.grantedRank) ?? plan.maximumRank, round: round)
        carried = machine.settings.adapter.config
    }

    /// The keys that travel with the adapter from now on.
    ///
    /// - Parameter file: the client's file, where it exists.
    func adopted(from text: String, file: AdapterFile? = nil) throws(UpdateRefusal) -> [String: String] {
        let config = try AdapterConfig(sent: text)
        do throws(ConfigRefusal) {
            let adopted = try plan.shape.adopted(
                from: config, scaling: plan.scaling, ranks: ranks, carried: carried)
            try plan.checkMerging(adopted)
            if let file { try plan.shape.check(file, against: config) }
            return adopted
        } catch {
            throw UpdateRefusal(error)
        }
    }

    /// Refuses tensors that only a configuration explains, where no client has sent one.
    func requireMeaning(of file: AdapterFile) throws(UpdateRefusal) {
        let key = "trainable_token_indices"
        guard carried[key] ?? "null" == "null",
            let tensor = file.dense.first(where: { $0.name.hasSuffix(TensorName.trainedTokens) })
        else { return }
        throw UpdateRefusal(
            code: "config.\(key)",
            detail: "\(tensor.name) came; which tokens its rows are stands in adapter_config.json alone: send that "
                + "before the update", tensor: tensor.name)
    }
}
