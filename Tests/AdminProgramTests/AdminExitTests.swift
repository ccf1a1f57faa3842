import HTTPFetching
import RankwiseWire
import ServerCalls
import Testing

@testable import AdminProgram

struct AdminExitTests {
    private static func refused(_ status: Int) -> CallError {
        CallError(Problem(title: "No", status: status, code: "no", detail: "no"), retryAfter: nil)
    }

    @Test(arguments: [
        (refused(404), AdminExit.refused), (refused(409), .refused), (refused(422), .refused),
        (refused(401), .unauthorised), (refused(403), .unauthorised), (refused(429), .outOfReach),
        (refused(503), .outOfReach), (.unreached(.unreachable("no")), .outOfReach),
        (.unreached(.untrusted("no")), .outOfReach), (.unreached(.noRoom(path: "x")), .file),
        (.unreached(.file(path: "x", reason: "no")), .file),
    ])
    func `a call's end has its exit code`(error: CallError, exit: AdminExit) {
        #expect(AdminError.call(error).exit == exit)
    }

    @Test func `the codes are those of the manual`() {
        #expect(AdminExit.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5])
        #expect(AdminError.failed("x").exit == .failed)
        #expect(AdminError.missing("x").exit == .refused)
        #expect(AdminError.damaged("x").exit == .outOfReach)
    }

    @Test func `what people read has no control characters`() {
        #expect(AdminError.file("a\u{1B}[2Jb").description == "a [2Jb")
        #expect(AdminError.call(Self.refused(404), hint: "look").description == "no (404 no); look")
    }
}
