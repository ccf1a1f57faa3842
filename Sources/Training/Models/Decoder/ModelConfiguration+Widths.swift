import ModelFiles

extension ModelConfiguration {
    /// The length of all heads' queries.
    var queryWidth: Int { heads * headWidth }
    /// The length of all heads' keys, or values.
    var keyValueWidth: Int { keyValueHeads * headWidth }
    /// The length of a row of queries, keys and values.
    var attentionWidth: Int { queryWidth + 2 * keyValueWidth }
    /// Whether the feed-forward part has a gate beside its input: SwiGLU. GPT-2 has GELU without a gate.
    var isGated: Bool { architecture != .gpt2 }
    /// The length of a row before the feed-forward part's activation.
    var gateWidth: Int { isGated ? 2 * intermediate : intermediate }
    /// The highest number of positions that a text may have here. A sliding window is the whole context here.
    var positions: Int { min(context, slidingWindow ?? context) }
}

extension ModelTensor: RowReader {}
