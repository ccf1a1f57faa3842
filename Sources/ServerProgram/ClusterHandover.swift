import Foundation
import Glibc

/// Replaces this program by `rankwise-cluster-server`, which knows PostgreSQL, object storage and the way to a root.
enum ClusterHandover {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let program = "rankwise-cluster-server"

    /// Returns only by throwing: the other program goes on with the same arguments, process and sockets.
    ///
    /// - Parameter reason: which setting needs it.
    static func take(since reason: String) throws(Failure) -> Never {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let folder = URL(fileURLWithPath: own).deletingLastPathComponent().path
        let path = folder + "/" + program
        let arguments = [path] + CommandLine.arguments.dropFirst()
        let copies = arguments.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        execv(path, copies)
        throw Failure(
            description:
                "\(reason), which needs \(program) beside this program; \(path) cannot be run: "
                + String(cString: strerror(errno)))
    }
}
