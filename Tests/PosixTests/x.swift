import Testing
@Test func placeholderPosix() { #expect(Bool(true)) }
