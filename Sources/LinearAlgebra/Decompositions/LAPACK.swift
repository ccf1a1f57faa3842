/// What all calls into LAPACK have in common.
enum LAPACK {
    /// A letter as LAPACK's C type.
    static func letter(_ character: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: character.value) }

    /// Runs a routine that first says how much workspace it needs, when it is called with a length of -1.
    static func withWorkspace(
        _ routine: String, _ call: (UnsafeMutablePointer<Double>, Int32) -> Int32
    ) throws(DecompositionError) {
        var wanted = 0.0
        try check(routine, call(&wanted, -1))
        guard let length = Int32(exactly: max(wanted, 1).rounded(.up)) else { throw .tooLarge(routine: routine) }
        let work = UnsafeMutablePointer<Double>.allocate(capacity: Int(length))
        defer { work.deallocate() }
        try check(routine, call(work, length))
    }

    static func check(_ routine: String, _ code: Int32) throws(DecompositionError) {
        guard code == 0 else { throw .gaveUp(routine: routine, code: Int(code)) }
    }
}
