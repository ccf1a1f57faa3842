import AdapterFormat
import Aggregation

extension AdapterPlan {
    /// Refuses configurations under which adding the merge to the base does not equal the adapter's effect.
    ///
    /// - Parameter carried: the keys that travel with the adapter, as canonical JSON.
    func checkMerging(_ carried: [String: String]) throws(ConfigRefusal) {
        guard strategy.publishesMerge else { return }
        let reasons = [
            ("layer_replication", "the copies of a layer share the base's weights, and so would every copy's merge"),
            ("alora_invocation_tokens", "a merge acts on every token, and not behind these alone"),
        ]
        for (key, reason) in reasons {
            guard let value = carried[key], value != "null" else { continue }
            throw ConfigRefusal(key: key, found: value, reason: "\(strategy.name) merges into the base: \(reason)")
        }
    }
}
