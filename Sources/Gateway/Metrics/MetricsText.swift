import Posix

/// Builds a page in Prometheus' text exposition format, version 0.0.4.
///
/// All samples of a family have to be written one after the other, which `family` takes care of.
package struct MetricsText {
    package enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    package struct Sample: Sendable {
        package var labels: [(name: String, value: String)]
        package var value: Double

        package init(_ value: Double, _ labels: (name: String, value: String)...) {
            self.value = value
            self.labels = labels
        }
    }

    package private(set) var text = ""

    /// Of an ordinary page, so that it is not moved while it grows.
    private static let ordinaryBytes = 96 << 10

    package init() { text.reserveCapacity(Self.ordinaryBytes) }

    /// `help` is one sentence. A family without samples is left out.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        if samples.isEmpty { return }
        begin(name, kind, help)
        for sample in samples {
            text += name
            if !sample.labels.isEmpty {
                text += "{"
                for (index, label) in sample.labels.enumerated() {
                    if index > 0 { text += "," }
                    text += Self.printed(label)
                }
                text += "}"
            }
            text += " "
            text += Self.number(sample.value)
            text += "\n"
        }
    }

    package mutating func counter(_ name: String, _ help: String, _ value: some BinaryInteger) {
        family(name, .counter, help, [Sample(Double(value))])
    }

    package mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) {
        family(name, .gauge, help, [Sample(Double(value))])
    }

    private mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(Self.escaped(help))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    private static func printed(_ label: (name: String, value: String)) -> String {
        let value = escaped(label.value)
        let isPlain = !value.utf8.contains(UInt8(ascii: "\""))
        return "\(label.name)=\"\(isPlain ? value : value.replacing("\"", with: "\\\""))\""
    }

    /// For text after HELP, and for a label's value once its quotes are escaped too.
    private static func escaped(_ text: String) -> String {
        // Hardly any text has something to replace, and looking for it is far cheaper.
        if text.utf8.allSatisfy({ $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "\n") }) { return text }
        return text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    /// Whole numbers without the fraction that Swift prints.
    private static func number(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return String(whole) }
        return value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : "\(value)"
    }
}

extension MetricsText {
    /// A family of histograms in seconds, one for each of `entries`, told apart by their labels.
    package mutating func histograms(
        _ name: String, _ help: String, _ entries: [(labels: [(name: String, value: String)], times: LatencyHistogram)]
    ) {
        if entries.isEmpty { return }
        begin(name, .histogram, help)
        for (labels, times) in entries {
            let common = labels.map(Self.printed).joined(separator: ",")
            let prefix = "\(name)_bucket{\(common)\(common.isEmpty ? "" : ",")le=\""
            var (below, next) = (UInt64(0), 0)
            for bound in Self.bounds {
                while next <= bound.bucket {
                    below += times.counts[next]
                    next += 1
                }
                text += prefix
                text += bound.label
                text += "\"} \(below)\n"
            }
            let total = below + times.counts[next...].reduce(0, &+)
            let suffix = common.isEmpty ? "" : "{\(common)}"
            text +=
                "\(prefix)+Inf\"} \(total)\n\(name)_sum\(suffix) \(times.sum.seconds)\n\(name)_count\(suffix) \(total)\n"
        }
    }

    /// Two for each power of two from 0.1 ms to 17 s, of the eight that are counted: a page has to stay short.
    private static let bounds: [(bucket: Int, label: String)] = (0..<LatencyBuckets.count).compactMap { bucket in
        guard bucket % 4 == 0, let bound = LatencyBuckets.bound(bucket) else { return nil }
        guard bound >= .microseconds(50), bound < .seconds(20) else { return nil }
        return (bucket, "\(bound.seconds)")
    }
}
