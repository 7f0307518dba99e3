/// The order in which smooth weighted round robin visits the choices: each appears in proportion to its weight,
/// and the visits of one choice are spread as evenly as can be (nginx's algorithm: raise every current weight by
/// its own weight, take the highest, lower it by the sum).
///
/// The whole period is computed ahead, so that picking is one step of a shared cursor.
package enum SmoothSchedule {
    /// A longer period is shortened by scaling the weights down; shares then err by less than one visit a period.
    package static let maximumPeriod = 4096

    /// The period as indices into `weights`; a weight of 0 is never visited. Empty when all are 0.
    package static func period(weights: [Int]) -> [UInt16] {
        let scaled = fitted(weights)
        let total = scaled.reduce(0, +)
        var current = [Int](repeating: 0, count: scaled.count)
        return (0..<total).map { _ in
            var best = -1
            for index in scaled.indices where scaled[index] > 0 {
                current[index] += scaled[index]
                if best < 0 || current[index] > current[best] { best = index }
            }
            current[best] -= total
            return UInt16(best)
        }
    }

    /// The weights divided by their greatest common divisor, then scaled to fit the maximum period. No weight
    /// above 0 falls to 0.
    private static func fitted(_ weights: [Int]) -> [Int] {
        let divisor = weights.reduce(0, greatestCommonDivisor)
        guard divisor > 0 else { return weights }
        let reduced = weights.map { $0 / divisor }
        let total = reduced.reduce(0, +)
        guard total > maximumPeriod else { return reduced }
        return reduced.map { $0 == 0 ? 0 : max(1, $0 * maximumPeriod / total) }
    }

    private static func greatestCommonDivisor(_ left: Int, _ right: Int) -> Int {
        right == 0 ? left : greatestCommonDivisor(right, left % right)
    }
}
