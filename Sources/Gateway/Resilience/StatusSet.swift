/// Statuses from 500 to 599, one bit each.
package struct StatusSet: Hashable, Sendable, ExpressibleByArrayLiteral {
    package static let range = 500...599
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    /// Every status is within `range`.
    package init(_ statuses: [Int]) {
        for status in statuses {
            precondition(StatusSet.range.contains(status), "a status of a server's error")
            let index = UInt64(status - 500)
            if index < 64 { low |= 1 << index } else { high |= 1 << (index - 64) }
        }
    }

    package init(arrayLiteral elements: Int...) { self.init(elements) }

    @inline(__always)
    package func contains(_ status: UInt16) -> Bool {
        guard status >= 500, status < 600 else { return false }
        let index = UInt64(status) - 500
        return (index < 64 ? low >> index : high >> (index - 64)) & 1 == 1
    }

    package var statuses: [Int] { StatusSet.range.filter { contains(UInt16($0)) } }
}
