/// What the server does wrong in place of, or beside, answering a request.
package enum ObjectFault: Sendable, Hashable {
    /// Answers this and does nothing.
    case answer(status: Int, code: String, retryAfter: Int? = nil)
    /// Never answers; the client's connection stays open.
    case stall
    /// Waits before it does what it is asked for.
    case delay(Duration)
    /// Does what it is asked for and closes the connection without an answer.
    case loseAnswer
    /// Closes the connection after so many bytes of the answer's body.
    case cut(after: Int)
    /// Inverts the first bit of the answer's body.
    case alter
    /// Answers a request for a range with the whole object.
    case ignoreRange
}
