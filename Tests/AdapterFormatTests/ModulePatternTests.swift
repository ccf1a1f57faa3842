import AdapterFormat
import Testing

struct ModulePatternTests {
    @Test(arguments: [
        ("q_proj", "model.layers.0.self_attn.q_proj", true),
        ("q_proj", "q_proj", true),
        ("q_proj", "model.xq_proj", false),
        ("q_proj", "q_proj.base", false),
        ("layers.1.q", "layersx1yq", true),
        (#"layers\.1\.q"#, "layersx1yq", false),
        (#"layers\.\d+\.q"#, "model.layers.12.q", true),
        (#"layers\.\d+\.q"#, "model.layers.x.q", false),
        ("^fc1", "fc1", true),
        ("^fc1", "block.fc1", false),
        ("fc1$", "block.fc1", true),
        ("fc(1|2|)", "fc2", true),
        ("fc(1|2|)", "fc", true),
        ("fc(1|2|)", "fc3", false),
        ("(?:a|bb|ccc)+d", "abbcccad", true),
        (".*attn.*", "layers.0.self_attn.q", true),
        ("[a-c_]x", "_x", true),
        ("[^a-c]x", "bx", false),
        ("[^a-c]x", "dx", true),
        (#"[\w-]+"#, "q-proj", true),
        ("l{2}", "ll", true),
        ("l{2}", "lll", false),
        ("l{2,3}x", "lllx", true),
        ("l{,2}x", "lllx", false),
        ("l{2,}x", "lllllx", true),
        ("a{", "a{", true),
        ("", "any.", true),
        ("", "any", false),
        ("(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
    ])
    func `a pattern stands for the paths that it does in PEFT`(key: String, path: String, expected: Bool) throws {
        #expect(try ModulePattern(key).matches(path) == expected)
    }

    @Test(arguments: [
        ("(a", ModulePatternError.syntax(key: "(a", at: 2)),
        ("a)", .syntax(key: "a)", at: 1)),
        ("*a", .syntax(key: "*a", at: 0)),
        ("[a", .syntax(key: "[a", at: 2)),
        ("[z-a]", .syntax(key: "[z-a]", at: 2)),
        ("a\\", .syntax(key: "a\\", at: 2)),
        ("a{3,2}", .syntax(key: "a{3,2}", at: 1)),
        ("(?=a)", .unsupported(key: "(?=a)", at: 1)),
        (#"(a)\1"#, .unsupported(key: #"(a)\1"#, at: 4)),
        ("a*+", .unsupported(key: "a*+", at: 2)),
        ("((a{99}){99})", .tooLarge(key: "((a{99}){99})")),
        ("a{99999999999999999999}", .tooLarge(key: "a{99999999999999999999}")),
        (String(repeating: "(", count: 100), .tooLarge(key: String(repeating: "(", count: 100))),
        (String(repeating: "|", count: 2000), .tooLarge(key: String(repeating: "|", count: 2000))),
    ])
    func `a pattern that is not one or does too much is refused`(key: String, error: ModulePatternError) {
        #expect(throws: error) { try ModulePattern(key) }
    }
}
