/// How the server treats each key of PEFT's `LoraConfig`: one table, which docs/peft.md shows as well.
package struct ConfigKey: Sendable, Hashable {
    package enum Treatment: Sendable, Hashable {
        /// Compared with the federation, which writes it again for every rank.
        case compared
        /// Published as it came. All clients must have the same value; a missing key has this default.
        case carried(default: String)
        /// Published as it came. Clients that state it must state the same value; null states nothing.
        case stated
        /// Published as the first client had it, as long as it fits the adapted modules: the tensors' names say the
        /// same.
        case described
        /// Has no effect after an adapter is saved, and is left out.
        case ignored
        /// Refused unless the value is one of these: a mean of adapters does not preserve its effect.
        case refused(unless: Set<String>)
    }

    package let name: String
    package let treatment: Treatment
    /// The reason, for people.
    package let note: String

    private init(_ name: String, _ treatment: Treatment, _ note: String) {
        self.name = name
        self.treatment = treatment
        self.note = note
    }

    /// A key that PEFT 0.21 does not know is carried where clients agree on it.
    package static func treatment(of name: String) -> Treatment { byName[name]?.treatment ?? .stated }

    private static let byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

    /// The keys of PEFT 0.21.2, in its order.
    package static let all: [ConfigKey] = [
        .init("peft_type", .compared, "LORA, and nothing else"),
        .init("task_type", .stated, "PEFT's AutoPeftModel classes need it"),
        .init("peft_version", .ignored, "of the program that saved the file"),
        .init("auto_mapping", .described, "the base model's class, where there is no task_type"),
        .init(
            "base_model_name_or_path", .compared,
            "the federation's base_model.name is published; where a template names one, it is that"),
        .init("revision", .stated, "of the base model"),
        .init("inference_mode", .ignored, "true in every published file"),
        .init("r", .compared, "at most the granted rank, and that of the tensors"),
        .init("target_modules", .compared, "published as the whole paths of the adapted modules"),
        .init("exclude_modules", .described, "published where it excludes no adapted module"),
        .init("lora_alpha", .compared, "must give the federation's scale at the client's rank"),
        .init("lora_dropout", .ignored, "of training alone"),
        .init("fan_in_fan_out", .carried(default: "false"), "true for GPT-2's Conv1D"),
        .init("bias", .described, "from the bias tensors that the federation has"),
        .init("use_rslora", .compared, "must give the federation's scale at the client's rank"),
        .init("modules_to_save", .described, "from the dense tensors that the federation has"),
        .init(
            "init_lora_weights",
            .refused(unless: [
                "true", "false", "null", "\"gaussian\"", "\"eva\"", "\"orthogonal\"", "\"mica\"",
            ]),
            "pissa, olora, corda, loftq and lora_ga train on a residual base that the adapter alone does not name, and "
                + "which differs with the rank: save it with path_initial_model_for_weight_conversion, or make the "
                + "residual base the federation's base model and train plain LoRA on it"),
        .init("layers_to_transform", .described, "the paths of target_modules say it already"),
        .init("layers_pattern", .described, "goes with layers_to_transform"),
        .init("rank_pattern", .compared, "module by module with the granted ranks"),
        .init("alpha_pattern", .compared, "module by module with the federation's scales"),
        .init("megatron_config", .refused(unless: ["null"]), "its layers are sharded over machines"),
        .init("megatron_core", .ignored, "says where Megatron is installed"),
        .init(
            "trainable_token_indices", .carried(default: "null"),
            "the rows of trainable_tokens_delta, so all clients train the same"),
        .init("loftq_config", .ignored, "goes with init_lora_weights"),
        .init("eva_config", .ignored, "of the first values alone"),
        .init("corda_config", .ignored, "goes with init_lora_weights"),
        .init("lora_ga_config", .ignored, "goes with init_lora_weights"),
        .init("use_dora", .compared, "the federation has magnitudes, or has none"),
        .init("velora_config", .ignored, "of training alone"),
        .init("alora_invocation_tokens", .carried(default: "null"), "where in a text the adapter begins to act"),
        .init(
            "use_qalora", .refused(unless: ["false", "null"]), "its factors belong to groups of a quantised base"),
        .init("qalora_group_size", .ignored, "goes with use_qalora"),
        .init("monteclora_config", .refused(unless: ["null"]), "its factors are drawn anew at every step"),
        .init("layer_replication", .carried(default: "null"), "which layers of the base the adapted model repeats"),
        .init("runtime_config", .ignored, "never saved"),
        .init("lora_bias", .compared, "the federation has biases of lora_B, or has none"),
        .init(
            "target_parameters", .carried(default: "null"),
            "parameters of experts; a component is a row of one expert"),
        .init("use_bdlora", .refused(unless: ["null", "false"]), "its factors are block-diagonal"),
        .init("arrow_config", .refused(unless: ["null"]), "it chooses among several adapters"),
        .init(
            "kasa_config", .refused(unless: ["null"]),
            "it cuts the base by the adapter's rank and puts a diagonal between the factors"),
        .init("ensure_weight_tying", .carried(default: "false"), "whether tied modules stay tied"),
    ]

    /// Lists whose order has no meaning; PEFT saves them as sets.
    package static let unordered: Set<String> = [
        "exclude_modules", "modules_to_save", "target_parameters", "layers_to_transform",
    ]
}
