import ArgumentParser

/// The layers that a client trains: all, or those of some of the model's highest blocks.
struct LayerChoice: ExpressibleByArgument, Equatable {
    /// nil for all.
    let topBlocks: Int?

    init?(argument: String) {
        if argument == "all" {
            topBlocks = nil
            return
        }
        guard argument.hasPrefix("top:"), let count = Int(argument.dropFirst(4)), count >= 1 else { return nil }
        topBlocks = count
    }
}
