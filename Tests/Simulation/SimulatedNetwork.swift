import Raft

/// Which links are cut, each in one direction.
struct SimulatedNetwork {
    private var cut: Set<Int> = []
    private let nodes: Int

    init(nodes: Int) { self.nodes = nodes }

    func delivers(from sender: NodeID, to receiver: NodeID) -> Bool {
        !cut.contains(link(sender.position, receiver.position))
    }

    mutating func heal() { cut = [] }

    mutating func cutOneWay(from sender: Int, to receiver: Int) { cut.insert(link(sender, receiver)) }

    /// No message passes between a node that is `inside` and one that is not.
    mutating func split(inside: (Int) -> Bool) {
        for first in 0..<nodes {
            for second in 0..<nodes where inside(first) != inside(second) { cutOneWay(from: first, to: second) }
        }
    }

    private func link(_ sender: Int, _ receiver: Int) -> Int { sender * nodes + receiver }
}
