/// One example for a language model: a conversation, a prompt with its completion or with several to choose from, or a text.
package enum Dialogue: Sendable, Hashable {
    case messages([Message])
    case completion(prompt: String, completion: String)
    case text(String)
    /// A prompt with several completions, of which one is right. Training learns that one.
    case choice(prompt: String, options: [String], answer: Int)

    package struct Message: Sendable, Hashable {
        package enum Role: String, Sendable, Hashable, CaseIterable {
            case system
            case user
            case assistant
        }

        package let role: Role
        package let content: String

        package init(role: Role, content: String) {
            self.role = role
            self.content = content
        }
    }
}
