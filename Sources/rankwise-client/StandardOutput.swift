import Glibc
import SystemPackage

/// Text for people and pipes, written at once.
enum StandardOutput {
    static var isTerminal: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

    static func write(_ text: String) throws { try FileDescriptor.standardOutput.writeAll(text.utf8) }
}
