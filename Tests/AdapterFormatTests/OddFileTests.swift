import Testing

@testable import AdapterFormat

/// What people bring for an adapter, and the sentence that each of them gets: one file at least for each rule of the
/// safetensors format, for each format that is taken for it, and for each program whose names are not PEFT's.
struct OddFileTests {
    /// A file, and what is said of it; nil where it is taken.
    struct Case: Sendable, CustomTestStringConvertible {
        let what: String
        let bytes: [UInt8]
        let sentence: String?

        var testDescription: String { what }

        init(_ what: String, _ bytes: [UInt8], _ sentence: String?) {
            self.what = what
            self.bytes = bytes
            self.sentence = sentence
        }

        /// A file of which only the header's entry for `w` is odd.
        init(_ what: String, entry: String, data: Int = 8, _ sentence: String?) {
            self.init(what, file(#"{"w":\#(entry)}"#, data), sentence)
        }

        /// A file of zeros with a sound header.
        init(_ what: String, tensors: [(String, [Int])], _ sentence: String?) {
            var end = 0
            let entries = tensors.map { name, shape in
                let start = end
                end += 4 * shape.reduce(1, *)
                return #""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(start),\#(end)]}"#
            }
            self.init(what, file("{\(entries.joined(separator: ","))}", end), sentence)
        }
    }

    private static func file(_ header: String, _ data: Int = 8) -> [UInt8] {
        safetensors(header, data: [UInt8](repeating: 0, count: data))
    }

    /// The first bytes of a file, and as many more as an adapter may have.
    private static func foreign(_ start: [UInt8], filling byte: UInt8 = 0) -> [UInt8] {
        start + [UInt8](repeating: byte, count: 600)
    }

    private static func zip(_ name: String) -> [UInt8] {
        foreign(
            [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 22) + [UInt8(name.utf8.count), 0, 0, 0] + Array(name.utf8)
        )
    }

    private static let limit = "at most 100000000 are read"
    private static let expected = "; expected a safetensors file, such as PEFT's adapter_model.safetensors"

    /// https://huggingface.co/docs/safetensors, rule by rule.
    static let format: [Case] =
        [
            Case("sound", entry: #"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, nil),
            // The length of the header.
            Case(
                "shorter than a length", [8, 0, 0],
                "the file is 3 bytes long; the length of a safetensors header takes 8"),
            Case(
                "a length and nothing else", [8, 0, 0, 0, 0, 0, 0, 0],
                "the header is 8 bytes long, but only 0 bytes follow its length"),
            Case("zeros alone", [UInt8](repeating: 0, count: 64), "the header is 0 bytes long; the least is 2"),
            Case(
                "a header cut off", safetensors(#"{"w""#, length: 99),
                "the header is 99 bytes long, but only 4 bytes follow its length"),
            Case(
                "more than 100 MB of header", safetensors("{}", length: 100_000_001),
                "the header is 100000001 bytes long; \(limit)"),
            Case(
                "a length with the first byte first", [0, 0, 0, 0, 0, 0, 0, 2] + Array("{}".utf8),
                "the header is 144115188075855872 bytes long; \(limit)"),
            // The header is a JSON object, in UTF-8, from its first byte on.
            Case("a space before the header", file(#" {"w":{}}"#), "the header does not begin with '{'"),
            Case("a list for a header", file("[1, 2]"), "the header does not begin with '{'"),
            Case("a byte order mark", file("\u{FEFF}{}", 0), "the header does not begin with '{'"),
            Case(
                "spaces behind the header", file(#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}      "#), nil),
            Case(
                "zeros behind the header", file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}\0\0"),
                "the header is not sound JSON: byte 54 is 0x0 where the end of the text is expected"),
            Case(
                "a comma too many", file(#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}"#),
                "the header is not sound JSON: byte 54 is 0x7d where a string is expected"),
            Case(
                "single quotes", file("{'w':1}"),
                "the header is not sound JSON: byte 1 is 0x27 where a string is expected"),
            Case(
                "Latin-1 in a name", Array("\u{8}\0\0\0\0\0\0\0{\"".utf8) + [0xE9] + Array("\":{}}".utf8),
                "the header is not sound JSON: the string at byte 2 is not UTF-8"),
            Case(
                "half a surrogate", file(#"{"\ud800":{}}"#),
                "the header is not sound JSON: the escape at byte 2 is not one of JSON's"),
            Case("no tensor", file("{}", 0), "the file holds no LoRA factor, so it adapts nothing"),
            // Names.
            Case(
                "a name twice",
                file(
                    #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
                ), "w appears twice"),
            Case(
                "a name twice, once escaped",
                file(
                    #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0077":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
                ), "w appears twice"),
            Case("a name of no letters", file(#"{"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#), nil),
            Case(
                "a name of other letters", file(#"{"größe\n🙂":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#), nil),
            // The metadata are text by text.
            Case(
                "metadata",
                file(#"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#), nil),
            Case(
                "null for metadata, as MLX writes it",
                file(#"{"__metadata__":null,"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#), nil),
            Case(
                "a number in the metadata", file(#"{"__metadata__":{"step":7}}"#, 0),
                "the metadata step is not a string"),
            Case(
                "an object in the metadata", file(#"{"__metadata__":{"a":{"b":"c"}}}"#, 0),
                "the metadata a is not a string"),
            Case(
                "a list for metadata", file(#"{"__metadata__":[]}"#, 0),
                "the header is not sound JSON: byte 16 is 0x5b where an object is expected"),
            Case("a key of the metadata twice", file(#"{"__metadata__":{"a":"b","a":"c"}}"#, 0), "a appears twice"),
            // An entry has three fields.
            Case("no dtype", entry: #"{"shape":[2],"data_offsets":[0,8]}"#, "the header's entry for w has no dtype"),
            Case("no shape", entry: #"{"dtype":"F32","data_offsets":[0,8]}"#, "the header's entry for w has no shape"),
            Case("no offsets", entry: #"{"dtype":"F32","shape":[2]}"#, "the header's entry for w has no data_offsets"),
            Case(
                "a field more", entry: #"{"dtype":"F32","shape":[2],"data_offsets":[0,8],"strides":[1]}"#,
                "the header's entry for w has an unknown field strides"),
            Case(
                "a field twice", entry: #"{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}"#,
                "the header's entry for w has dtype twice"),
            Case(
                "a list for an entry", entry: "[]",
                "the header is not sound JSON: byte 5 is 0x5b where an object is expected"),
            // dtypes.
            Case(
                "an unknown dtype", entry: #"{"dtype":"F33","shape":[2],"data_offsets":[0,8]}"#,
                "w has the dtype F33, which safetensors does not know"),
            Case(
                "a dtype in small letters", entry: #"{"dtype":"f32","shape":[2],"data_offsets":[0,8]}"#,
                "w has the dtype f32, which safetensors does not know"),
            Case(
                "torch's name of a dtype", entry: #"{"dtype":"torch.float32","shape":[2],"data_offsets":[0,8]}"#,
                "w has the dtype torch.float32, which safetensors does not know"),
            Case(
                "a number for a dtype", entry: #"{"dtype":32,"shape":[2],"data_offsets":[0,8]}"#,
                "the header is not sound JSON: byte 14 is 0x33 where a string is expected"),
            Case("bytes", entry: #"{"dtype":"U8","shape":[8],"data_offsets":[0,8]}"#, unsupported("U8")),
        ]
        + ElementType.knownElsewhere.sorted().map { type in
            Case(
                "the dtype \(type)", entry: #"{"dtype":"\#(type)","shape":[8],"data_offsets":[0,8]}"#, unsupported(type)
            )
        } + [
            // Shapes.
            Case(
                "a negative side", entry: #"{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#,
                "the header is not sound JSON: byte 29 is 0x2d where a whole number is expected"),
            Case(
                "a side with a fraction", entry: #"{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}"#,
                "the header is not sound JSON: byte 30 is 0x2e where a whole number is expected"),
            Case(
                "a text for a side", entry: #"{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}"#,
                "the header is not sound JSON: byte 29 is 0x22 where a whole number is expected"),
            Case(
                "a side beyond 64 bits", entry: #"{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}"#,
                "the header is not sound JSON: the number at byte 29 is out of range"),
            Case(
                "sides whose product is beyond 64 bits",
                entry: #"{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}"#,
                "w has a shape too large to address"),
            Case(
                "such sides beside a zero",
                entry: #"{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}"#, data: 0,
                "w has a shape too large to address"),
            Case(
                "bytes beyond 64 bits", entry: #"{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,8]}"#,
                "w has a shape too large to address"),
            Case(
                "too many sides",
                entry: #"{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}"#,
                "the header's entry for w has more than 16 sizes"),
            Case("a single number", entry: #"{"dtype":"F32","shape":[],"data_offsets":[0,4]}"#, data: 4, nil),
            Case("no number", entry: #"{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}"#, data: 0, nil),
            // Offsets, which go by shape and dtype.
            Case(
                "the end before the start", entry: #"{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#,
                "the header's entry for w has data_offsets that are not a start and an end"),
            Case(
                "one offset", entry: #"{"dtype":"F32","shape":[2],"data_offsets":[8]}"#,
                "the header's entry for w has data_offsets that are not a start and an end"),
            Case(
                "fewer bytes than numbers", entry: #"{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#,
                "w takes 8 bytes, but its shape and dtype need 12"),
            Case(
                "more bytes than numbers", entry: #"{"dtype":"F16","shape":[2],"data_offsets":[0,8]}"#,
                "w takes 8 bytes, but its shape and dtype need 4"),
            Case(
                "an end beyond the file", entry: #"{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"#,
                "w ends at byte 16 of 8 bytes of data"),
            Case(
                "a download cut off", entry: #"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, data: 5,
                "w ends at byte 8 of 5 bytes of data"),
            // Tensors tile the data.
            Case(
                "an overlap",
                file(
                    #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
                ), "b overlaps a"),
            Case(
                "two tensors in one place",
                file(
                    #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
                ), "b overlaps a"),
            Case(
                "a hole at the start", entry: #"{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#,
                "4 bytes before w belong to no tensor"),
            Case(
                "a hole between tensors",
                file(
                    #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#,
                    12), "4 bytes before b belong to no tensor"),
            Case(
                "bytes behind the last tensor", entry: #"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, data: 11,
                "3 bytes follow the last tensor"),
            Case(
                "data in another order than the header",
                file(
                    #"{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
                ),
                nil),
        ]

    private static func unsupported(_ type: String) -> String {
        "w is \(type); adapters are F64, F32, F16 or BF16, or quantised"
    }

    static let formats: [Case] =
        [
            Case("an empty file", [], "the file is empty\(expected)"),
            Case(
                "torch.save", zip("adapter_model/data.pkl"),
                "the file is a PyTorch archive (torch.save, such as adapter_model.bin); save the adapter with "
                    + "save_pretrained(safe_serialization=True)\(expected)"),
            Case(
                "numpy.savez", zip("weight.npy"),
                "the file is an archive of NumPy arrays (.npz); save its arrays with safetensors.numpy.save_file\(expected)"
            ),
            Case("another ZIP archive", zip("read.me"), "the file is a ZIP archive\(expected)"),
            Case("an empty ZIP archive", foreign([0x50, 0x4B, 5, 6]), "the file is a ZIP archive\(expected)"),
        ]
        + [2, 3, 4, 5].map { protocolNumber in
            Case(
                "a pickle of protocol \(protocolNumber)",
                foreign([0x80, protocolNumber, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46]),
                "the file is a Python pickle (torch.save before PyTorch 1.6, such as pytorch_model.bin); save the adapter with "
                    + "save_pretrained(safe_serialization=True)\(expected)")
        } + [
            Case(
                "GGUF", foreign(Array("GGUF\u{3}\0\0\0".utf8)),
                "the file is GGUF (llama.cpp); take the adapter that it was made from\(expected)")
        ]
        + ["lmgg", "fmgg", "tjgg", "algg"].map { magic in
            Case(
                "GGML: \(magic)", foreign(Array(magic.utf8) + [1, 0, 0, 0]),
                "the file is GGML (llama.cpp before GGUF); take the adapter that it was made from\(expected)")
        } + [
            Case(
                "a pointer of Git LFS",
                Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n".utf8),
                "the file is a pointer of Git LFS, not what it points to; fetch that with git lfs pull\(expected)"),
            Case("an HTML page", Array("<!DOCTYPE html><html><title>Sign in</title></html>".utf8), markup),
            Case("an HTML page behind a line", Array("\r\n  <html>".utf8), markup),
            Case(
                "an XML page", Array("\u{FEFF}<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>".utf8),
                markup),
            Case("a JSON answer", Array(#"{"error":"Repository not found"}"#.utf8), json),
            Case("a short JSON answer", Array("{}".utf8), json),
            Case("a JSON list", Array(#"[{"error": 1}]"#.utf8), json),
            Case("a configuration", Array("{\n  \"peft_type\": \"LORA\"\n}".utf8), json),
            Case(
                "a text", Array("Not Found".utf8),
                "the file is plain text, such as a server's answer in place of the file\(expected)"),
            Case(
                "gzip", foreign([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0]),
                "the file is compressed with gzip; unpack it\(expected)"),
            Case(
                "gzip whose first bytes say a plausible length", [0x1F, 0x8B, 0, 0, 0, 0, 0, 0, 1, 2, 3],
                "the file is compressed with gzip; unpack it\(expected)"),
            Case(
                "Zstandard", foreign([0x28, 0xB5, 0x2F, 0xFD, 4, 88, 1, 1]),
                "the file is compressed with Zstandard; unpack it\(expected)"),
            Case(
                "xz", foreign([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0, 4]),
                "the file is compressed with xz; unpack it\(expected)"),
            Case("bzip2", foreign(Array("BZh91AY&".utf8)), "the file is compressed with bzip2; unpack it\(expected)"),
            Case(
                "tar", Array("adapter/".utf8) + [UInt8](repeating: 0, count: 249) + Array("ustar\u{0}00".utf8),
                "the file is a tar archive; unpack it\(expected)"),
            Case(
                "a NumPy array", foreign([0x93] + Array("NUMPY\u{1}\0".utf8)),
                "the file is a NumPy array (.npy); save it with safetensors.numpy.save_file\(expected)"),
            Case(
                "HDF5", foreign([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]), "the file is HDF5 (Keras)\(expected)"
            ),
            Case(
                "nothing known", foreign([0xDE, 0xAD, 0xBE, 0xEF, 0xDE, 0xAD, 0xBE, 0xEF]),
                "the header is 17275436393656397278 bytes long; \(limit)"),
        ]

    private static let markup =
        "the file is an HTML or XML page, such as a server's answer in place of the file\(expected)"
    private static let json = "the file is JSON, such as a server's answer in place of the file\(expected)"

    private static let convert = ": `rankwise-lab convert IN OUT` makes PEFT's files of it"
    private static let inMemory = "has a name of a PEFT model in memory (state_dict, with the adapter's own name)"

    static let names: [Case] = [
        Case(
            "PEFT's names",
            tensors: [
                ("base_model.model.m.q_proj.lora_A.weight", [2, 3]),
                ("base_model.model.m.q_proj.lora_B.weight", [4, 2]),
            ], nil),
        Case(
            "the adapter's name", tensors: [("base_model.model.m.q_proj.lora_A.default.weight", [2, 3])],
            "base_model.model.m.q_proj.lora_A.default.weight \(inMemory); expected "
                + "base_model.model.m.q_proj.lora_A.weight\(convert)"),
        Case(
            "the adapter's own name", tensors: [("m.q_proj.lora_B.german.weight", [4, 2])],
            "m.q_proj.lora_B.german.weight \(inMemory); expected base_model.model.m.q_proj.lora_B.weight\(convert)"),
        Case(
            "the adapter's name at an embedding", tensors: [("m.embed.lora_embedding_A.default", [2, 9])],
            "m.embed.lora_embedding_A.default \(inMemory); expected base_model.model.m.embed.lora_embedding_A\(convert)"
        ),
        Case(
            "the adapter's name at a magnitude", tensors: [("m.fc.lora_magnitude_vector.default.weight", [4])],
            "m.fc.lora_magnitude_vector.default.weight \(inMemory); expected "
                + "base_model.model.m.fc.lora_magnitude_vector\(convert)"),
        Case(
            "the adapter's name at a saved module", tensors: [("score.modules_to_save.default.weight", [2, 3])],
            "score.modules_to_save.default.weight \(inMemory); expected base_model.model.score.weight\(convert)"),
        Case(
            "MLX",
            tensors: [
                ("model.layers.0.self_attn.q_proj.lora_a", [3, 2]), ("model.layers.0.self_attn.q_proj.lora_b", [2, 4]),
            ],
            "model.layers.0.self_attn.q_proj.lora_a has a name of MLX; expected "
                + "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight\(convert)"),
        Case(
            "kohya",
            tensors: [
                ("lora_unet_down_blocks_0_attentions_0_proj_in.alpha", []),
                ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", [2, 3]),
            ],
            "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight has a name of kohya's scripts; expected "
                + "base_model.model.MODULE.lora_A.weight\(convert)"),
        Case(
            "attention processors", tensors: [("unet.mid_block.attn1.processor.to_out_lora.up.weight", [4, 2])],
            "unet.mid_block.attn1.processor.to_out_lora.up.weight has a name of diffusers; expected "
                + "base_model.model.mid_block.attn1.to_out.0.lora_B.weight\(convert)"),
        Case(
            "old diffusers", tensors: [("unet.mid_block.attn1.to_q.lora.down.weight", [2, 3])],
            "unet.mid_block.attn1.to_q.lora.down.weight has a name of diffusers; expected "
                + "base_model.model.mid_block.attn1.to_q.lora_A.weight\(convert)"),
        Case(
            "old diffusers, text encoder",
            tensors: [
                ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight", [4, 2])
            ],
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight has a name of diffusers; "
                + "expected base_model.model.text_model.encoder.layers.0.self_attn.q_proj.lora_B.weight\(convert)"),
        Case(
            "loralib", tensors: [("h.0.attn.q.lora_A", [2, 3])],
            "h.0.attn.q.lora_A has a name of loralib or torchtune; expected base_model.model.h.0.attn.q.lora_A.weight\(convert)"
        ),
        Case(
            "torchtune", tensors: [("layers.0.attn.q_proj.lora_b.weight", [4, 2])],
            "layers.0.attn.q_proj.lora_b.weight has a name of loralib or torchtune; expected "
                + "base_model.model.layers.0.attn.q_proj.lora_B.weight\(convert)"),
        Case(
            "LyCORIS's LoHa", tensors: [("lora_unet_mid_block_proj_in.hada_w1_a", [4, 2])],
            "lora_unet_mid_block_proj_in.hada_w1_a has a name of LyCORIS, which PEFT's LoRA has nothing for; expected a LoRA "
                + "adapter of PEFT's, such as base_model.model.MODULE.lora_A.weight"),
        Case(
            "LyCORIS's LoKr", tensors: [("lycoris_fc.lokr_w2", [4, 2])],
            "lycoris_fc.lokr_w2 has a name of LyCORIS, which PEFT's LoRA has nothing for; expected a LoRA adapter of PEFT's, "
                + "such as base_model.model.MODULE.lora_A.weight"),
        Case(
            "a core of three factors", tensors: [("lora_unet_conv_in.lora_mid.weight", [2, 2, 3, 3])],
            "lora_unet_conv_in.lora_mid.weight has a name of kohya's scripts, which PEFT's LoRA has nothing for; expected a "
                + "LoRA adapter of PEFT's, such as base_model.model.MODULE.lora_A.weight"),
        Case(
            "a factor of no row", tensors: [("m.lora_A.weight", [0, 3]), ("m.lora_B.weight", [4, 0])],
            "m.lora_A.weight is 0×3, which no LoRA factor is"),
        Case(
            "one factor with the prefix and one without",
            tensors: [
                ("base_model.model.m.lora_A.weight", [2, 3]), ("m.lora_A.weight", [2, 3]),
            ], "m.lora_A.weight appears twice, with and without the prefix base_model.model."),
    ]

    private static func answer(_ bytes: [UInt8]) -> String? {
        do {
            _ = try AdapterFile(SafetensorsFile(bytes: bytes))
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: format)
    func `every rule of the safetensors format has its sentence`(file: Case) {
        #expect(Self.answer(file.bytes) == file.sentence)
    }

    @Test(arguments: formats)
    func `a file of another format is told what it is and what was expected`(file: Case) {
        #expect(Self.answer(file.bytes) == file.sentence)
    }

    @Test(arguments: names)
    func `a name of another program is told the name that was expected`(file: Case) {
        #expect(Self.answer(file.bytes) == file.sentence)
    }

    @Test func `an update without a factor is told a factor that its federation has`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "m", inputs: 3, outputs: 4, maximumRank: 2)])
        let file = Case("", tensors: [("classifier.weight", [2, 3])], nil)
        let error = #expect(throws: AdapterError.self) {
            try AdapterFile(SafetensorsFile(bytes: file.bytes)).validate(against: shape, ranks: [:])
        }
        #expect(
            error.map { "\($0)" }
                == "classifier.weight came and no LoRA factor, so the file adapts nothing; expected one such "
                + "as base_model.model.m.lora_A.weight")
    }

    @Test func `a header longer than a federation's own limit is called so, however it goes on`() {
        let bytes = safetensors(
            #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, data: [UInt8](repeating: 0, count: 8))
        #expect(throws: SafetensorsError.headerTooLong(length: 54, limit: 50)) {
            try SafetensorsFile(bytes: bytes, limits: .init(headerBytes: 50))
        }
    }
}
