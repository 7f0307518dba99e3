import Glibc
import Namespaces
import Posix
import Testing

/// Other programs of the holder's machine change its packet filter meanwhile: the kernel lets the renewal of the gate wait
/// for them.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct FilterChurnTests {
    /// With timing that no busy machine upsets: the address must not be given up for any other reason.
    @Test func theHolderStaysTheHolder() throws {
        let cluster = try NetworkCluster(timing: "wan")
        let observer = try Observer(interface: "switch0", address: NetworkCluster.virtualAddress)
        defer { observer.stop() }
        let holder = try cluster.holder()
        let churn = try cluster.churnFilters(of: holder, times: 12)
        #expect(churn.wait() == .exited(status: 0), "\(cluster.log("churn"))")
        #expect(try cluster.holder() == holder)
        #expect(!cluster.log("gw\(holder)").contains("vip: released"), "\(cluster.logs())")
        #expect(observer.violations.isEmpty, "two owners at one time\n\(cluster.logs())")
    }

    /// With the shortest lease there is the renewals may come too late. What counts is that there never are two.
    @Test func failoversMeanwhileHaveOneOwner() throws {
        let cluster = try NetworkCluster(timing: "fast")
        let observer = try Observer(interface: "switch0", address: NetworkCluster.virtualAddress)
        defer { observer.stop() }
        let churns = try cluster.network.nodes.map { try cluster.churnFilters(of: $0, times: 1000) }
        for signal in [SIGKILL, SIGSTOP] {
            let former = try #require(
                eventually { try? cluster.network.holders(of: NetworkCluster.virtualAddress).first })
            let hardware = try cluster.network.hardware(of: former)
            cluster.signal(signal, former)
            let isMoved = eventually { observer.current.map { $0 != hardware } == true ? true : nil }
            #expect(isMoved == true, "another node answers\n\(cluster.logs())")
            if signal == SIGSTOP {
                cluster.signal(SIGCONT, former)
            } else {
                cluster.waitForEnd(former)
                try cluster.start(former)
            }
        }
        for churn in churns {
            churn.signalGroup(SIGKILL)
            _ = churn.wait()
        }
        for node in cluster.network.nodes { try cluster.waitUntilWell(node) }
        _ = try cluster.holder()
        #expect(observer.violations.isEmpty, "two owners at one time\n\(cluster.logs())")
    }
}
