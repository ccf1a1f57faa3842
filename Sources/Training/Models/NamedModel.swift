/// A base model with its layers in its name and weights drawn from a seed.
package protocol NamedModel: FrozenModel {
    /// The beginning of its names, up to the first hyphen.
    static var kind: String { get }
    /// The form of its names, for errors.
    static var form: String { get }

    init(name: String, seed: UInt64) throws(TrainingError)
}
