import Raft

/// Which links are cut, each in one direction, and until when those of a node that started have no connection.
struct SimulatedNetwork {
    private var cut: Set<Int> = []
    private var connectedFrom: [UInt64]
    private let nodes: Int

    init(nodes: Int) {
        self.nodes = nodes
        connectedFrom = Array(repeating: 0, count: nodes * nodes)
    }

    func delivers(from sender: NodeID, to receiver: NodeID, at time: UInt64) -> Bool {
        let link = link(sender.position, receiver.position)
        return time >= connectedFrom[link] && !cut.contains(link)
    }

    /// Connections between the two come back at `time`.
    mutating func reconnect(_ first: Int, _ second: Int, at time: UInt64) {
        connectedFrom[link(first, second)] = time
        connectedFrom[link(second, first)] = time
    }

    mutating func heal() { cut = [] }

    mutating func cutOneWay(from sender: Int, to receiver: Int) { cut.insert(link(sender, receiver)) }

    /// Nothing is cut between the two.
    mutating func join(_ first: Int, _ second: Int) {
        cut.remove(link(first, second))
        cut.remove(link(second, first))
    }

    /// No message passes between a node that is `inside` and one that is not.
    mutating func split(inside: (Int) -> Bool) {
        for first in 0..<nodes {
            for second in 0..<nodes where inside(first) != inside(second) { cutOneWay(from: first, to: second) }
        }
    }

    private func link(_ sender: Int, _ receiver: Int) -> Int { sender * nodes + receiver }
}
