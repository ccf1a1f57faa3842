/// The list of all strategies. A new strategy needs a file in this folder and a line here.
extension Strategy {
    private static let recipes: [any StrategyRecipe.Type] = [
        RBLA.self,
        ZeroPadding.self,
        HetLoRA.self,
        FedAvg.self,
        FlexLoRA.self,
        RaFLoRA.self,
        FLoRA.self,
        FedEx.self,
        LoRAFair.self,
        RoLoRA.self,
        FFALoRA.self,
        RACLoRA.self,
        SAFedLoRA.self,
        SLoRA.self,
        FDLoRA.self,
    ]

    /// The names of all strategies, ascending.
    package static let names: [String] = recipes.map { $0.name }.sorted()

    /// The names of the strategies that robust rules go with, ascending.
    package static let namesWithRules: [String] = recipes.filter { $0.takesRules }.map { $0.name }.sorted()

    /// The names of all strategies' parameters and of those of weightings, ascending.
    package static let parameterNames: [String] = {
        let composed = names.flatMap { name in
            [nil, "ranking"].compactMap { try? Strategy(named: name, weighting: $0) }
        }
        return Set(composed.flatMap(\.parameters.keys)).sorted()
    }()

    /// The parameters under which a strategy accepts updates of any rank, even if the result is then not exact.
    package static func parametersForAnyRank(named name: String) -> [String: ParameterValue] {
        recipe(named: name)?.parametersForAnyRank ?? [:]
    }

    /// Whether a client keeps a personal adapter under a strategy; false for one that this version does not have.
    package static func keepsPersonalAdapter(named name: String) -> Bool {
        recipe(named: name)?.keepsPersonalAdapter ?? false
    }

    static func recipe(named name: String) -> (any StrategyRecipe.Type)? { recipes.first { $0.name == name } }
}
