import Interleavings
import Testing

@Suite struct InterleavingTests {
}
