/// The source of a base model.
package enum ModelSource: Sendable, Hashable {
    /// A name such as `mlp-64-200-200-10`; the weights are drawn from the seed.
    case name(String, seed: UInt64)
    /// The folder or file of a pretrained model.
    case pretrained(String)
}
