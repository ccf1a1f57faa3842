/// Where the credentials come from. Nothing is read before the first request.
package enum CredentialsSource: Sendable, Hashable {
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where set, `AWS_SESSION_TOKEN`.
    case environment
    /// A profile of a file in the format of `~/.aws/credentials`. It is read again once the store refuses what it says.
    case file(path: String, profile: String = "default")
    /// A program and its arguments, run without a shell. It prints JSON as a `credential_process` does, and runs again
    /// before that expires.
    case command([String])
    case fixed(Credentials)
}
