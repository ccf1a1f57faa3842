import COpenBLAS

/// The process-wide configuration of OpenBLAS.
///
/// OpenBLAS gives different bytes on one and on two threads, and its own threads would compete with those that work on
/// modules or requests in parallel. So every call runs on the calling thread.
enum OpenBLAS {
    /// Every call into OpenBLAS reads this; the first access sets the number of threads.
    static let singleThreaded: Void = openblas_set_num_threads(1)
}
