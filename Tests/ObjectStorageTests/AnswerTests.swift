import Testing

@testable import ObjectStorage

/// The XML that stores send, and what is not it.
@Suite struct AnswerTests {
    @Test func `a list as stores write it`() throws {
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment -->
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Name>b</Name><Prefix/><IsTruncated>true</IsTruncated>
              <Contents><Key>a&amp;b&#x20;&#228;&lt;</Key><LastModified>2015-08-30T12:36:00.123Z</LastModified>
                <ETag>&quot;x&quot;</ETag><Size>5</Size><Owner><ID>7</ID></Owner></Contents>
              <Contents><Key>z</Key><LastModified>2015-08-30T12:36:00Z</LastModified><Size>0</Size></Contents>
            </ListBucketResult>

            """
        let list = try ListAnswer(Array(text.utf8))
        #expect(list.isTruncated)
        #expect(
            list.objects == [
                ObjectInfo(key: "a&b ä<", byteCount: 5, modified: 1_440_938_160),
                ObjectInfo(key: "z", byteCount: 0, modified: 1_440_938_160),
            ])
    }

    @Test(arguments: [
        "", "x", "<a>", "<a></b>", "<a", "<a/><b/>", "<a b></a>", "<a b=c></a>", "<a b='<'></a>", "<a>&amp</a>",
        "<a>&#;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#-5;</a>", "<a>&#+5;</a>", "<>x</>",
        "< a></a>", "<a>&unknown;</a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><![CDATA[x]]></a>",
        "<a><?php?></a>", "<!-- <a></a>", "<a></a> x", String(repeating: "<a>", count: 100),
        "<a>" + String(repeating: "<b>", count: 20) + String(repeating: "</b>", count: 20) + "</a>",
    ])
    func `what is no such XML is refused`(text: String) {
        #expect(throws: XMLError.self) { try XMLElement(parsing: Array(text.utf8)) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: XMLError.notUTF8) { try XMLElement(parsing: Array("<a>".utf8) + [0xFF] + Array("</a>".utf8)) }
    }

    @Test(arguments: [
        "<IsTruncated>maybe</IsTruncated>", "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>5</Size></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>-5</Size><LastModified>2015-08-30T12:36:00Z</LastModified></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Size>5</Size><LastModified>2015-08-30T12:36:00Z</LastModified></Contents>",
    ])
    func `a list that lacks something is damaged`(inside: String) {
        #expect {
            try ListAnswer(Array("<ListBucketResult>\(inside)</ListBucketResult>".utf8))
        } throws: {
            if case .damaged? = $0 as? ObjectError { true } else { false }
        }
    }

    @Test func `an error's code and message, on one line`() {
        let answer = ErrorAnswer(
            Array("<Error><Code>NoSuchKey</Code><Message>a\nb</Message><SecretThing>x</SecretThing></Error>".utf8))
        #expect(answer.code == "NoSuchKey")
        #expect(answer.message == "a b")
        #expect(ErrorAnswer(Array("<html>no</html>".utf8)).code == "")
        #expect(ErrorAnswer(Array("<Error><Code>a b</Code></Error>".utf8)).code == "")
        let long = "<Error><Code>x</Code><Message>\(String(repeating: "m", count: 5000))</Message></Error>"
        #expect(ErrorAnswer(Array(long.utf8)).message.count == 300)
    }
}
