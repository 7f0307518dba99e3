import FoundationEssentials
import Gateway
import Glibc
import Posix

/// Where everything of a demo is: three nodes and three sample backends on loopback, counted from a base port N.
struct DemoLayout {
    static let nodeCount = 3
    static let backendCount = 3
    static let defaultBasePort: UInt16 = 8080
    /// The highest port is N + 33.
    static let basePorts: ClosedRange<UInt16> = 1024...65_502

    let directory: String
    let basePort: UInt16

    var virtualAddress: SocketAddress { SocketAddress(ip: IPAddress("127.0.0.100")!, port: basePort) }
    func proxy(_ node: Int) -> SocketAddress { local(node) }
    func admin(_ node: Int) -> SocketAddress { local(10 + node) }
    func raft(_ node: Int) -> SocketAddress { local(20 + node) }
    func backend(_ number: Int) -> SocketAddress { local(30 + number) }
    func configuration(_ node: Int) -> String { "\(directory)/gw\(node).json5" }
    func log(_ node: Int) -> String { "\(directory)/gw\(node).log" }

    var admins: [SocketAddress] { (1...DemoLayout.nodeCount).map(admin) }
    var client: ClusterClient { ClusterClient(addresses: admins.map { .tcp(HostPort($0)) }) }

    private func local(_ offset: Int) -> SocketAddress {
        SocketAddress(ip: IPAddress("127.0.0.1")!, port: basePort + UInt16(offset))
    }

    /// Every address that the demo's processes will listen on.
    var addresses: [SocketAddress] {
        [virtualAddress] + (1...DemoLayout.nodeCount).flatMap { [proxy($0), admin($0), raft($0)] }
            + (1...DemoLayout.backendCount).map(backend)
    }

    /// The address that something else already listens on, if there is one.
    func occupiedAddress() -> SystemError? {
        for address in addresses {
            do throws(SystemError) { _ = try Socket.listen(on: address) } catch { return error }
        }
        return nil
    }

    /// Copies `cluster-configs/three-node/` into the demo's directory, with every port moved along with the base
    /// port. Files of an earlier demo in the same directory are replaced; its data stays.
    func writeFiles(from source: String) throws(DemoFailure) {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            for name in ["gateway", "gw1", "gw2", "gw3"] {
                let text = try String(contentsOfFile: "\(source)/\(name).json5", encoding: .utf8)
                try shifted(text).write(toFile: "\(directory)/\(name).json5", atomically: true, encoding: .utf8)
            }
        } catch {
            throw DemoFailure("cannot copy \(source) to \(directory): \(error)")
        }
    }

    /// The shipped files are laid out for the default base port; a port is any number within its range.
    private func shifted(_ text: String) -> String {
        let shipped = DemoLayout.defaultBasePort...(DemoLayout.defaultBasePort + 33)
        var result = ""
        var digits = ""
        func flush() {
            if let port = UInt16(digits), shipped.contains(port) {
                result += String(port - DemoLayout.defaultBasePort + basePort)
            } else {
                result += digits
            }
            digits = ""
        }
        for character in text {
            if character.isASCII && character.isNumber {
                digits.append(character)
            } else {
                flush()
                result.append(character)
            }
        }
        flush()
        return result
    }

    /// `cluster-configs/three-node` of a checkout that the binary was built in, or of an installation.
    static func shippedFiles() throws(DemoFailure) -> String {
        var candidates = ["cluster-configs/three-node"]
        if let binary = executablePath() {
            let folder = URL(filePath: binary).deletingLastPathComponent()
            candidates.append(folder.appending(path: "../share/gwnode/cluster-configs/three-node").path)
            var parent = folder
            for _ in 0..<3 {
                parent = parent.deletingLastPathComponent()
                candidates.append(parent.appending(path: "cluster-configs/three-node").path)
            }
        }
        for candidate in candidates where access("\(candidate)/gateway.json5", R_OK) == 0 { return candidate }
        throw DemoFailure(
            "cannot find cluster-configs/three-node; run the demo from the project's folder, "
                + "or install gwnode with `make install`")
    }
}

/// Why the demo can not go on, and what to do.
struct DemoFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
