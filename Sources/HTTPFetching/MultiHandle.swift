import CCurl

/// A curl multi handle: it keeps the open connections and lets a transfer be interrupted from another thread.
///
/// `@unchecked Sendable`: the one `BlockingFetcher` that owns it calls everything but `wake` under the lock of its
/// `easy`, and curl documents `curl_multi_wakeup` as safe from any thread.
final class MultiHandle: @unchecked Sendable {
    private let pointer: UnsafeMutableRawPointer

    init() throws(FetchError) {
        guard let pointer = curl_multi_init() else { throw .malformedRequest("curl has no memory") }
        self.pointer = pointer
    }

    deinit {
        curl_multi_cleanup(pointer)
    }

    /// Makes `run` check whether it should stop, now or when it next waits.
    func wake() {
        curl_multi_wakeup(pointer)
    }

    /// Runs the prepared transfer of `easy` to its end and blocks the calling thread; nil if `shouldStop` ended it.
    func run(_ easy: borrowing EasyHandle, shouldStop: () -> Bool) -> CURLcode? {
        guard curl_multi_add_handle(pointer, easy.pointer) == CURLM_OK else { return CURLE_FAILED_INIT }
        defer { curl_multi_remove_handle(pointer, easy.pointer) }
        var running: Int32 = 0
        while !shouldStop() {
            guard curl_multi_perform(pointer, &running) == CURLM_OK else { return CURLE_RECV_ERROR }
            if running == 0 { return result() }
            // curl shortens the wait to its own next time-out.
            guard curl_multi_poll(pointer, nil, 0, 30_000, nil) == CURLM_OK else { return CURLE_RECV_ERROR }
        }
        return nil
    }

    private func result() -> CURLcode {
        var waiting: Int32 = 0
        while let message = curl_multi_info_read(pointer, &waiting) {
            if message.pointee.msg == CURLMSG_DONE { return message.pointee.data.result }
        }
        return CURLE_RECV_ERROR
    }
}
