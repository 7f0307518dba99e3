import Testing
@Test func placeholderRaft() { #expect(Bool(true)) }
