import ObjectStorage
import Testing

@Suite struct CalendarTimeTests {
    @Test(arguments: [
        (0, "19700101T000000Z", "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1_440_938_160, "20150830T123600Z", "2015-08-30T12:36:00.000Z", "Sun, 30 Aug 2015 12:36:00 GMT"),
        (951_782_399, "20000228T235959Z", "2000-02-28T23:59:59.000Z", "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "20000229T000000Z", "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_400, "21000301T000000Z", "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
    func `a second has its three forms and is read from each`(
        seconds: Int64, compact: String, iso: String, http: String
    ) {
        let time = CalendarTime(seconds: seconds)
        #expect(time.compact == compact)
        #expect(time.iso == iso)
        #expect(time.http == http)
        #expect(CalendarTime(parsing: compact) == time)
        #expect(CalendarTime(parsing: iso) == time)
        #expect(CalendarTime(http: http) == time)
    }

    @Test(arguments: [
        "", "Z", "2015-08-30", "2015-08-30T12:36:00", "2015-08-30T12:36:00+02:00", "2015-13-30T12:36:00Z",
        "2015-08-30T25:36:00Z", "20150830 123600Z", "2015-08-30T12:36:00.0x0Z", "2015-08-30T12:3٦:00Z",
    ])
    func `what is no time is not read`(text: String) {
        #expect(CalendarTime(parsing: text) == nil)
    }
}
