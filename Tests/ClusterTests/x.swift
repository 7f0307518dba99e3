import Testing
@Test func placeholderCluster() { #expect(Bool(true)) }
