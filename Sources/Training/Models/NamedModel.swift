/// A base model whose name spells its layers and whose weights are drawn from a seed.
package protocol NamedModel: FrozenModel {
    /// What its names begin with, up to the first hyphen.
    static var kind: String { get }
    /// How its names are made, for errors.
    static var form: String { get }

    init(name: String, seed: UInt64) throws(TrainingError)
}
