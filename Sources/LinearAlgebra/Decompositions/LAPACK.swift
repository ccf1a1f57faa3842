/// What every call into LAPACK shares.
enum LAPACK {
    /// A letter as LAPACK takes it.
    static func letter(_ character: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: character.value) }

    /// Runs a routine that first tells, when asked with a length of -1, how much room it works best in.
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
