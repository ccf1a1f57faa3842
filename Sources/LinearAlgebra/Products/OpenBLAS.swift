import COpenBLAS

/// The process-wide set-up of OpenBLAS.
///
/// OpenBLAS gives different bytes on one and on two threads, and its own threads would fight with the ones that
/// parallelise over modules or requests. So it runs every call on the thread that makes it.
enum OpenBLAS {
    /// Touched by every call into OpenBLAS; the first touch sets the number of threads.
    static let singleThreaded: Void = openblas_set_num_threads(1)
}
