import TLS
import Testing

@Suite struct ServerFaultTests {
    @Test(arguments: [
        (ServerFault.expired(atSeconds: 1_767_312_000), "its certificate expired on 2026-01-02"),
        (.expired(atSeconds: 0), "its certificate expired on 1970-01-01"),
        (.notYetValid(beforeSeconds: 4_102_444_799), "its certificate is not valid before 2099-12-31"),
        (.otherName(wanted: "b.test", found: ["a.test"]), "its certificate is not for b.test, but for a.test"),
        (
            .otherName(wanted: "d.test", found: ["a.test", "b.test", "c.test"]),
            "its certificate is not for d.test, but for a.test, b.test, …"
        ),
        (.otherName(wanted: "b.test", found: []), "its certificate is not for b.test"),
        (
            .otherName(wanted: nil, found: []),
            "its certificate is not for its address; set tls.serverName to the name it has"
        ),
        (.alert(48), "it refuses this node's certificate: unknown CA"), (.alert(40), "it gave up: handshake failure"),
        (.noTLS, "it does not speak TLS"),
    ])
    func reasonsAreForPeople(fault: ServerFault, text: String) { #expect(fault.description == text) }
}
