import Foundation
import Testing

@testable import RankwiseWire

@Suite struct RankwiseWireTests {
    @Test func `an unknown key in a request is refused by name`() {
        let text = #"{"rank": 4, "token": "t", "colour": "red"}"#
        let error = #expect(throws: WireError.self) {
            try WireJSON.decodeStrictly(RegistrationBody.self, from: Data(text.utf8))
        }
        #expect(error?.path == "colour")
        #expect(throws: Never.self) { try WireJSON.decode(RegistrationBody.self, from: Data(text.utf8)) }
    }
}
