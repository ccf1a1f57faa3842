/// Where a base model comes from.
package enum ModelSource: Sendable, Hashable {
    /// By a name such as `mlp-64-200-200-10`; the seed draws its weights.
    case name(String, seed: UInt64)
    /// The folder of a pretrained model.
    case folder(String)
}
