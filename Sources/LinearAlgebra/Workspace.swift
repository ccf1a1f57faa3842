import COpenBLAS

/// Runs a LAPACK routine that first tells, when asked with a length of -1, how much room it works best in.
func withWorkspace(
    _ routine: String, _ call: (UnsafeMutablePointer<Double>, Int32) -> Int32
) throws(DecompositionError) {
    var length = 0.0
    var code = call(&length, -1)
    if code == 0 {
        let room = max(Int32(length), 1)
        let work = UnsafeMutablePointer<Double>.allocate(capacity: Int(room))
        defer { work.deallocate() }
        code = call(work, room)
    }
    guard code == 0 else { throw .notConverged(routine: routine, code: Int(code)) }
}
