import AdapterFormat
package import Federation

/// The keys of PEFT's `adapter_config.json` that settings carry unchanged, beside the settings' own terms.
package enum CarriedKeys {
    /// Reads an object of these keys; the error's path is the key.
    package static func read(_ json: [UInt8], keys: some Sequence<String>) throws(SettingsError) -> [String: String] {
        let config: AdapterConfig
        do throws(AdapterConfigError) { config = try AdapterConfig(json: json) } catch {
            throw SettingsError(path: error.key ?? "", reason: "cannot be read: \(error)")
        }
        do throws(ConfigRefusal) { try AdapterShape.checkMeaning(of: config) } catch {
            throw SettingsError(path: error.key, reason: "is \(error.found); \(error.reason)")
        }
        if let key = keys.sorted().first(where: { ConfigKey.treatment(of: $0) == .compared }) {
            throw SettingsError(
                path: key, reason: "follows from the other settings (max_rank, scaling, modules, dense); leave it out")
        }
        return config.further
    }
}
