/// Helpers for calls into LAPACK.
enum LAPACK {
    /// A letter as LAPACK's C type.
    static func letter(_ character: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: character.value) }

    /// Runs a routine twice: first with length -1, to ask for the best workspace size, then with that workspace.
    static func withWorkspace(
        _ routine: String, _ call: (UnsafeMutablePointer<Double>, Int32) -> Int32
    ) throws(DecompositionError) {
        var length = 0.0
        try check(routine, call(&length, -1))
        guard let room = Int32(exactly: max(length, 1).rounded(.up)) else { throw .tooLarge(routine: routine) }
        let work = UnsafeMutablePointer<Double>.allocate(capacity: Int(room))
        defer { work.deallocate() }
        try check(routine, call(work, room))
    }

    static func check(_ routine: String, _ code: Int32) throws(DecompositionError) {
        guard code == 0 else { throw .gaveUp(routine: routine, code: Int(code)) }
    }
}
