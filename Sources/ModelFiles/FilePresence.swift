import Glibc

/// Whether there is a file of a name.
enum FilePresence {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
