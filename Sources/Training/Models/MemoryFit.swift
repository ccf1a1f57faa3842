/// A model that keeps to a limit of memory, and what it gave up for that.
package struct MemoryFit<Base: FrozenModel> {
    package let base: Base
    /// Only so many of the highest blocks are trained; nil for all that are asked for.
    package let topBlocks: Int?
    /// For people: what was chosen, and the bytes that are expected; nil where the client set no limit.
    package let summary: String?
}
