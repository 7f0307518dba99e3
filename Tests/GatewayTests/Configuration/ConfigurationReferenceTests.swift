import FoundationEssentials
import Gateway
import Testing

@Suite struct ConfigurationReferenceTests {
    @Test func pageInTheDocumentationIsTheOneOfThisVersion() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../docs/configuration.md")
        let text = try String(contentsOf: page.standardized, encoding: .utf8)
        #expect(text == ConfigurationReference.markdown, "run `make docs/configuration.md`")
    }

    @Test(arguments: [
        "| `dataDirectory` | ", "### `peers[]`", "### `upstreams[].backends[]` with `algorithm` `\"weighted\"`",
        "### `upstreams[].health` with `type` `\"http\"`", "| `retries` | a whole number from 0 to 10 | `2` | ",
    ])
    func everyLevelIsThere(_ text: String) {
        #expect(ConfigurationReference.markdown.contains(text))
    }
}
