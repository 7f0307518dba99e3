import Gateway
import Testing

@Suite struct PercentEncodingTests {
    @Test func unreservedCharactersStay() {
        #expect(PercentEncoding.encode("aZ09-._~") == "aZ09-._~")
        #expect(PercentEncoding.encode("[::1]:80/ü%&") == "%5B%3A%3A1%5D%3A80%2F%C3%BC%25%26")
    }

    @Test(arguments: ["", "a b", "../x", "name=x&y", "\u{0}\u{1f600}"])
    func theServerReadsWhatTheClientWrote(text: String) {
        #expect(AdminRequest.query("a=\(PercentEncoding.encode(text))") == ["a": text])
    }
}
