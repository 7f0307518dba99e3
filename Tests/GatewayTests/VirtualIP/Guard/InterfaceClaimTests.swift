import CLinux
import Gateway
import Glibc
import Posix
import Testing

@Suite struct InterfaceClaimTests {
    /// Of this test alone; nobody asks whether there is such an interface.
    private let interface = "test\(UInt32.random(in: 0 ... .max))"

    @Test func aSecondGatewayIsRefusedAndToldOfTheFirst() throws {
        let first = try InterfaceClaim(of: interface)
        let refusal = #expect(throws: VirtualIPError.self) {
            try InterfaceClaim(of: interface, patience: .milliseconds(20))
        }
        #expect(refusal?.what == "another gateway, process \(getpid()), keeps the virtual addresses of \(interface)")
        withExtendedLifetime(first) {}
    }

    @Test func anEndedGatewayLeavesTheInterfaceToTheNext() throws {
        do { withExtendedLifetime(try InterfaceClaim(of: interface)) {} }
        #expect(InterfaceClaim.owner(of: interface) == nil)
        withExtendedLifetime(try InterfaceClaim(of: interface)) {}
    }

    /// A copy of its socket is what a process gets that takes another one's place.
    @Test func theClaimGoesOnWithWhoAdoptsIt() throws {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let isBound = AbstractAddress("gwnode-gateway-\(interface)").with { bind(socket, $0, $1) } == 0
        try #require(isBound)
        let copy = FileDescriptor.copy(of: socket)
        let adopted = InterfaceClaim(adopting: copy)
        close(socket)
        #expect(InterfaceClaim.owner(of: interface) == getpid())
        withExtendedLifetime(adopted) {}
    }

    @Test func aGuardOfAnotherGatewayIsLeftAlone() throws {
        let claim = try InterfaceClaim(of: interface)
        let lock = try GuardLock(interface: interface, gateway: getpid())
        let refusal = #expect(throws: VirtualIPError.self) {
            _ = try GuardLock(interface: interface, gateway: getpid() + 1)
        }
        #expect(refusal?.what.contains("process \(getpid())") == true)
        withExtendedLifetime(claim) {}
        _ = consume lock
    }

    /// The former guard is a process that has its name and does nothing any more.
    @Test func aGuardThatLostItsGatewayAndHangsIsKilled() throws {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let isBound = AbstractAddress("gwnode-guard-\(interface)").with { bind(socket, $0, $1) } == 0
        try #require(isBound)
        let program = #"import socket,time; s=socket.socket(fileno=0); s.listen(); time.sleep(1000)"#
        let former = try ChildProcess("/usr/bin/python3", ["-c", program], input: socket)
        close(socket)
        let claim = try InterfaceClaim(of: interface)
        let lock = try GuardLock(interface: interface, gateway: getpid())
        #expect(former.wait() == .killed(signal: SIGKILL))
        _ = consume lock
        withExtendedLifetime(claim) {}
    }
}
