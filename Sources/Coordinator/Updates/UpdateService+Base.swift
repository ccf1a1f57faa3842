import Federation

extension UpdateService.Claim {
    /// Why the client's base model excludes its updates; nil where it does not.
    func baseRefusal(in machine: FederationMachine) -> UpdateRefusal? {
        guard let expected = machine.settings.baseModel.sha256, let known = machine.clients[client] else { return nil }
        let found = known.capabilities.base
        guard let found else {
            return UpdateRefusal(
                code: "update.base",
                detail: "this federation adapts the base model \(expected.hex), and the client has not said which one "
                    + "it trains; register again with base_sha256 among the capabilities")
        }
        guard ContentDigest(hex: found) != expected else { return nil }
        return UpdateRefusal(
            code: "update.base",
            detail: "the client trains the base model \(found); this federation adapts \(expected.hex)")
    }
}
