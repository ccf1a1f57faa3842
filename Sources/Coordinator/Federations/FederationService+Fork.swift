import AdapterFormat
import Aggregation
package import Federation

extension FederationService {
    /// Creates a federation with the shape of another one, whose version 0 is a round's adapter of that one.
    ///
    /// The new one is a draft until the adapter is copied. If the copy fails, it is deleted.
    ///
    /// - Parameters:
    ///   - round: nil for the newest.
    ///   - settings: used except for the adapter.
    package func fork(
        _ source: FederationID, round: Int?, as settings: FederationSettings
    ) async throws(ServiceError) -> Created {
        let session = try runtime.session(source)
        let machine = session.snapshot.machine
        let plan = try session.plan()
        guard !plan.strategy.publishesMerge else {
            throw .settings(
                SettingsError(
                    path: "round",
                    reason:
                        "of \(source) is no whole adapter, since \(plan.strategy.name) merges into the base; make a "
                        + "federation from its model (GET …/rounds/{t}/model) as a template"))
        }
        let number = try await rounds.published(round, of: machine)
        var forked = settings
        forked.adapter = machine.settings.adapter
        forked.adapter.template = FederationSettings.Template(isComplete: true)
        for name in forked.adapter.dense.keys { forked.adapter.dense[name]?.initial = .template }
        let checked: (settings: FederationSettings, plan: AdapterPlan?)
        do throws(SettingsError) { checked = try Self.checked(forked) } catch { throw .settings(error) }
        guard let whole = checked.plan,
            whole.storedShape(ofRound: 0).modules.map(\.name) == plan.storedShape(ofRound: number).modules.map(\.name)
        else {
            throw .settings(
                SettingsError(
                    path: "strategy.name", reason: "is \(settings.strategy.name), which does not begin with factors"))
        }
        var draft = checked.settings
        draft.adapter = .draft(
            FederationSettings.Template(), scaling: forked.adapter.scaling, elementType: forked.adapter.elementType,
            messageBits: forked.adapter.messageBits)
        let created = try await create(draft)
        do throws(ServiceError) {
            try await initial.copy(number, of: source, to: created.id)
            try await runtime.session(created.id).reply(to: .templated(checked.settings))
            return created
        } catch {
            _ = try? await delete(created.id, releasing: true)
            throw error
        }
    }
}
